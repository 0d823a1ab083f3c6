"""Steps frames.stitch, finds, assign and shown: the grains of all layers of a state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesolith.errors import EmptyFileError
from mesolith.hedm.frames_index import ASSIGNMENT
from mesolith.hedm.frames_layers import INSTRUMENT, STATION, layer_heights, sample_area
from mesolith.hedm.layer_finds import Layer, filled_shares
from mesolith.hedm.stitch import stitch_layers
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.station import StationCalibration
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks
from mesolith.records.indexed import IndexedGrains, SpotAssignment
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.spots import Spots

FINDS = "finds.h5"  # beside the grains: which find of which layer is part of which


def cost(work: Work) -> Cost:
    """Seconds for the 40,000 finds of nine layers."""
    layers = len(layer_heights(work.settings))
    return Cost(seconds=0.5 + layers, memory_bytes=500_000_000, disk_bytes=10_000_000 * layers)


def compute(work: Work) -> None:
    """Whole grains at their place in the sample, and beside them what each layer found."""
    heights = layer_heights(work.settings)
    area, height = sample_area(work.settings), _beam_height(work)
    found = [read_record(one.record_file, IndexedGrains) for one in work.inputs["frames.index"]]
    filled = filled_shares(np.array([np.nan if g.light is None else g.light for g in found]))
    layers = [
        Layer(middle, height, area * height * float(share), grains if len(grains) else None)
        for middle, share, grains in zip(heights, filled, found, strict=True)
    ]
    empty = [f"{layer.middle:g}" for layer in layers if layer.grains is None]
    if len(empty) == len(layers):
        raise EmptyFileError(
            f"none of {len(layers)} layers shows a grain",
            where=work.label,
            remedy="Are detector, electrolyte and frames.first_ring those of this measurement?",
        )
    stitched = stitch_layers(layers)
    write_record(work.folder / "record.h5", stitched.grains)
    write_record(work.folder / FINDS, stitched.finds)
    station = read_record(work.inputs["frames.index"][0].path / STATION, StationCalibration)
    write_record(work.folder / STATION, station)
    remarks = []
    if empty:
        text = f"the layers at {', '.join(empty)} um show no grain"
        remarks.append(Remark("warning", work.label, text))
    for layer, share in zip(layers, filled, strict=True):
        if share != 1.0:
            text = (
                f"the layer at {layer.middle:g} um has {100.0 * share:.0f} % of the light of a "
                "full one, and its grains are taken to fill that much of it: does the beam reach "
                "beyond the sample there, or was its exposure another?"
            )
            remarks.append(Remark("note", work.label, text))
    if len(layers) > 1:
        remarks += [Remark("note", work.label, text) for text in account(stitched.finds)]
    write_remarks(work.folder, remarks)


def compute_finds(work: Work) -> None:
    """What was found in each layer, as a record."""
    source = work.source("frames.stitch")
    write_record(work.folder / "record.h5", read_record(source.path / FINDS, LayerFinds))


def compute_assignment(work: Work) -> None:
    """The assignment of the spots of the layer with the most grains, to whole grains.

    Indices are those of the whole grain's lattice, which may be in another setting.
    """
    stitched = work.source("frames.stitch")
    finds = read_record(stitched.path / FINDS, LayerFinds)
    grains = read_record(stitched.record_file, IndexedGrains)
    here = finds.layer == finds.shown_layer
    count = int(finds.layer_grain_id[here].max()) + 1
    ids = np.zeros(count, dtype=np.int64)
    ids[finds.layer_grain_id[here]] = finds.grain_id[here]
    source = work.inputs["frames.index"][_shown_part(work, finds)]
    parts = read_record(source.record_file, IndexedGrains)
    setting = np.tile(np.eye(3), (count, 1, 1))
    whole = grains.lattice_vectors[ids[parts.grain_id]]
    setting[parts.grain_id] = np.rint(np.linalg.inv(parts.lattice_vectors) @ whole)
    assignment = read_record(source.path / ASSIGNMENT, SpotAssignment)
    hkl = np.einsum("nij,ni->nj", setting[assignment.grain_id], assignment.hkl)
    write_record(
        work.folder / "record.h5",
        replace(assignment, grain_id=ids[assignment.grain_id], hkl=hkl.astype(np.int64)),
    )


def parts_shown(work: Work) -> list[dict[str, int]]:
    """One part where there are several layers; the spots of a single one are a record already."""
    return [{}] if len(layer_heights(work.settings)) > 1 else []


def compute_shown(work: Work) -> None:
    """The spots of the layer with the most grains, as the record that figures and files show."""
    finds = read_record(work.source("frames.stitch").path / FINDS, LayerFinds)
    source = work.inputs["frames.spots"][_shown_part(work, finds)]
    write_record(work.folder / "record.h5", read_record(source.record_file, Spots))


def _shown_part(work: Work, finds: LayerFinds) -> int:
    """Number of the shown layer's part: layers count from below, parts in the files' order."""
    return int(np.argsort(layer_heights(work.settings), kind="stable")[finds.shown_layer])


def account(finds: LayerFinds) -> list[str]:
    """What a reader must know of grains cut by borders, in sentences."""
    found = (
        f"{len(finds):,} finds in {len(finds.layer_z)} layers are {finds.grains:,} grains: "
        f"{len(finds.lower):,} pairs of parts were joined over borders; by their own odds "
        f"{finds.expected_wrong:.1f} of these are wrong and {finds.expected_missed:.1f} others "
        f"were missed; {finds.cut_alone:,} finds are cut by a border and have no part beyond"
    )
    if not len(finds.lower):
        return [found]
    agreement = (
        f"two parts of a grain differ by {finds.turn_scale:.2f} +- {finds.turn_scale_se:.2f} "
        f"of their stated errors in orientation and {np.degrees(finds.turn_spread):.4f} deg "
        f"beside them, by {finds.strain_scale:.2f} +- {finds.strain_scale_se:.2f} in strain "
        f"and {finds.strain_spread:.1e} beside them"
    )
    return [found, agreement]


def _beam_height(work: Work) -> float:
    """Height of the beam, um: what indexing took for it."""
    instrument = read_record(work.inputs["frames.spots"][0].path / INSTRUMENT, Instrument)
    stated = instrument.beam.height
    given = float(work.settings["frames.beam_height_um"])
    return given if stated is None else min(given, stated)
