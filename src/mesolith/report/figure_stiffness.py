"""The same grains under the stiffness of two dopings, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.stiffness import StressUnderStiffness
from mesolith.records.style import (
    FAINT,
    INK,
    SERIES,
    axes_mm,
    house_style,
    letter,
    new_figure,
    wrapped,
)

# which percentiles make the whisker and the box
_BOX = ((0.5, 99.5, 0.8), (25.0, 75.0, 3.4))
_GPA = 1e-3


def draw(cell: Cell) -> Drawing | None:
    """Boxes of both kinds of stress by state and stiffness; None with fewer than two of them."""
    if StressUnderStiffness not in cell:
        return None
    found = cell[StressUnderStiffness]
    if len(found.material) < 2:
        return None
    with house_style():
        figure = new_figure(70.0)
        left = axes_mm(figure, 17, 19, 72, 47)
        right = axes_mm(figure, 106, 19, 72, 47)
        _boxes(left, found, found.hydrostatic, "hydrostatic stress (MPa)")
        _boxes(right, found, found.von_mises, "von Mises stress (MPa)")
        left.axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)
        right.set_ylim(bottom=0.0)
        letter(left, "a", left_mm=15.0, up_mm=-1.0)
        letter(right, "b", left_mm=14.0, up_mm=-1.0)
        figure.legend(
            *left.get_legend_handles_labels(),
            loc="lower center",
            ncols=len(found.material),
            columnspacing=1.5,
        )
    return Drawing(
        figure=figure,
        caption=_caption(found),
        how=(
            "The strain is measured; only the stiffness is exchanged, and a strain-free reference "
            "of its own is found from equilibrium for each. The other results of this report use "
            f"{found.material[found.used]}. Dixit et al. took the stiffness of Al-doped "
            "garnet for a Ta-doped sample."
        ),
        cite=(
            "Stiffness: S. Yu et al., Chem. Mater. 28, 197 (2016), 10.1021/acs.chemmater.5b03854",
        ),
        table=_table(found),
    )


def _caption(found: StressUnderStiffness) -> str:
    others = [k for k in range(len(found.material)) if k != found.used]
    told = []
    for k in others:
        rise = found.hydrostatic_spread[k] / found.hydrostatic_spread[found.used]
        length = found.von_mises_mean[k] / found.von_mises_mean[found.used]
        told.append(
            f"{_name(found, k)} makes the standard deviation of the hydrostatic stress "
            f"{_span(rise)} and the mean von Mises stress {_span(length)} times that of "
            f"{_name(found, found.used)}"
        )
    counts = ", ".join(f"{n:,}" for n in found.grains)
    return (
        "Stress under each stiffness: (a) hydrostatic, tension positive; (b) von Mises. Thin: 0.5 "
        "to 99.5 %, thick: 25 to 75 % of the grains, dot: median. "
        f"{'; '.join(told)}. The same grains make both, so noise does not enter these factors; "
        f"the values are as measured. Grains: {counts}."
    )


def _span(values: np.ndarray) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.3f}" if f"{low:.3f}" == f"{high:.3f}" else f"{low:.3f} to {high:.3f}"


def _name(found: StressUnderStiffness, k: int) -> str:
    return f"{found.material[k]} (bulk modulus {found.bulk_modulus[k] * _GPA:.1f} GPa)"


def _boxes(axes: Any, found: StressUnderStiffness, values: np.ndarray, label: str) -> None:
    x = np.arange(len(found.state), dtype=np.float64)
    count = len(found.material)
    percent = found.percent.tolist()
    middle = percent.index(50.0)
    for k in range(count):
        place = x + (k - (count - 1) / 2.0) * 0.5 / count
        colour = SERIES[k % len(SERIES)]
        for low, high, width in _BOX:
            ends = values[k][:, [percent.index(low), percent.index(high)]]
            axes.vlines(place, *ends.T, color=colour, linewidth=width, alpha=0.9)
        axes.plot(
            place, values[k][:, middle], "o", color="white", markeredgecolor=INK, markersize=2.8
        )
        axes.plot([], [], color=colour, linewidth=3, label=_name(found, k))
    axes.set_ylabel(label)
    axes.set_xticks(x, wrapped(found.state, 11), fontsize=6.5)
    axes.set_xlim(-0.5, len(x) - 0.5)


def _table(found: StressUnderStiffness) -> dict[str, Any]:
    """One row a material and state."""
    count, states = len(found.material), len(found.state)
    table: dict[str, Any] = {
        "material": np.repeat(np.array(found.material, dtype=str), states),
        "bulk_modulus_gpa": np.repeat(found.bulk_modulus * _GPA, states),
        "state": np.tile(np.array(found.state, dtype=str), count),
        "grains": np.tile(found.grains, count),
        "stress_hydrostatic_spread_mpa": found.hydrostatic_spread.ravel(),
        "stress_von_mises_mean_mpa": found.von_mises_mean.ravel(),
    }
    for name in ("hydrostatic", "von_mises"):
        for p, percent in enumerate(found.percent):
            column = f"stress_{name}_p{percent:g}_mpa".replace(".", "_")
            table[column] = getattr(found, name)[:, :, p].ravel()
    return table
