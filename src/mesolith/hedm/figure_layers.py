"""What each layer of a sample found: how many grains, how much of each, and with how much light."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.style import BLUE, INK, RED, SKY, axes_mm, house_style, letter, new_figure


def draw(cell: Cell) -> Drawing | None:
    """Layers of the first state that has several; None without one."""
    for state, finds in cell.having(LayerFinds):
        if len(finds.layer_z) > 1:
            return layers_drawing(state.name, finds)
    return None


def layers_drawing(name: str, finds: LayerFinds) -> Drawing:
    """Finds of each layer, whole or parts of cut grains, their completeness, and what was lit."""
    count = len(finds.layer_z)
    cut = np.zeros(len(finds), dtype=np.bool_)
    cut[finds.lower] = cut[finds.upper] = True
    found = np.bincount(finds.layer, minlength=count)
    parts = np.bincount(finds.layer[cut], minlength=count)
    low, middle, high = _quantiles(finds)
    filled = _filled(finds)
    with house_style():
        figure = new_figure(62.0)
        numbers, seen, light = (axes_mm(figure, 17 + 58 * k, 12, 43, 42) for k in range(3))
        thick = 0.8 * float(np.diff(finds.layer_z).min())
        place = finds.layer_z
        numbers.barh(place, found - parts, height=thick, color=BLUE, label="whole grains")
        numbers.barh(
            place, parts, left=found - parts, height=thick, color=SKY, label="parts of grains"
        )
        numbers.set_xlabel("finds")
        numbers.xaxis.get_major_locator().set_params(integer=True)
        numbers.set_ylabel("middle of the layer (um)")
        numbers.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, columnspacing=1.0)
        seen.errorbar(
            middle, place, xerr=[middle - low, high - middle], fmt="o", ms=3.0, color=INK,
            elinewidth=0.8,
        )  # fmt: skip
        seen.axvline(0.70, color=RED, linewidth=0.8, dashes=(4, 3), zorder=0)
        seen.set_xlim(0.0, 1.02)
        seen.set_xlabel("found share of reflections")
        light.barh(place, filled, height=thick, color=BLUE)
        light.set_xlabel("filled share of the beam")
        light.set_xlim(0.0, max(1.05, 1.05 * float(np.nanmax(filled))))
        for axes, word in zip((numbers, seen, light), "abc", strict=True):
            _heights(axes, place, thick)
            letter(axes, word, up_mm=0.0)
    return Drawing(
        figure=figure,
        caption=(
            f"{len(finds):,} finds in {count} layers of {name} are {finds.grains:,} grains. (a) "
            f"Finds of each layer: whole grains, and parts of {len(np.unique(finds.grain_id[cut]))}"
            " grains that a border cuts and that were joined over it; "
            f"{finds.cut_alone:,} more are cut and have no part beyond. (b) Found share of the "
            "reflections, median and quartiles; the red line is the criterion of Dixit 2022. (c) "
            "How much of the beam's height the sample is taken to fill, by the light of all grains."
        ),
        how=(
            "Layers within a fifth of the light of the brighter half count as full. A layer that "
            "finds less, or less of each grain, was exposed otherwise, or reaches beyond the "
            "sample."
        ),
        cite=("Criterion: M. B. Dixit et al., Nature Materials 21, 1298 (2022)",),
        table={
            "layer_z_um": finds.layer_z,
            "finds": found,
            "parts_of_cut_grains": parts,
            "completeness_median": middle,
            "filled_share": filled,
        },
    )


def _quantiles(finds: LayerFinds) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Quartiles and median of the completeness of each layer (layers,), NaN without a find."""
    values = np.full((3, len(finds.layer_z)), np.nan)
    if finds.completeness is not None:
        for layer in np.unique(finds.layer):
            here = finds.completeness[finds.layer == layer]
            values[:, layer] = np.quantile(here, [0.25, 0.5, 0.75])
    return values[0], values[1], values[2]


def _filled(finds: LayerFinds) -> FloatArray:
    """Lit volume of each layer over that of the fullest (layers,)."""
    lit = finds.layer_volume
    if lit is None:
        return np.ones(len(finds.layer_z))
    return np.asarray(lit / lit.max())


def _heights(axes: Any, place: FloatArray, thick: float) -> None:
    axes.set_ylim(place.min() - 0.75 * thick, place.max() + 0.75 * thick)
    axes.set_yticks(place[:: max(1, len(place) // 5)])
