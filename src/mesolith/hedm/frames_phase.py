"""Steps frames.odds and frames.phase: which of two phases on one lattice each grain is.

The odds are weighed layer by layer; those of a grain that a border cuts are then put together.

Without a second phase in cell.toml, or with one on a lattice of its own, there is nothing to
weigh and the steps have no part.
"""

from __future__ import annotations

import numpy as np

from mesolith.crystal.polymorphs import claim_of_a_family
from mesolith.hedm.calibrate_spots import corrected
from mesolith.hedm.frames_index import electrolyte_material, settings_of_index
from mesolith.hedm.frames_layers import STATION, layer_heights
from mesolith.hedm.frames_stitch import FINDS
from mesolith.hedm.joined_odds import joined_odds
from mesolith.hedm.phase_counts import PAPER_SHARE, offsets_for_share
from mesolith.hedm.polymorph import phase_odds
from mesolith.hedm.two_phases import share_a_lattice
from mesolith.instrument.station import StationCalibration
from mesolith.io.record_file import read_record, write_record
from mesolith.materials.loader import Material
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks
from mesolith.records.indexed import IndexedGrains
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.phase_odds import PhaseOdds
from mesolith.records.spots import Spots

_UNIQUE_CLAIM = (1, 4, 1)  # which Dixit 2022 takes for a reflection of Ia-3d alone


def parts(work: Work) -> list[dict[str, int]]:
    """One part a layer where two phases share a lattice, else none."""
    if work.settings["electrolyte.second_phase"] is None or not share_a_lattice(*_phases(work)):
        return []
    return [{"layer": layer} for layer in range(len(layer_heights(work.settings)))]


def parts_joined(work: Work) -> list[dict[str, int]]:
    """One part where there are odds, else none."""
    return [{}] if parts(work) else []


def cost(work: Work) -> Cost:
    """Some seconds for the 3,000 grains of a full layer."""
    return Cost(seconds=15.0, memory_bytes=2_500_000_000, disk_bytes=2_000_000)


def compute(work: Work) -> None:
    """Odds of the two phases for the grains of one layer, with what they say."""
    layer = int(work.selector["layer"])
    source = work.inputs["frames.spots"][layer]
    indexed = work.inputs["frames.index"][layer]
    station = read_record(indexed.path / STATION, StationCalibration)
    spots = corrected(read_record(source.record_file, Spots), station)
    instrument = station.instrument
    grains = read_record(indexed.record_file, IndexedGrains)
    settings = settings_of_index(work.settings)
    diameter = work.settings["cell.diameter_um"]
    phases = _phases(work)
    odds = phase_odds(
        spots,
        instrument,
        grains,
        phases,
        sample_radius=settings.sample_radius if diameter is None else 0.5 * float(diameter),
        pole=settings.pole,
        strain=settings.strain,
    )
    write_record(work.folder / "record.h5", odds)
    where = f"{work.label}, layer {layer + 1}"
    remarks = [Remark("note", where, sentence_of_odds(odds))]
    remarks.append(
        Remark("note", where, sentence_of_counts(grains, phases, tolerance=settings.strain))
    )
    if {phase.space_group for phase in phases} == {220, 230}:
        claim = claim_of_a_family(_UNIQUE_CLAIM, 230, 220)
        remarks.append(
            Remark(
                "note",
                "electrolyte",
                f"Dixit 2022 names {{141}} a unique reflection of Ia-3d; by the space groups "
                f"{claim.sentence}",
            )
        )
    write_remarks(work.folder, remarks)


def compute_joined(work: Work) -> None:
    """Odds of the whole grains of a state."""
    stitched = work.source("frames.stitch")
    finds = read_record(stitched.path / FINDS, LayerFinds)
    grains = read_record(stitched.record_file, IndexedGrains)
    # layers of the finds are numbered from below, parts in the order of the files
    order = np.argsort(layer_heights(work.settings), kind="stable")
    layers = [read_record(work.inputs["frames.odds"][k].record_file, PhaseOdds) for k in order]
    odds = joined_odds(layers, finds, grains, tolerance=float(work.settings["frames.strain"]))
    write_record(work.folder / "record.h5", odds)
    if len(layers) > 1:
        write_remarks(work.folder, [Remark("note", work.label, sentence_of_odds(odds))])


def sentence_of_odds(odds: PhaseOdds) -> str:
    """How many grains are of which phase, and how many nobody can tell."""
    one, other = odds.phases.name
    of_one = int(np.sum(odds.decided & (odds.phase == 0)))
    of_other = int(np.sum(odds.decided & (odds.phase == 1)))
    text = (
        f"{of_one} grains are {one}, {of_other} are {other}, {len(odds) - of_one - of_other} "
        f"undecided; share of {other} {100.0 * odds.share:.2g} +- {100.0 * odds.share_se:.1g} %"
    )
    if not odds.family_factor.any():
        text += (
            "; no reflection that tells the phases apart is seen in any grain, so the share is an "
            "assumption"
        )
    return text


def sentence_of_counts(
    grains: IndexedGrains, phases: tuple[Material, Material], *, tolerance: float
) -> str:
    """What fitting one phase after the other and counting would say."""
    one, other = phases
    below, above = offsets_for_share(
        grains.lattice_vectors, grains.phases.lattice[0], tolerance=tolerance
    )
    return (
        f"fitted to {other.name} at the lattice parameter of {one.name}, every one of these "
        f"grains fits it on the rings of both; a lattice parameter off by {below:+.2%} or "
        f"{above:+.2%} leaves {PAPER_SHARE:.1%} of them (1,000 of 30,000), whatever their phase"
    )


def _phases(work: Work) -> tuple[Material, Material]:
    one = electrolyte_material(work, "electrolyte.material")
    other = electrolyte_material(work, "electrolyte.second_phase")
    assert one is not None
    assert other is not None
    return one, other
