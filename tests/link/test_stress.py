"""Strain and stress of every grain, their errors, and what shifts them all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.axes import six_from_tensor, tensor_from_six
from mesolith.crystal.elasticity import von_mises_from_stress
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.link import stress as stress_step
from mesolith.link.balance import reference_from_equilibrium
from mesolith.link.stress import REFERENCE_MODE, stressed_grain_map
from mesolith.link.stress_errors import FORM, von_mises_derivative, von_mises_error
from mesolith.pipeline.work import Source, Work, read_remarks
from mesolith.records.field import CommonMode
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference
from tests.link.polycrystal import MATERIAL, Polycrystal, all_tracked, polycrystal


def _final(grain_map: GrainMap, **options: object) -> tuple[GrainMap, Reference]:
    reference = reference_from_equilibrium(
        ["s"], [grain_map], materials=[MATERIAL], pressure=np.zeros(1), porosity=0.0
    )
    return (
        stressed_grain_map(grain_map, reference, state="s", materials=[MATERIAL], **options),  # type: ignore[arg-type]
        reference,
    )


def test_planted_stresses_come_back() -> None:
    grains = polycrystal(31)
    final, _ = _final(grains.grain_map(offset=4e-4))
    assert final.stress is not None
    # 40 MPa of scatter: second order in the strain is 0.1 MPa
    assert np.abs(final.stress - grains.stress).max() < 0.3
    assert final.stress_von_mises == pytest.approx(von_mises_from_stress(grains.stress), abs=0.3)


@pytest.mark.parametrize("definition", ["biot", "green-lagrange"])
def test_the_definitions_of_strain_agree_to_second_order(definition: str) -> None:
    grain_map = polycrystal(32).grain_map()
    plain, _ = _final(grain_map)
    other, _ = _final(grain_map, definition=definition)
    assert plain.strain is not None
    assert other.strain is not None
    assert 0.0 < np.abs(plain.strain - other.strain).max() < 3e-6


def test_stated_errors_are_the_scatter_of_repeated_measurements() -> None:
    grains = polycrystal(33, count=40)
    repeats = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        raw = grains.grain_map(sigma_strain=1e-4, rng=rng)
        final, _ = _final(raw)
        repeats.append((final.stress, final.stress_hydrostatic, final.stress_von_mises))
        last = final
    stress = np.array([entry[0] for entry in repeats])
    hydrostatic = np.array([entry[1] for entry in repeats])
    von_mises = np.array([entry[2] for entry in repeats])
    assert last.stress_covariance is not None
    stated = np.sqrt(np.diagonal(last.stress_covariance, axis1=1, axis2=2))
    seen = six_from_tensor(stress).std(axis=0)
    assert np.median(seen / stated) == pytest.approx(1.0, abs=0.03)
    assert last.stress_hydrostatic_se is not None
    # 40 grains balance among themselves, which takes 1/80 off
    assert np.median(hydrostatic.std(axis=0) / last.stress_hydrostatic_se) == pytest.approx(
        1.0, abs=0.04
    )
    rms = np.sqrt(np.mean((von_mises - von_mises_from_stress(grains.stress)) ** 2, axis=0))
    assert last.stress_von_mises_se is not None
    assert np.median(rms / last.stress_von_mises_se) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("level", [0.0, 20.0, 100.0])
def test_von_mises_error_is_honest_down_to_zero(level: float) -> None:
    rng = np.random.default_rng(34)
    true = np.diag([level, 0.0, 0.0])
    stress = true + tensor_from_six(10.0 * rng.standard_normal((20_000, 6)))
    covariance = np.tile(100.0 * np.eye(6), (20_000, 1, 1))
    error = von_mises_error(stress, covariance)
    rms = np.sqrt(np.mean((von_mises_from_stress(stress) - level) ** 2))
    low, high = (0.6, 1.0) if level == 0.0 else (0.9, 1.2)
    assert low < np.median(error) / rms < high


def test_von_mises_form_and_derivative() -> None:
    rng = np.random.default_rng(35)
    stress = tensor_from_six(50.0 * rng.standard_normal((20, 6)))
    six = six_from_tensor(stress)
    squared = np.einsum("ni,ij,nj->n", six, FORM, six)
    assert np.sqrt(squared) == pytest.approx(von_mises_from_stress(stress))
    change = tensor_from_six(rng.standard_normal((20, 6)))
    step = 1e-5
    numeric = (von_mises_from_stress(stress + step * change) - np.sqrt(squared)) / step
    assert von_mises_derivative(stress, change) == pytest.approx(numeric, rel=1e-3, abs=1e-4)


def test_the_reference_shifts_every_grain_and_no_von_mises_stress() -> None:
    final, reference = _final(polycrystal(36).grain_map())
    (mode,) = final.common_modes
    assert mode.name == REFERENCE_MODE
    assert mode.sigma == pytest.approx(float(reference.dilatation_se[0]))
    assert mode.derivatives["stress_hydrostatic"] == pytest.approx([-297_600.0])
    assert np.abs(mode.derivatives["stress_von_mises"]).max() < 1e-6
    assert np.broadcast_shapes(mode.derivatives["stress"].shape, (300, 3, 3)) == (300, 3, 3)
    moved = reference_from_equilibrium(
        ["s"],
        [polycrystal(36).grain_map()],
        materials=[MATERIAL],
        pressure=np.array([3.0 * 2.976]),
        porosity=0.0,
    )
    other = stressed_grain_map(polycrystal(36).grain_map(), moved, state="s", materials=[MATERIAL])
    assert other.stress_hydrostatic is not None
    assert final.stress_hydrostatic is not None
    # a reference larger by 1e-5 lowers every hydrostatic stress by 2.976 MPa
    assert other.stress_hydrostatic - final.stress_hydrostatic == pytest.approx(-2.976, abs=0.01)


def test_a_die_and_a_drift_are_modes_of_their_own() -> None:
    rng = np.random.default_rng(37)
    maps = [
        polycrystal(40 + k).grain_map(offset=o, sigma_strain=1e-4, rng=rng)
        for k, o in enumerate((0.0, 2e-4, -2e-4, 1e-4))
    ]
    names = ["a", "b", "c", "d"]
    reference = reference_from_equilibrium(
        names, maps, materials=[MATERIAL], pressure=np.full(4, 9.0), lateral="confined"
    )
    final = stressed_grain_map(maps[1], reference, state="b", materials=[MATERIAL])
    assert [mode.name for mode in final.common_modes] == [
        "reference lattice",
        "radial stress of the die",
        "dilatation of b",
    ]


def test_what_scales_all_lattices_counts_against_a_given_reference_alone() -> None:
    grain_map = polycrystal(36, count=50).grain_map()
    relative = np.zeros_like(grain_map.lattice)
    relative[:, :3] = grain_map.lattice[:, :3] / 2.0e6
    scale = CommonMode("distance", 60.0, "um", {"lattice": relative})
    scaled = replace(grain_map, common_modes=(scale,))
    final, reference = _final(scaled)
    assert "distance" not in {mode.name for mode in final.common_modes}
    final = stressed_grain_map(
        scaled, replace(reference, mode="given"), state="s", materials=[MATERIAL]
    )
    (mode,) = (mode for mode in final.common_modes if mode.name == "distance")
    longer = grain_map.lattice.copy()
    longer[:, :3] *= 1.0 + 60.0 / 2.0e6
    other = stressed_grain_map(
        replace(scaled, lattice=longer), reference, state="s", materials=[MATERIAL]
    )
    for name in ("strain", "stress_hydrostatic"):
        ours, theirs = getattr(final, name), getattr(other, name)
        moved = np.broadcast_to(mode.sigma * mode.derivatives[name], ours.shape)
        assert np.abs(moved).max() > 0.0
        assert np.allclose(theirs - ours, moved, atol=0.01 * np.abs(moved).max()), name


def test_assumed_errors_give_way_to_larger_measured_ones() -> None:
    rng = np.random.default_rng(38)
    grains = polycrystal(39, count=1000)
    maps = [grains.grain_map(sigma_strain=2e-4, rng=rng, error_source="assumed") for _ in range(2)]
    reference = reference_from_equilibrium(
        ["a", "b"], maps, materials=[MATERIAL], trackings=[all_tracked(1000, position=15.0)]
    )
    final = stressed_grain_map(maps[0], reference, state="a", materials=[MATERIAL])
    assert final.error_source == "estimated"
    sigma = np.sqrt(np.diagonal(final.covariance[0]))
    assert sigma[6:] == pytest.approx(2e-4, rel=0.05)
    assert sigma[:3] == pytest.approx(20.0, rel=1e-6)
    quiet = [grains.grain_map(sigma_strain=3e-5, rng=rng, error_source="assumed")] * 2
    reference = reference_from_equilibrium(
        ["a", "b"], quiet, materials=[MATERIAL], trackings=[all_tracked(1000, position=15.0)]
    )
    kept = stressed_grain_map(quiet[0], reference, state="a", materials=[MATERIAL])
    assert kept.error_source == "assumed"
    assert np.array_equal(kept.covariance, quiet[0].covariance)


def _strained(grains: Polycrystal, factor: float) -> GrainMap:
    raw = grains.grain_map()
    lattice = np.array(raw.lattice)
    lattice[3, :3] *= factor
    return replace(raw, lattice=lattice)


def test_a_strain_that_no_lattice_holds_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"grain 4 is strained by 10\.0 %; 1 of 300"):
        _final(_strained(polycrystal(41), 1.1))
    final, _ = _final(_strained(polycrystal(41), 1.03))
    assert final.strain is not None


def test_the_step_writes_the_final_map_and_prints_assumed_and_estimated(tmp_path: Path) -> None:
    grains = polycrystal(42)
    raw = grains.grain_map(error_source="assumed")
    reference = reference_from_equilibrium(["s"], [raw], materials=[MATERIAL])
    sources = {}
    for name, record in (("hedm.read", raw), ("link.balance", reference)):
        (tmp_path / name).mkdir()
        write_record(tmp_path / name / "record.h5", record)
        sources[name] = (Source("s", tmp_path / name),)
    out = tmp_path / "out"
    out.mkdir()
    settings = {
        "electrolyte": {"material": "LLZTO-I-43d"},
        "hedm.strain_definition": "infinitesimal",
    }
    stress_step.compute(Work("link.stress", "s", settings, sources, out))
    final = read_record(out / "record.h5", GrainMap)
    assert final.stress is not None
    assert np.abs(final.stress - grains.stress).max() < 0.3
    (remark,) = read_remarks(out)
    assert remark.level == "assumed"
    assert "20 um (estimated no tracked pairs), 0.1 deg" in remark.text
