"""Step link.balance: the strain-free reference of a cell from mechanical equilibrium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mesolith.axes import FloatArray, six_from_tensor, tensor_from_six
from mesolith.crystal.elasticity import (
    strain_from_lattice,
    stress_by_strain,
    stress_from_strain,
)
from mesolith.errors import InputError, InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.link.balance_errors import (
    MeanErrors,
    drift_from_scatter,
    lost_shares,
    mean_errors,
)
from mesolith.link.balance_remarks import remarks_on
from mesolith.link.equilibrium import (
    isotropic_correction,
    normalised_weights,
    response_to_dilatation,
    target_stress,
    weighted_mean,
)
from mesolith.link.phases import materials_of_phases, stiffness_of_grains
from mesolith.link.repeatability import (
    noise_freedom,
    repeatability,
    tightest,
    widened_covariance,
)
from mesolith.link.stress import check_strain
from mesolith.materials.loader import Material
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference
from mesolith.records.tracking import Tracking

Mode = Literal["cell", "state", "given"]

# no tomogram yet: sintered LLZO holds 2 to 8 % of pores, so a mean over the solid is known to 3 %
POROSITY, POROSITY_SE = 0.05, 0.03
RADIUS_SCATTER = 0.10


def compute(work: Work) -> None:
    """Reference of the cell from the grain maps of all its states."""
    sources = work.inputs["hedm.read"]
    maps = [read_record(source.record_file, GrainMap) for source in sources]
    names = tuple(source.label for source in sources)
    tracked = work.inputs.get("link.track", ())
    trackings = [read_record(source.record_file, Tracking) for source in tracked]
    remarks: list[Remark] = []
    _check_phases(names, maps)
    materials = materials_of_phases(maps[0].phases, work.table("electrolyte"), remarks)
    reference = reference_of_settings(names, maps, materials, trackings, work.settings)
    remarks += remarks_on(reference)
    write_record(work.folder / "record.h5", reference)
    write_remarks(work.folder, remarks)


def reference_of_settings(
    names: Sequence[str],
    maps: Sequence[GrainMap],
    materials: Sequence[Material],
    trackings: Sequence[Tracking],
    settings: Mapping[str, Any],
) -> Reference:
    """Reference as the keys of cell.toml ask for it; trackings that do not join all states
    are left aside."""
    return reference_from_equilibrium(
        names,
        maps,
        materials=materials,
        trackings=trackings if len(trackings) == len(maps) - 1 else (),
        pressure=pressures_of_states(settings["conditions.stack_pressure_mpa"], names),
        lateral=settings["conditions.lateral"],
        mode=settings["hedm.reference"],
        equilibrium=settings["hedm.equilibrium"],
        body_volume=_body_volume(settings),
    )


def pressures_of_states(given: Any, states: Sequence[str]) -> FloatArray | None:
    """Stack pressure (MPa) in each state from a value or a series of {state, value}; None: none.

    A state that a series leaves out keeps the pressure of the one before, the first ones that
    of the first given.
    """
    if given is None:
        return None
    if isinstance(given, int | float):
        return np.full(len(states), float(given))
    values = {str(entry["state"]): float(entry["value"]) for entry in given}
    series = [values.get(state) for state in states]
    known = [value for value in series if value is not None]
    if not known:
        raise InputError(
            "the series of stack pressures names none of the states with grain maps",
            where="conditions.stack_pressure_mpa",
            remedy=f"States: {', '.join(states)}.",
        )
    last = known[0]
    filled = []
    for value in series:
        last = last if value is None else value
        filled.append(last)
    return np.array(filled)


@dataclass(frozen=True, slots=True)
class _State:
    """What the balance needs of one state; ``stress`` is that against the starting lattice."""

    map: GrainMap
    stiffness: FloatArray
    weights: FloatArray
    response: FloatArray
    stress: FloatArray

    def stress_at(self, dilatation: float) -> FloatArray:
        """Stress against a lattice larger by ``dilatation``, exactly: F becomes F / (1 + d)."""
        shrunk = 1.0 / (1.0 + dilatation)
        uniform = tensor_from_six(self.response * (-dilatation * shrunk))
        return self.stress * shrunk + uniform


def reference_from_equilibrium(
    states: Sequence[str],
    maps: Sequence[GrainMap],
    *,
    materials: Sequence[Material],
    trackings: Sequence[Tracking] = (),
    pressure: FloatArray | None = None,
    lateral: str = "free",
    mode: Mode = "cell",
    equilibrium: str = "hydrostatic",
    body_volume: float | None = None,
    porosity: float = POROSITY,
    porosity_se: float = POROSITY_SE,
) -> Reference:
    """Strain-free lattices that bring the mean stress of the grains to what equilibrium asks.

    Parameters
    ----------
    states, maps
        Names and grain maps in order. A grain weighs its volume times its completeness.
    materials
        Material of each phase of the maps.
    trackings
        Pairs between consecutive maps, or none: from them come the random errors of radii and
        strains and the share of lost grains.
    pressure
        Stack pressure of each state, MPa, positive in compression; None: 0 is assumed.
    lateral
        "free" or "confined" sides; see `target_stress`.
    mode
        "cell": one reference, for which the mean over the states balances, each state counting
        the same. "state": one each, and then the state means are no result. "given": the lattice
        of the materials; only the imbalance is computed.
    equilibrium
        "hydrostatic": the reference alone. "all": besides, a uniform stress that balances the
        other five components.
    body_volume
        Volume of the pellet, um3, or None where nobody gave its size.
    porosity, porosity_se
        Share of the pores and how well it is known.

    Notes
    -----
    The error of the reference has four parts: noise of the grains, errors of their volumes, the
    grains that were not found, and the target's own. See `balance_errors`.
    """
    count = len(states)
    given_pressure = np.zeros(count) if pressure is None else np.asarray(pressure, dtype=float)
    targets = np.empty((count, 3, 3))
    half_width = np.empty(count)
    for k in range(count):
        targets[k], half_width[k] = target_stress(
            float(given_pressure[k]), lateral=lateral, porosity=porosity
        )
    start = maps[0].phases.lattice
    if mode == "given":
        start = np.array([material.lattice for material in materials])
    prepared = [
        _prepare(name, grain_map, materials, start)
        for name, grain_map in zip(states, maps, strict=True)
    ]
    groups = [[k] for k in range(count)] if mode == "state" else [list(range(count))]
    dilatation = np.zeros(count)
    if mode != "given":
        for group in groups:
            dilatation[group] = _solve([prepared[k] for k in group], targets[group])
    stresses = [state.stress_at(float(d)) for state, d in zip(prepared, dilatation, strict=True)]
    residual = np.array(
        [
            weighted_mean(stress, state.weights) - target
            for stress, state, target in zip(stresses, prepared, targets, strict=True)
        ]
    )
    shift = np.zeros((count, 3, 3))
    if equilibrium == "all":
        for group in groups:
            unbalanced = residual[group].mean(axis=0)
            # the reference alone decides the hydrostatic part, a given one too
            shift[group] = np.trace(unbalanced) / 3.0 * np.eye(3) - unbalanced
    bound = tightest(
        [
            found
            for k, tracking in enumerate(trackings)
            if (found := repeatability(maps[k], maps[k + 1], tracking)) is not None
        ]
    )
    scatter = RADIUS_SCATTER if bound is None or not bound.radius > 0.0 else bound.radius
    bulk = np.array([float(weighted_mean(s.response, s.weights)[:3].sum() / 3.0) for s in prepared])
    lost, by_grain, indexed = lost_shares(maps, trackings, body_volume, porosity)
    errors = []
    for k, (state, stress) in enumerate(zip(prepared, stresses, strict=True)):
        covariance = state.map.covariance
        if state.map.error_source == "assumed" and bound is not None:
            covariance = widened_covariance(
                covariance,
                position=bound.position,
                orientation=bound.orientation,
                strain=bound.strain,
            )
        derivative = stress_by_strain(state.stiffness, state.map.orientation)
        errors.append(
            mean_errors(
                np.trace(stress, axis1=1, axis2=2) / 3.0,
                derivative,
                covariance[:, 6:, 6:],
                state.weights,
                radius_scatter=scatter,
                lost_by_grain=by_grain[k],
            )
        )
    return _assemble(
        states=tuple(states),
        prepared=prepared,
        start=start,
        dilatation=dilatation,
        targets=targets,
        half_width=half_width,
        shift=shift,
        imbalance=np.trace(residual + shift, axis1=1, axis2=2) / 3.0,
        bulk=bulk,
        errors=errors,
        target_variance=(porosity_se / (1.0 - porosity) * np.trace(targets, axis1=1, axis2=2) / 3)
        ** 2,
        facts={
            "pressure": given_pressure,
            "pressure_source": "assumed" if pressure is None else "given",
            "radius_scatter": scatter,
            "radius_source": "assumed" if scatter is RADIUS_SCATTER else "estimated",
            "lost_share": lost,
            "indexed_share": indexed,
            "lit_share": _lit_shares(maps, body_volume),
            "noise_position": float("nan") if bound is None else bound.position,
            "noise_orientation": float("nan") if bound is None else bound.orientation,
            "noise_strain": float("nan") if bound is None else bound.strain,
            "noise_freedom": noise_freedom(trackings),
            "mode": mode,
            "equilibrium": equilibrium,
            "lateral": lateral,
        },
    )


def _assemble(
    *,
    states: tuple[str, ...],
    prepared: list[_State],
    start: FloatArray,
    dilatation: FloatArray,
    targets: FloatArray,
    half_width: FloatArray,
    shift: FloatArray,
    imbalance: FloatArray,
    bulk: FloatArray,
    errors: list[MeanErrors],
    target_variance: FloatArray,
    facts: Mapping[str, Any],
) -> Reference:
    count = len(states)
    noise = np.array([error.noise for error in errors])
    volume = np.array([error.volume for error in errors])
    sampling = np.array([error.sampling for error in errors])
    own = noise + volume + sampling
    pooled = facts["mode"] == "cell"
    drift = drift_from_scatter(imbalance, own) if pooled else 0.0
    if facts["mode"] == "state":
        variance = own + target_variance
        imbalance_variance = np.zeros(count)
    elif pooled:
        # pores and pressure are off alike in all states: their error does not average out
        variance = np.full(
            count,
            (own.sum() + count * drift**2) / count**2 + float(np.sqrt(target_variance).mean()) ** 2,
        )
        imbalance_variance = own * (1.0 - 2.0 / count) + own.sum() / count**2
    else:
        variance = np.zeros(count)
        imbalance_variance = own + target_variance
    scale = np.ones((count, 1, 6))
    scale[:, 0, :3] += dilatation[:, None]
    return Reference(
        state=states,
        phase=prepared[0].map.phases.name,
        start=start,
        lattice=start[None] * scale,
        dilatation=dilatation,
        dilatation_se=np.sqrt(variance) / bulk,
        # evenly spread between its ends
        radial_se=half_width / np.sqrt(3.0) / bulk,
        stiffness_bulk=bulk,
        target=targets,
        shift=shift,
        imbalance=imbalance,
        imbalance_se=np.sqrt(np.maximum(imbalance_variance, 0.0)),
        drift_sigma=drift / float(bulk.mean()),
        mean_noise_variance=noise,
        mean_volume_variance=volume,
        mean_sampling_variance=sampling,
        target_variance=target_variance,
        **facts,
    )


def _prepare(
    name: str, grain_map: GrainMap, materials: Sequence[Material], start: FloatArray
) -> _State:
    if not len(grain_map):
        raise InvalidValueError("a grain map without grains has no mean stress", where=name)
    stiffness = stiffness_of_grains(materials, grain_map.phase)
    strain = strain_from_lattice(grain_map.lattice, start[grain_map.phase], grain_map.orientation)
    check_strain(strain, grain_map, where=name)
    return _State(
        map=grain_map,
        stiffness=stiffness,
        weights=normalised_weights(grain_map.radius, grain_map.completeness),
        response=response_to_dilatation(stiffness, grain_map.orientation),
        stress=stress_from_strain(strain, stiffness, grain_map.orientation),
    )


def _solve(group: list[_State], targets: FloatArray) -> float:
    """The one dilatation that balances the states of a group together.

    With mean stress m, target t and response r the stress against a lattice larger by d is
    (m + r) / (1 + d) - r; that its excess over t vanishes along r gives d in closed form.
    """
    response = np.mean([weighted_mean(s.response, s.weights) for s in group], axis=0)
    mean = np.mean([six_from_tensor(weighted_mean(s.stress, s.weights)) for s in group], axis=0)
    target = six_from_tensor(targets).mean(axis=0)
    linear = isotropic_correction(mean, response, target)
    return linear / (1.0 + isotropic_correction(target, response, np.zeros(6)))


def _check_phases(names: Sequence[str], maps: Sequence[GrainMap]) -> None:
    if not maps:
        raise InputError("no state has a grain map", where="link.balance")
    first = maps[0].phases
    for name, grain_map in zip(names[1:], maps[1:], strict=True):
        phases = grain_map.phases
        if len(phases.name) != len(first.name) or not (
            np.array_equal(phases.space_group, first.space_group)
            and np.allclose(phases.lattice, first.lattice, rtol=1e-9, atol=0.0)
        ):
            raise InputError(
                f"states {names[0]!r} and {name!r} were indexed with different phases or lattices",
                where="hedm.read",
                remedy="Reduce all states with the same parameter file, or change the head of "
                "the file: strains against different lattices cannot be compared.",
            )


def _lit_shares(maps: Sequence[GrainMap], body_volume: float | None) -> FloatArray | None:
    """Volume in the beam over that of the pellet; None where no map knows its own."""
    if body_volume is None or all(grain_map.lit_volume is None for grain_map in maps):
        return None
    lit = [np.nan if one.lit_volume is None else one.lit_volume for one in maps]
    return np.array(lit) / body_volume


def _body_volume(settings: Mapping[str, Any]) -> float | None:
    diameter, thickness = settings["cell.diameter_um"], settings["cell.thickness_um"]
    if diameter is None or thickness is None:
        return None
    return float(np.pi / 4.0 * diameter**2 * thickness)
