"""Distribution of the grains' stresses in each state: violins with every grain as a point."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.elasticity import principal_stresses
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    RED,
    SKY,
    axes_mm,
    house_style,
    letter,
    new_figure,
    wrapped,
)
from mesolith.records.violin import draw_violins

_PRINCIPAL_COLOURS = [ORANGE, GREEN, SKY]


@dataclass(frozen=True, slots=True)
class _Samples:
    """Stresses of one state's grains, MPa; principal values from the most tensile on."""

    hydrostatic: FloatArray
    von_mises: FloatArray
    principal_1: FloatArray
    principal_2: FloatArray
    principal_3: FloatArray


def draw(cell: Cell) -> Drawing | None:
    """Violins of hydrostatic, von Mises and principal stress by state; None without any stress."""
    names, samples, errors = [], [], []
    for state, grains in cell.having(GrainMap):
        hydrostatic = _finite(grains.stress_hydrostatic)
        if hydrostatic.size and grains.stress_von_mises is not None and grains.stress is not None:
            names.append(state.name)
            known = np.all(np.isfinite(grains.stress), axis=(1, 2))
            principal = principal_stresses(grains.stress[known])
            von_mises = _finite(grains.stress_von_mises)
            samples.append(_Samples(hydrostatic, von_mises, *principal.T))
            errors.append((grains.stress_hydrostatic_se, grains.stress_von_mises_se))
    if not names:
        return None
    pressures = [s.hydrostatic for s in samples]
    with house_style():
        figure = new_figure(152.0)
        top, middle, low = (axes_mm(figure, 16, bottom, 162, 42) for bottom in (107, 60, 11))
        _panel(top, pressures, BLUE, "hydrostatic stress (MPa)")
        _panel(middle, [s.von_mises for s in samples], RED, "von Mises stress (MPa)")
        _principal_panel(low, samples)
        middle.set_ylim(bottom=0.0)
        for axes in (top, low):
            axes.axhline(0.0, color=INK, linewidth=0.4, dashes=(4, 3), zorder=0)
        for axes, name in zip((top, middle, low), "abc", strict=True):
            axes.set_xticks(range(len(names)), [])
            axes.set_xlim(-0.6, len(names) - 0.4 + 0.12)
            letter(axes, name, left_mm=15.0, up_mm=-1.0)
        _one_grain(top, _typical([pair[0] for pair in errors]))
        _one_grain(middle, _typical([pair[1] for pair in errors]))
        labels = [
            f"{name}\nn = {len(v):,}" for name, v in zip(wrapped(names, 16), pressures, strict=True)
        ]
        low.set_xticks(range(len(names)), labels)
    counts = ", ".join(f"{len(v):,}" for v in pressures)
    return Drawing(
        figure=figure,
        caption=(
            "Stress of every grain by state, tension positive: (a) hydrostatic; (b) von Mises; "
            "(c) principal values, from the most tensile to the most compressive. "
            "The width is the share of grains at that stress, the same scale in all states of a "
            "panel; each point is a grain. White: median with the middle half (25-75 %). The bar "
            "at the right of a panel is the median random standard error (68 %) of one grain. "
            f"Grains: {counts}."
        ),
        how=(
            "Densities are Gaussian kernel estimates with Silverman's robust bandwidth. A violin "
            "shows what was measured, so noise widens it, lengthens the von Mises stress and sets "
            "the principal values of a grain apart; what shifts all grains of a state "
            "together (the strain-free reference) is left out here and drawn with the means."
        ),
        cite=(
            "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. 2",
            "Bandwidth: B. W. Silverman, Density Estimation (Chapman and Hall, 1986)",
        ),
        table=_table(names, samples),
    )


def _finite(values: FloatArray | None) -> FloatArray:
    return np.zeros(0) if values is None else values[np.isfinite(values)]


def _typical(sigmas: list[FloatArray | None]) -> float | None:
    known = [sigma[np.isfinite(sigma)] for sigma in sigmas if sigma is not None]
    joined = np.concatenate(known) if known else np.zeros(0)
    return float(np.median(joined)) if joined.size else None


def _panel(axes: Any, values: list[FloatArray], colour: str, label: str) -> None:
    places = [float(k) for k in range(len(values))]
    draw_violins(axes, values, places=places, colours=[colour] * len(values))
    axes.set_ylabel(label)


def _principal_panel(axes: Any, samples: list[_Samples]) -> None:
    """Three slim violins a state."""
    values, places, colours = [], [], []
    for k, own in enumerate(samples):
        values += [own.principal_1, own.principal_2, own.principal_3]
        places += [k - 0.27, float(k), k + 0.27]
        colours += _PRINCIPAL_COLOURS
    draw_violins(axes, values, places=places, colours=colours, half_width=0.13)
    axes.set_ylabel("principal stress (MPa)")
    for colour, label in zip(_PRINCIPAL_COLOURS, ("largest", "middle", "smallest"), strict=True):
        axes.plot([], [], color=colour, linewidth=3, label=label)
    axes.legend(loc="lower right", ncols=3, bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)


def _one_grain(axes: Any, error: float | None) -> None:
    """Bar of the error of one grain at the right end of a panel."""
    if error is None:
        return
    low, high = axes.get_ylim()
    x, y = axes.get_xlim()[1] - 0.12, min(low + 0.86 * (high - low), high - error)
    y = max(y, 0.5 * (low + high))
    axes.errorbar(x, y, yerr=error, color=INK, linewidth=0.9, capsize=2.0, capthick=0.9)
    axes.annotate(
        f"one grain\n±{error:.0f} MPa",
        (x, y),
        xytext=(-5, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=6.5,
    )


def _table(names: list[str], samples: list[_Samples]) -> dict[str, Any]:
    percents = (0, 0.5, 2.5, 25, 50, 75, 97.5, 99.5, 100)
    table: dict[str, Any] = {
        "state": np.array(names, dtype=str),
        "grains": np.array([len(s.hydrostatic) for s in samples]),
    }
    for field in fields(_Samples):
        values = [getattr(own, field.name) for own in samples]
        for percent in percents:
            column = f"stress_{field.name}_p{percent:g}_mpa".replace(".", "_")
            table[column] = np.array([np.percentile(v, percent) for v in values])
    return table
