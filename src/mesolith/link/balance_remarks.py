"""What a reader of a reference must know, in sentences."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.pipeline.work import Remark
from mesolith.records.reference import Reference

_WHERE = "strain-free reference"
_LEAST_SHARE, _MOST_SHARE = 50.0, 120.0  # percent


def remarks_on(reference: Reference) -> list[Remark]:
    """Remarks on how the reference was found, what was assumed, and what it cannot say."""
    remarks = []
    hydrostatic_se = float(np.max(reference.dilatation_se * reference.stiffness_bulk))
    if reference.mode == "given":
        remarks.append(
            Remark(
                "assumed",
                _WHERE,
                "the material's own lattice was taken as strain-free; its error is unknown and in "
                "no interval. 100 ppm of it are "
                f"{1e-4 * float(reference.stiffness_bulk.mean()):.0f} MPa of hydrostatic stress.",
            )
        )
    else:
        first = 1e6 * float(reference.dilatation[0])
        remarks.append(
            Remark(
                "note",
                _WHERE,
                f"moved by {first:+.0f} ppm against the files' lattice by equilibrium "
                f"({reference.equilibrium}, {reference.lateral} sides); every hydrostatic stress "
                f"shares an error of {hydrostatic_se:.1f} MPa. Absolute stresses stand on this; "
                "differences between grains do not.",
            )
        )
    if reference.mode == "state":
        remarks.append(
            Remark(
                "warning",
                _WHERE,
                "each state has its own reference: the mean hydrostatic stresses of the states "
                "are equal to -p/3 by construction and no result.",
            )
        )
    elif len(reference.state) == 1:
        remarks.append(
            Remark(
                "note",
                _WHERE,
                "one state only: its mean hydrostatic stress is set by equilibrium and no result.",
            )
        )
    if reference.pressure_source == "assumed":
        remarks.append(
            Remark(
                "assumed",
                "conditions.stack_pressure_mpa",
                "no stack pressure is given; 0 MPa is assumed. Each MPa of it would shift every "
                "hydrostatic stress by -0.35 MPa.",
            )
        )
    if reference.lateral == "confined":
        width = float(np.max(reference.radial_se * reference.stiffness_bulk)) * np.sqrt(3.0)
        remarks.append(
            Remark(
                "note",
                "conditions.lateral",
                "the die's radial stress is unknown between none and the stack pressure: every "
                f"hydrostatic stress may be off by up to {width:.1f} MPa.",
            )
        )
    if reference.drift_sigma > 0.0:
        drift = reference.drift_sigma * float(reference.stiffness_bulk.mean())
        remarks.append(
            Remark(
                "warning",
                _WHERE,
                f"the states' means scatter by {drift:.0f} MPa beyond their errors, which "
                "equilibrium forbids: distance, energy or temperature drifted between states "
                f"({1e6 * reference.drift_sigma:.0f} ppm: so much of its distance a detector "
                "would have moved), and intervals are wider for it.",
            )
        )
    if reference.radius_source == "assumed":
        remarks.append(
            Remark(
                "assumed",
                _WHERE,
                f"radii are assumed to be right to {100.0 * reference.radius_scatter:.0f} % each: "
                "no tracked pairs tell it.",
            )
        )
    return [*remarks, *_on_volume(reference)]


def _on_volume(reference: Reference) -> list[Remark]:
    """What the found grains fill of the pellet, and where that cannot be."""
    shares = reference.indexed_share
    if not np.any(np.isfinite(shares)):
        if not np.any(reference.lost_share == 1.0):
            return []
        return [
            Remark(
                "assumed",
                _WHERE,
                "neither the size of the pellet nor tracked pairs tell how many grains were not "
                "found: the found ones count as a sample of a far larger body.",
            )
        ]
    lit = np.full(len(shares), np.nan) if reference.lit_share is None else reference.lit_share
    if np.all(np.isfinite(lit)):
        return [_on_lit_part(lit)]
    # where the beam lit a known part, that part is what the grains can fill
    filled = 100.0 * shares / np.where(np.isfinite(lit), lit, 1.0)
    text = f"the found grains fill {_span(filled)} % of the pellet's volume"
    if np.nanmin(filled) < _LEAST_SHARE or np.nanmax(filled) > _MOST_SHARE:
        text += (
            ", which does not fit: radii are in another scale, a part of the pellet was not "
            "measured, or cell.diameter_um and cell.thickness_um are not its size."
        )
        return [Remark("warning", _WHERE, text)]
    return [Remark("note", _WHERE, text + ".")]


def _on_lit_part(lit: FloatArray) -> Remark:
    """Radii that share the lit volume fill it by construction: only its own size can be wrong."""
    share = 100.0 * lit
    text = f"the beam lit {_span(share)} % of the pellet's volume"
    if share.max() > _MOST_SHARE:
        text += (
            ", which does not fit: layers were listed twice, frames.beam_height_um is not the "
            "beam's height, or cell.diameter_um and cell.thickness_um are not the pellet's size."
        )
        return Remark("warning", _WHERE, text)
    text += ", which its grains are taken to fill"
    if share.min() < _LEAST_SHARE:
        text += "; the stress of the rest is not known"
    return Remark("note", _WHERE, text + ".")


def _span(percent: FloatArray) -> str:
    low, high = float(np.nanmin(percent)), float(np.nanmax(percent))
    return f"{high:.0f}" if f"{low:.0f}" == f"{high:.0f}" else f"{low:.0f} to {high:.0f}"
