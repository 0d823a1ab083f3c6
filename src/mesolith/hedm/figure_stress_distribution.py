"""Distribution of the grains' stresses in each state: violins with every grain as a point."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.style import BLUE, INK, RED, axes_mm, house_style, letter, new_figure, wrapped

_BINS = 400
_HALF_WIDTH = 0.42


def draw(cell: Cell) -> Drawing | None:
    """Violins of hydrostatic and von Mises stress by state; None without any stress."""
    names, hydrostatic, von_mises, errors = [], [], [], []
    for state, grains in cell.having(GrainMap):
        known = _finite(grains.stress_hydrostatic)
        if known.size and grains.stress_von_mises is not None:
            names.append(state.name)
            hydrostatic.append(known)
            von_mises.append(_finite(grains.stress_von_mises))
            errors.append((grains.stress_hydrostatic_se, grains.stress_von_mises_se))
    if not names:
        return None
    hydrostatic_se = _typical([pair[0] for pair in errors])
    von_mises_se = _typical([pair[1] for pair in errors])
    with house_style():
        figure = new_figure(112.0)
        upper = axes_mm(figure, 16, 63, 162, 44)
        lower = axes_mm(figure, 16, 11, 162, 44)
        _violins(upper, hydrostatic, BLUE, "hydrostatic stress (MPa)", hydrostatic_se)
        _violins(lower, von_mises, RED, "von Mises stress (MPa)", von_mises_se)
        upper.axhline(0.0, color=INK, linewidth=0.4, dashes=(4, 3), zorder=0)
        lower.set_ylim(bottom=0.0)
        upper.set_xticks(range(len(names)), [])
        labels = [
            f"{name}\nn = {len(v):,}"
            for name, v in zip(wrapped(names, 16), hydrostatic, strict=True)
        ]
        lower.set_xticks(range(len(names)), labels)
        letter(upper, "a", left_mm=15.0, up_mm=-1.0)
        letter(lower, "b", left_mm=15.0, up_mm=-1.0)
    counts = ", ".join(f"{len(v):,}" for v in hydrostatic)
    return Drawing(
        figure=figure,
        caption=(
            "Stress of every grain by state: (a) hydrostatic, tension positive; (b) von Mises. "
            "The width is the share of grains at that stress, the same scale in all states of a "
            "panel; each point is a grain. White: median with the middle half (25-75 %). The bar "
            "at the right of a panel is the median random standard error (68 %) of one grain. "
            f"Grains: {counts}."
        ),
        how=(
            "Densities are Gaussian kernel estimates with Silverman's robust bandwidth. A violin "
            "shows what was measured, so noise widens it; what shifts all grains of a state "
            "together (the strain-free reference) is left out here and drawn with the means."
        ),
        cite=(
            "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. 2",
            "Bandwidth: B. W. Silverman, Density Estimation (Chapman and Hall, 1986)",
        ),
        table=_table(names, hydrostatic, von_mises),
    )


def _finite(values: FloatArray | None) -> FloatArray:
    return np.zeros(0) if values is None else values[np.isfinite(values)]


def _typical(sigmas: list[FloatArray | None]) -> float | None:
    known = [sigma[np.isfinite(sigma)] for sigma in sigmas if sigma is not None]
    joined = np.concatenate(known) if known else np.zeros(0)
    return float(np.median(joined)) if joined.size else None


def density_on_grid(values: FloatArray, grid: FloatArray) -> FloatArray:
    """Gaussian kernel density of ``values`` on an even grid, from binned counts.

    Bandwidth 0.9 min(standard deviation, IQR/1.34) n^(-1/5) (Silverman 1986), at least one
    grid step. Integrates to one over an infinite grid.
    """
    step = grid[1] - grid[0]
    edges = np.append(grid - step / 2.0, grid[-1] + step / 2.0)
    counts = np.histogram(values, edges)[0] / (len(values) * step)
    quarter, three = np.percentile(values, [25, 75])
    spreads = [s for s in (float(np.std(values)), (three - quarter) / 1.34) if s > 0.0]
    bandwidth = max(0.9 * min(spreads, default=0.0) * len(values) ** -0.2, step)
    reach = min(int(np.ceil(4.0 * bandwidth / step)), (len(grid) - 1) // 2)
    offsets = np.arange(-reach, reach + 1) * step
    kernel = np.exp(-0.5 * (offsets / bandwidth) ** 2)
    return np.convolve(counts, kernel / kernel.sum(), mode="same")


def _violins(
    axes: Any, values: list[FloatArray], colour: str, label: str, error: float | None
) -> None:
    low = min(float(v.min()) for v in values)
    high = max(float(v.max()) for v in values)
    margin = 0.04 * (high - low) or 1.0
    grid = np.linspace(low - margin, high + margin, _BINS)
    densities = [density_on_grid(v, grid) for v in values]
    top = max(float(d.max()) for d in densities)
    for k, (v, density) in enumerate(zip(values, densities, strict=True)):
        width = _HALF_WIDTH * density / top
        seen = (grid >= v.min() - margin / 2) & (grid <= v.max() + margin / 2)
        axes.fill_betweenx(
            grid[seen], k - width[seen], k + width[seen], color=colour, alpha=0.22, linewidth=0
        )
        axes.plot(k - width[seen], grid[seen], color=colour, linewidth=0.6)
        axes.plot(k + width[seen], grid[seen], color=colour, linewidth=0.6)
        room = np.interp(v, grid, width)
        spread = np.maximum(room, 0.035)
        rank = np.argsort(np.argsort(v, kind="stable"), kind="stable")
        jitter = (2.0 * _even_fractions(len(v))[rank] - 1.0) * spread * 0.92
        axes.scatter(
            k + jitter,
            v,
            s=2.4 if len(v) < 5000 else 1.2,
            c=_inked(colour, room, len(v)),
            linewidths=0,
            rasterized=True,
        )
        quarter, median, three = np.percentile(v, [25, 50, 75])
        axes.plot([k, k], [quarter, three], color="white", linewidth=3.0, solid_capstyle="butt")
        axes.plot([k, k], [quarter, three], color=INK, linewidth=1.6, solid_capstyle="butt")
        axes.plot(k, median, "o", color="white", markeredgecolor=INK, markersize=3.4, mew=0.7)
    axes.set_xlim(-0.6, len(values) - 0.4 + 0.12)
    axes.set_ylim(grid[0], grid[-1])
    axes.set_ylabel(label)
    if error is not None:
        x, y = len(values) - 0.4, grid[0] + 0.86 * (grid[-1] - grid[0])
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


def _inked(colour: str, room: FloatArray, n: int) -> FloatArray:
    """Colours of the points: full where they are few, faint where the violin is wide."""
    from matplotlib.colors import to_rgb

    faint = float(np.clip(450.0 / n, 0.04, 0.3))
    alpha = np.clip(0.8 * (0.03 / np.maximum(room, 1e-9)), faint, 0.8)
    return np.column_stack([np.tile(to_rgb(colour), (len(room), 1)), alpha])


def _even_fractions(n: int) -> FloatArray:
    """Fractions in (0, 1) that fill it evenly in any order: multiples of the golden ratio."""
    return np.asarray((0.5 + np.arange(n) * 0.6180339887498949) % 1.0)


def _table(
    names: list[str], hydrostatic: list[FloatArray], von_mises: list[FloatArray]
) -> dict[str, Any]:
    percents = (0, 0.5, 2.5, 25, 50, 75, 97.5, 99.5, 100)
    table: dict[str, Any] = {
        "state": np.array(names, dtype=str),
        "grains": np.array([len(v) for v in hydrostatic]),
    }
    for word, values in (("hydrostatic", hydrostatic), ("von_mises", von_mises)):
        for percent in percents:
            column = f"stress_{word}_p{percent:g}_mpa".replace(".", "_")
            table[column] = np.array([np.percentile(v, percent) for v in values])
    return table
