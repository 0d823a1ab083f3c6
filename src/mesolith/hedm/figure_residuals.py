"""How far spots lie from where their grains put them, round the detector and through the turn."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.indexed import SpotAssignment
from mesolith.records.style import (
    FAINT,
    INK,
    RED,
    SEQUENTIAL,
    axes_mm,
    house_style,
    letter,
    new_figure,
)

_BINS = 36
_FEWEST = 12
_ROWS = ("fast (px)", "slow (px)", "omega (deg)")


def draw(cell: Cell) -> Drawing | None:
    """Residuals of the first state whose spots were assigned to grains; None without one."""
    for state, assignment in cell.having(SpotAssignment):
        if len(assignment):
            return residuals_drawing(state.name, assignment)
    return None


def residuals_drawing(name: str, assignment: SpotAssignment) -> Drawing:
    """Residuals of fast, slow and omega against azimuth and rotation; at least one spot."""
    trusted = assignment.weight > 0.5
    if not trusted.any():
        trusted = np.ones(len(assignment), dtype=np.bool_)
    residual = assignment.residual[trusted] * [1.0, 1.0, 180.0 / np.pi]
    against = (np.rad2deg(assignment.eta[trusted]), np.rad2deg(assignment.omega[trusted]))
    spread = 1.4826 * np.median(np.abs(residual - np.median(residual, axis=0)), axis=0)
    waves: list[float] = []
    with house_style():
        figure = new_figure(128.0)
        for row in range(3):
            for column in range(2):
                axes = axes_mm(figure, 15 + 84 * column, 89 - 39 * row, 78, 34)
                wave = _panel(axes, against[column], residual[:, row], float(spread[row]))
                waves.append(wave)
                if row == 2:
                    axes.set_xlabel(("azimuth eta (deg)", "rotation omega (deg)")[column])
                else:
                    axes.set_xticklabels([])
                if column == 0:
                    axes.set_ylabel(_ROWS[row])
                else:
                    axes.set_yticklabels([])
                letter(axes, "abcdef"[2 * row + column], left_mm=14.0 - 11.0 * column, up_mm=-1.0)
    worst = max(waves)
    return Drawing(
        figure=figure,
        caption=(
            f"Observed less predicted place of {int(trusted.sum()):,} spots of {name}, against "
            "azimuth (left) and rotation (right). Shades: density of spots. Red: median of "
            f"every {360 // _BINS} degrees with its standard error. Half of the spots lie within "
            f"{0.6745 * spread[0]:.2f} px, {0.6745 * spread[1]:.2f} px and "
            f"{0.6745 * spread[2]:.3f} deg of the median. The medians swing by "
            f"{worst:.1f} of these spreads at most: a tilt, a centre or an axis that is wrong "
            "draws a wave of one or two periods here, a step of the frames that is wrong a "
            "straight rise of omega over the rotation; noise draws neither."
        ),
        how=(
            "Predictions are those of the refined grains; spots that count less than one half in "
            "the refinement, outliers and shared ones, are left out. The spread is 1.48 times the "
            "median distance from the median."
        ),
        cite=(),
        table={
            "eta_deg": against[0],
            "omega_deg": against[1],
            "residual_fast_px": residual[:, 0],
            "residual_slow_px": residual[:, 1],
            "residual_omega_deg": residual[:, 2],
        },
    )


def _panel(axes: Any, angle: FloatArray, residual: FloatArray, spread: float) -> float:
    """Draw one panel; how far the medians of the bins reach from their mean, in spreads."""
    from matplotlib.colors import LinearSegmentedColormap

    limit = 4.5 * spread if spread > 0.0 else 1.0
    low, high = float(angle.min()), float(angle.max())
    low, high = (-180.0, 180.0) if low >= -180.0 and high <= 180.0 else (0.0, 360.0)
    shades = LinearSegmentedColormap.from_list("density", ("#ffffff", *SEQUENTIAL[:1], "#4a4a4a"))
    counts, *_ = np.histogram2d(
        angle, residual, bins=(90, 45), range=((low, high), (-limit, limit))
    )
    top = float(np.quantile(counts[counts > 0], 0.98)) if np.any(counts > 0) else 1.0
    axes.imshow(
        counts.T, origin="lower", aspect="auto", extent=(low, high, -limit, limit),
        cmap=shades, vmin=0.0, vmax=top, interpolation="nearest", rasterized=True,
    )  # fmt: skip
    edges = np.linspace(low, high, _BINS + 1)
    which = np.digitize(angle, edges) - 1
    middle, height, error = [], [], []
    for k in range(_BINS):
        here = residual[which == k]
        if len(here) >= _FEWEST:
            middle.append(0.5 * (edges[k] + edges[k + 1]))
            height.append(float(np.median(here)))
            # the standard error of a median of normal numbers
            error.append(1.2533 * spread / np.sqrt(len(here)))
    axes.axhline(0.0, color=FAINT, linewidth=0.5, dashes=(4, 3))
    axes.errorbar(
        middle, height, yerr=error, fmt="o", ms=2.2, color=RED, ecolor=RED, elinewidth=0.7
    )
    axes.set_xlim(low, high)
    axes.set_ylim(-limit, limit)
    axes.set_xticks(np.linspace(low, high, 9)[1:-1])
    axes.spines[["top", "right"]].set_visible(True)
    axes.tick_params(color=INK)
    if not height or spread <= 0.0:
        return 0.0
    return float(np.abs(np.array(height) - np.mean(height)).max() / spread)
