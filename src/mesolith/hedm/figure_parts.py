"""How well the two parts of grains that a border of layers cuts agree: how true the errors are."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.style import BLUE, INK, RED, axes_mm, house_style, letter, new_figure

_FEWEST = 20
_LIMIT, _BINS = 5.0, 41


def draw(cell: Cell) -> Drawing | None:
    """Agreement in the first state of several layers; None below twenty cut grains."""
    for state, finds in cell.having(LayerFinds):
        if len(finds.lower) >= _FEWEST:
            return parts_drawing(state.name, finds)
    return None


def parts_drawing(name: str, finds: LayerFinds) -> Drawing:
    """Differences of parts over their stated errors, in orientation and strain."""
    turn, strain = finds.turn / finds.turn_se, finds.strain / finds.strain_se
    with house_style():
        figure = new_figure(66.0)
        for column, values in enumerate((turn, strain)):
            axes = axes_mm(figure, 15 + 89 * column, 12, 74, 46)
            _panel(axes, values)
            quantity = ("orientation", "strain")[column]
            axes.set_xlabel(f"difference in {quantity}, stated standard errors")
            if column == 0:
                axes.set_ylabel("density")
                axes.legend(frameon=False, loc="upper left")
            letter(axes, "ab"[column], left_mm=13.0, up_mm=-1.0)
    joined = len(finds.lower)
    return Drawing(
        figure=figure,
        caption=(
            f"{len(finds):,} finds in {len(finds.layer_z)} layers of {name} are {finds.grains:,} "
            f"grains. The two parts of {joined:,} grains that a border cuts, one against the "
            "other: (a) each component of their rotation, (b) of their strain, over the error "
            "that is stated of the difference. If parts are alike and stated errors true, the "
            "steps follow the line. Fitted are true errors of most parts of "
            f"{_with_error(finds.turn_scale, finds.turn_scale_se)} times the stated ones in "
            f"orientation and {_with_error(finds.strain_scale, finds.strain_scale_se)} times in "
            f"strain, beside a real spread of {np.degrees(finds.turn_spread):.4f} deg and "
            f"{finds.strain_spread:.1e} of each component."
        ),
        how=(
            "Both parts come from different spots of different scans. Their differences are "
            "fitted as stated errors times a factor, with wider errors for a few, and a spread "
            "that is the same for all pairs beside them. A small part that really differs more "
            "than half a grain does counts as error and makes the factor too large; an error "
            "that is the same for all parts counts as spread and makes it too small. By their own "
            f"odds {finds.expected_wrong:.1f} joins are wrong and {finds.expected_missed:.1f} "
            "missed."
        ),
        cite=(),
        table={
            "grain_id": finds.grain_id[finds.lower],
            "probability": finds.probability,
            "turn_x_rad": finds.turn[:, 0],
            "turn_y_rad": finds.turn[:, 1],
            "turn_z_rad": finds.turn[:, 2],
            **{
                f"strain_{name}": finds.strain[:, column]
                for column, name in enumerate(("11", "22", "33", "23", "13", "12"))
            },
        },
    )


def _panel(axes: Any, values: FloatArray) -> None:
    edges = np.linspace(-_LIMIT, _LIMIT, _BINS + 1)
    inside = np.clip(values.ravel(), -_LIMIT, _LIMIT)
    axes.hist(
        inside, bins=edges.tolist(), density=True, histtype="stepfilled",
        facecolor="#dbe6f2", edgecolor=BLUE, linewidth=0.8, label="parts",
    )  # fmt: skip
    there = np.linspace(-_LIMIT, _LIMIT, 201)
    normal = np.exp(-0.5 * there**2) / np.sqrt(2.0 * np.pi)
    axes.plot(there, normal, color=RED, linewidth=1.0, label="errors as stated")
    axes.set_xlim(-_LIMIT, _LIMIT)
    axes.set_ylim(bottom=0.0)
    axes.tick_params(color=INK)


def _with_error(value: float, error: float) -> str:
    return f"{value:.2f} ± {error:.2f}" if np.isfinite(error) else f"{value:.2f}"
