"""Step link.stress: strain and stress of every grain, with their errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesolith.axes import FloatArray, tensor_from_six
from mesolith.crystal.elasticity import (
    StrainDefinition,
    hydrostatic_from_stress,
    strain_from_lattice,
    strain_from_stress,
    stress_by_strain,
    stress_from_strain,
    von_mises_from_stress,
)
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.link.equilibrium import response_to_dilatation
from mesolith.link.phases import materials_of_phases, stiffness_of_grains
from mesolith.link.repeatability import widened_covariance
from mesolith.link.stress_errors import (
    hydrostatic_error,
    stress_covariance,
    von_mises_derivative,
    von_mises_error,
)
from mesolith.materials.loader import Material
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.field import CommonMode
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference

LARGEST_STRAIN = 0.05
REFERENCE_MODE = "reference lattice"
RADIAL_MODE = "radial stress of the die"
DRIFT_MODE = "dilatation of"


def compute(work: Work) -> None:
    """Final grain map of one state: GrainMap with strain, stress, errors and common modes."""
    source = work.source("hedm.read")
    grain_map = read_record(source.record_file, GrainMap)
    reference = read_record(work.source("link.balance").record_file, Reference)
    remarks: list[Remark] = []
    # what the materials had to assume is said once, by link.balance
    materials = materials_of_phases(grain_map.phases, work.table("electrolyte"), [])
    final = stressed_grain_map(
        grain_map,
        reference,
        state=source.label,
        materials=materials,
        definition=work.settings["hedm.strain_definition"],
    )
    if grain_map.error_source == "assumed":
        remarks.append(_remark_on_errors(grain_map, reference, source.label))
    write_record(work.folder / "record.h5", final)
    write_remarks(work.folder, remarks)


def stressed_grain_map(
    grain_map: GrainMap,
    reference: Reference,
    *,
    state: str,
    materials: Sequence[Material],
    definition: StrainDefinition = "infinitesimal",
) -> GrainMap:
    """Grain map with strain, stress, their random errors and the common modes.

    Parameters
    ----------
    grain_map
        As read: lattices, orientations and a covariance, no strain yet.
    reference
        Strain-free lattice of each phase in each state.
    state
        Name of the state, as the reference knows it.
    materials
        Material of each phase of the map, in their order.
    definition
        Which strain the lattices are turned into.

    Returns
    -------
    grain_map
        Where the errors were only assumed and tracked pairs show larger ones, those are taken and
        ``error_source`` becomes "estimated". Common modes: the reference lattice (the same for
        all states), the unknown radial stress of a die, the drift of this state, and with a given
        reference what scales all lattices as read.

    Raises
    ------
    InvalidValueError
        A strain above 5 percent, which no lattice holds: the wrong reference or a wrong unit.
    """
    row = reference.row(state)
    start = reference.lattice[row][grain_map.phase]
    strain = strain_from_lattice(
        grain_map.lattice, start, grain_map.orientation, definition=definition
    )
    check_strain(strain, grain_map, where=state)
    stiffness = stiffness_of_grains(materials, grain_map.phase)
    stress = stress_from_strain(strain, stiffness, grain_map.orientation)
    if np.any(reference.shift[row] != 0.0):
        stress = stress + reference.shift[row]
        strain = strain_from_stress(stress, stiffness, grain_map.orientation)
    covariance, source = _random_errors(grain_map, reference)
    derivative = stress_by_strain(stiffness, grain_map.orientation)
    spread = stress_covariance(covariance[:, 6:, 6:], derivative)
    return GrainMap(
        grain_id=grain_map.grain_id,
        position=grain_map.position,
        orientation=grain_map.orientation,
        lattice=grain_map.lattice,
        radius=grain_map.radius,
        completeness=grain_map.completeness,
        phase=grain_map.phase,
        phases=grain_map.phases,
        covariance=covariance,
        error_source=source,
        strain=strain,
        stress=stress,
        stress_covariance=spread,
        stress_hydrostatic=hydrostatic_from_stress(stress),
        stress_hydrostatic_se=hydrostatic_error(spread),
        stress_von_mises=von_mises_from_stress(stress),
        stress_von_mises_se=von_mises_error(stress, spread),
        common_modes=_common_modes(grain_map, stress, stiffness, reference, state),
    )


def check_strain(strain: FloatArray, grain_map: GrainMap, *, where: str) -> None:
    """Raise ``InvalidValueError`` where a strain component exceeds 5 percent."""
    largest = np.abs(strain).max(axis=(1, 2), initial=0.0)
    if np.any(largest > LARGEST_STRAIN):
        row = int(np.argmax(largest))
        raise InvalidValueError(
            f"grain {int(grain_map.grain_id[row])} is strained by {100.0 * largest[row]:.1f} %; "
            f"{int((largest > LARGEST_STRAIN).sum())} of {len(largest)} grains exceed 5 %",
            where=where,
            remedy="The lattice in the file's head is not that of these grains, or a lattice "
            "column has the wrong unit.",
        )


def _random_errors(grain_map: GrainMap, reference: Reference) -> tuple[FloatArray, str]:
    if grain_map.error_source != "assumed":
        return grain_map.covariance, grain_map.error_source
    widened = widened_covariance(
        grain_map.covariance,
        position=reference.noise_position,
        orientation=reference.noise_orientation,
        strain=reference.noise_strain,
    )
    same = np.array_equal(widened, grain_map.covariance)
    return widened, "assumed" if same else "estimated"


def _common_modes(
    grain_map: GrainMap,
    stress: FloatArray,
    stiffness: FloatArray,
    reference: Reference,
    state: str,
) -> tuple[CommonMode, ...]:
    row = reference.row(state)
    fall = -tensor_from_six(response_to_dilatation(stiffness, grain_map.orientation))
    if len(fall) and np.allclose(fall, fall[0], rtol=1e-12, atol=1e-9 * np.abs(fall).max()):
        fall = fall[:1]  # cubic: the same for every grain
    derivatives = {
        "strain": -np.eye(3)[None],
        "stress": fall,
        "stress_hydrostatic": hydrostatic_from_stress(fall),
        "stress_von_mises": von_mises_derivative(stress, fall),
    }
    rise = {name: -values for name, values in derivatives.items()}
    suffix = f" of {state}" if reference.mode == "state" else ""
    modes = [
        CommonMode(REFERENCE_MODE + suffix, float(reference.dilatation_se[row]), "1", derivatives)
    ]
    if reference.radial_se[row] > 0.0:
        modes.append(CommonMode(RADIAL_MODE, float(reference.radial_se[row]), "1", derivatives))
    if reference.drift_sigma > 0.0:
        modes.append(CommonMode(f"{DRIFT_MODE} {state}", reference.drift_sigma, "1", rise))
    if reference.mode == "given":
        # a reference from the same lattices shares what scales them all; a given one does not
        for mode in grain_map.common_modes:
            if "lattice" in mode.derivatives and len(grain_map):
                by_length = mode.derivatives["lattice"][:, :3] / grain_map.lattice[:, :3]
                relative = float(np.mean(by_length))
                scaled = {name: relative * values for name, values in rise.items()}
                modes.append(CommonMode(mode.name, mode.sigma, mode.unit, scaled))
    return tuple(modes)


def _remark_on_errors(grain_map: GrainMap, reference: Reference, state: str) -> Remark:
    variance = np.diagonal(grain_map.covariance, axis1=1, axis2=2)
    words = []
    for block, bound, factor, unit in (
        (slice(0, 3), reference.noise_position, 1.0, "um"),
        (slice(3, 6), reference.noise_orientation, 180.0 / np.pi, "deg"),
        (slice(6, 12), reference.noise_strain, 1.0, "strain"),
    ):
        assumed = float(np.sqrt(np.median(variance[:, block]))) * factor
        seen = f"{bound * factor:.2g}" if np.isfinite(bound) else "no tracked pairs"
        words.append(f"{assumed:.2g} {unit} (estimated {seen})")
    return Remark(
        "assumed",
        state,
        f"random standard errors per component are assumed: {', '.join(words)}; "
        "the larger is used. An estimate from tracked pairs holds real change as well as noise.",
    )
