"""Step frames.index: the grains of each layer, and which of its spots is whose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mesolith.errors import ContradictionError, EmptyFileError, SettingsError
from mesolith.hedm.calibrate_spots import corrected
from mesolith.hedm.frames_layers import STATION, layer_heights
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.indexed import index_spots
from mesolith.hedm.phase_rings import PhaseRings, phase_rings
from mesolith.hedm.ring_choice import rings_in_reach, rings_of_materials
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.station import StationCalibration
from mesolith.io.record_file import read_record, write_record
from mesolith.materials.loader import Material, load_material
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks
from mesolith.records.spots import Spots

ASSIGNMENT = "assignment.h5"  # beside the grains of a layer: whose its spots are
_AROUND = 100.0  # um, for a sample that is not centred


def parts(work: Work) -> list[dict[str, int]]:
    """One part a layer."""
    return [{"layer": layer} for layer in range(len(layer_heights(work.settings)))]


def cost(work: Work) -> Cost:
    """Some seconds for the 3,000 grains of a full layer."""
    return Cost(seconds=10.0, memory_bytes=1_500_000_000, disk_bytes=150_000_000)


def compute(work: Work) -> None:
    """Grains of one layer, and beside them the assignment of its spots.

    One of several layers may be empty, as one beyond the end of the sample is.
    """
    layer = int(work.selector["layer"])
    source = work.inputs["frames.spots"][layer]
    spots = read_record(source.record_file, Spots)
    station = read_record(work.source("frames.calibrate").record_file, StationCalibration)
    where = f"{work.label}, layer {layer + 1}"
    try:
        indexed = index_spots(
            corrected(spots, station),
            station.instrument,
            phases_of(work, station.instrument),
            settings_of_index(work.settings),
        )
    except ContradictionError as error:
        raise ContradictionError(error.what, where=where, remedy=error.remedy) from error
    only = len(layer_heights(work.settings)) == 1
    if only and not len(indexed.grains):
        raise EmptyFileError(
            f"none of {len(spots)} spots belongs to a grain that its spots make likelier than "
            "chance",
            where=where,
            remedy="Are detector, electrolyte and frames.first_ring those of this measurement? "
            "Fewer spots are expected with a higher frames.threshold.",
        )
    write_record(work.folder / "record.h5", indexed.grains)
    write_record(work.folder / ASSIGNMENT, indexed.assignment)
    write_record(work.folder / STATION, station)
    grains = indexed.grains
    below = int((grains.completeness < 0.7).sum())
    text = (
        f"{len(grains)} grains on {int(grains.spots.sum())} of {len(spots)} spots; "
        f"{below} with a completeness below 0.70"
    )
    write_remarks(work.folder, [Remark("note", where, text)])


def phases_of(work: Work, instrument: Instrument) -> tuple[PhaseRings, ...]:
    """The indexed rings of the electrolyte, and of its second phase where one is named."""
    return rings_of_materials(
        _electrolyte(work),
        electrolyte_material(work, "electrolyte.second_phase"),
        instrument,
        strongest=int(work.settings["frames.strongest"]),
        strain=float(work.settings["frames.strain"]),
        **_window(work),
    )


def rings_asked_for(work: Work, instrument: Instrument) -> PhaseRings:
    """The electrolyte's rings among which the strongest are indexed."""
    return rings_in_reach(_electrolyte(work), instrument, **_window(work))


def _window(work: Work) -> dict[str, Any]:
    count = work.settings["frames.rings"]
    return {
        "first_ring": int(work.settings["frames.first_ring"]),
        "count": None if count is None else int(count),
    }


def _electrolyte(work: Work) -> Material:
    material = electrolyte_material(work, "electrolyte.material")
    if material is None:
        raise SettingsError(
            "the electrolyte has no material, so its rings are not known",
            where="[electrolyte]",
            remedy='Add material = "LLZTO-I-43d", another library name, or a CIF file.',
        )
    return material


def main_spacings(work: Work, last: float) -> list[float]:
    """d of the electrolyte's rings from the innermost out to ``last``, angstrom."""
    material = _electrolyte(work)
    rings = phase_rings(
        material.name, material.space_group, material.lattice, d_min=last * (1.0 - 1e-6)
    )
    return rings.spacing.tolist()


def settings_of_index(settings: Mapping[str, Any]) -> IndexSettings:
    """Bounds of the search from [frames] and the size of the cell."""
    radius, diameter = settings["frames.sample_radius_um"], settings["cell.diameter_um"]
    if radius is None and diameter is None:
        raise SettingsError(
            "how far grains may lie from the rotation axis is not known",
            where="[frames]",
            remedy="Add cell.diameter_um, or frames.sample_radius_um.",
        )
    default = IndexSettings()
    return IndexSettings(
        sample_radius=0.5 * float(diameter) + _AROUND if radius is None else float(radius),
        height=float(settings["frames.beam_height_um"]),
        strain=float(settings["frames.strain"]),
        pole=math.radians(float(settings["frames.pole_deg"])),
        intensity_spread=float(settings["frames.intensity_spread"]),
        evidence=float(settings.get("frames.evidence", default.evidence)),
        least_completeness=float(settings.get("frames.completeness", 0.0)),
    )


def electrolyte_material(work: Work, key: str) -> Material | None:
    """The material of a key, its CIF where the user named one."""
    if key in work.inputs:
        return load_material(work.source(key).path)
    name = work.settings[key]
    return None if name is None else load_material(str(name))
