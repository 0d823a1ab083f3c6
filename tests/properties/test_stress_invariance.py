"""Turn the axes, relabel the grains, scale the radii, reorder the states: the physics stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice, lattice_from_basis
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.link.balance import reference_from_equilibrium
from mesolith.link.means import mean_stress
from mesolith.link.stress import stressed_grain_map
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_conjugate,
    quaternion_from_matrix,
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
)
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference
from tests.link.polycrystal import MATERIAL, polycrystal

NOISE = {"sigma_strain": 1e-4, "offset": 2e-4, "radius_scatter": 0.1}
components = st.floats(-3.0, 3.0, allow_nan=False)
vectors = st.tuples(components, components, components).map(np.array)


def _analysed(
    maps: list[GrainMap], names: list[str], pressure: float = 5.0
) -> tuple[Reference, list[GrainMap]]:
    reference = reference_from_equilibrium(
        names, maps, materials=[MATERIAL], pressure=np.full(len(maps), pressure)
    )
    finals = [
        stressed_grain_map(raw, reference, state=name, materials=[MATERIAL])
        for raw, name in zip(maps, names, strict=True)
    ]
    return reference, finals


def _values(final: GrainMap) -> tuple[FloatArray, FloatArray, FloatArray]:
    assert final.stress is not None
    assert final.stress_hydrostatic is not None
    assert final.stress_von_mises is not None
    return final.stress, final.stress_hydrostatic, final.stress_von_mises


RAW = polycrystal(70, count=60, pressure=5.0).grain_map(**NOISE)
REFERENCE, (FINAL,) = _analysed([RAW], ["s"])


@settings(max_examples=20)
@given(vector=vectors)
def test_turned_axes_turn_the_tensors_and_leave_the_invariants(vector: FloatArray) -> None:
    turn = quaternion_from_rotation_vector(vector)
    rotation = matrix_from_quaternion(turn)
    turned = replace(
        RAW,
        orientation=quaternion_multiply(turn, RAW.orientation),
        position=RAW.position @ rotation.T,
    )
    stress, hydrostatic, von_mises = _values(FINAL)
    # the reference of a free body asks for the hydrostatic mean alone, whatever its axes
    reference, (final,) = _analysed([turned], ["s"])
    assert abs(reference.dilatation[0] - REFERENCE.dilatation[0]) < 1e-15
    other = _values(final)
    assert np.abs(other[0] - rotation @ stress @ rotation.T).max() < 1e-8
    assert np.abs(other[1] - hydrostatic).max() < 1e-8
    assert np.abs(other[2] - von_mises).max() < 1e-8


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_relabelled_grains_carry_what_they_carried(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(RAW))
    rows = {
        name: getattr(RAW, name)[order]
        for name in (
            *("grain_id", "position", "orientation", "lattice", "radius", "completeness"),
            *("phase", "covariance"),
        )
    }
    reference, (final,) = _analysed([replace(RAW, **rows)], ["s"])
    assert abs(reference.dilatation[0] - REFERENCE.dilatation[0]) < 1e-15
    assert abs(reference.dilatation_se[0] / REFERENCE.dilatation_se[0] - 1.0) < 1e-9
    assert np.abs(_values(final)[0] - _values(FINAL)[0][order]).max() < 1e-8
    assert abs(_mean(final, reference) - _mean(FINAL, REFERENCE)) < 1e-9


def _mean(final: GrainMap, reference: Reference) -> float:
    return mean_stress(final, reference, state="s").mean


@settings(max_examples=20)
@given(choice=st.integers(0, 23))
def test_an_equivalent_description_of_the_crystals_is_the_same_crystals(choice: int) -> None:
    operator = rotation_operators(220)[choice]
    edges = matrix_from_quaternion(operator)
    # lattice vectors on sample axes, then in another order with other signs
    basis = matrix_from_quaternion(RAW.orientation) @ basis_from_lattice(RAW.lattice) @ edges
    lattice = lattice_from_basis(basis)
    rotation = basis @ np.linalg.inv(basis_from_lattice(lattice))
    described = replace(RAW, lattice=lattice, orientation=quaternion_from_matrix(rotation))
    _, (final,) = _analysed([described], ["s"])
    # the axes follow another edge, so the rotation of the lattice differs to second order
    assert np.abs(_values(final)[1] - _values(FINAL)[1]).max() < 0.3
    assert np.abs(_values(final)[0] - _values(FINAL)[0]).max() < 0.6


@settings(max_examples=20)
@given(factor=st.floats(1e-3, 1e3))
def test_the_unit_of_the_radii_does_not_matter(factor: float) -> None:
    reference, (final,) = _analysed([replace(RAW, radius=RAW.radius * factor)], ["s"])
    assert abs(reference.dilatation[0] - REFERENCE.dilatation[0]) < 1e-15
    assert abs(_mean(final, reference) - _mean(FINAL, REFERENCE)) < 1e-8


@settings(max_examples=20)
@given(order=st.permutations(["a", "b", "c"]))
def test_the_order_of_the_states_does_not_matter(order: list[str]) -> None:
    maps = {
        name: polycrystal(80 + k, count=40, pressure=5.0).grain_map(
            **NOISE, rng=np.random.default_rng(k)
        )
        for k, name in enumerate("abc")
    }
    first, _ = _analysed(list(maps.values()), list(maps))
    other, _ = _analysed([maps[name] for name in order], order)
    for name in maps:
        a, b = first.row(name), other.row(name)
        assert abs(first.dilatation[a] - other.dilatation[b]) < 1e-15
        assert abs(first.imbalance[a] - other.imbalance[b]) < 1e-9


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_misorientation_is_symmetric_and_blind_to_common_turns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    operators = rotation_operators(220)
    a, b = random_quaternions(rng, 20), random_quaternions(rng, 20)
    turn = random_quaternions(rng, 1)[0]
    angle = misorientation_angle(a, b, operators)
    assert np.abs(misorientation_angle(b, a, operators) - angle).max() < 1e-13
    turned = misorientation_angle(
        quaternion_multiply(turn, a), quaternion_multiply(turn, b), operators
    )
    assert np.abs(turned - angle).max() < 1e-13
    back = quaternion_multiply(quaternion_conjugate(turn), quaternion_multiply(turn, a))
    assert misorientation_angle(back, a, operators).max() < 1e-14
