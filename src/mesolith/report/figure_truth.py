"""Recovered against true stress of a virtual cell, and whether the stated errors are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.style import BLUE, FAINT, INK, RED, axes_mm, house_style, letter, new_figure
from mesolith.records.truth import TrueGrains


@dataclass(frozen=True, slots=True)
class _Compared:
    """Grains of one state that stand in both tables."""

    state: str
    true: FloatArray
    found: FloatArray
    random: FloatArray
    total: FloatArray


def draw(cell: Cell) -> Drawing | None:
    """Scatter and pulls of the hydrostatic stress; None for a cell whose truth is not known."""
    states = [c for state in cell.states if (c := _compare(cell, state.name)) is not None]
    if not states:
        return None
    true = np.concatenate([c.true for c in states])
    found = np.concatenate([c.found for c in states])
    random = np.concatenate([c.random for c in states])
    total = np.concatenate([c.total for c in states])
    pull = (found - true) / total
    rms = float(np.sqrt(np.mean((found - true) ** 2)))
    with house_style():
        figure = new_figure(74.0)
        left = axes_mm(figure, 18, 12, 58, 58)
        right = axes_mm(figure, 104, 12, 72, 58)
        _scatter(left, true, found, float(np.median(random)))
        _pulls(right, pull)
        letter(left, "a", left_mm=16.0, up_mm=-2.0)
        letter(right, "b", left_mm=16.0, up_mm=-2.0)
    inside68, inside95 = (float(np.mean(np.abs(pull) < z)) for z in (0.9945, 1.96))
    return Drawing(
        figure=figure,
        caption=(
            f"This cell is virtual, so the truth is known. (a) Recovered against true hydrostatic "
            f"stress of {len(true):,} grains found in {len(states)} states; the root mean square "
            f"error is {rms:.1f} MPa, the median stated random error {np.median(random):.1f} MPa "
            f"(bar, 68 %). (b) Error over stated error, random and common part together: "
            f"{100 * inside68:.0f} % within the 68 % interval and {100 * inside95:.0f} % within "
            f"the 95 % interval."
        ),
        how=(
            "Grains are joined by the identity the simulator wrote down, never by the tracking; "
            "false grains and grains that were not found do not take part. The common part of the "
            "error (strain-free reference, load) is the same for all grains of a state, so it "
            "shifts the histogram as a whole."
        ),
        cite=(),
        table=_table(states),
        plot=None,
    )


def _compare(cell: Cell, name: str) -> _Compared | None:
    state = cell.state(name)
    if GrainMap not in state or TrueGrains not in state:
        return None
    grains, truth = state[GrainMap], state[TrueGrains]
    if grains.stress_hydrostatic is None or grains.stress_hydrostatic_se is None:
        return None
    _, row, true_row = np.intersect1d(grains.grain_id, truth.found_id, return_indices=True)
    common = np.zeros(len(grains))
    for mode in grains.common_modes:
        if "stress_hydrostatic" in mode.derivatives:
            common += (mode.sigma * mode.derivatives["stress_hydrostatic"]) ** 2
    random = grains.stress_hydrostatic_se
    total = np.sqrt(random**2 + common)
    good = np.isfinite(grains.stress_hydrostatic[row]) & (total[row] > 0.0)
    row, true_row = row[good], true_row[good]
    if not len(row):
        return None
    return _Compared(
        name,
        truth.stress_hydrostatic[true_row],
        grains.stress_hydrostatic[row],
        random[row],
        total[row],
    )


def _scatter(axes: Any, true: FloatArray, found: FloatArray, error: float) -> None:
    reach = 1.05 * float(max(np.abs(true).max(), np.abs(found).max()))
    axes.plot([-reach, reach], [-reach, reach], color=INK, linewidth=0.6, zorder=1)
    alpha = float(np.clip(1200.0 / len(true), 0.08, 0.6))
    axes.scatter(true, found, s=2.5, color=BLUE, alpha=alpha, linewidths=0, rasterized=True)
    place = 0.72 * reach
    axes.errorbar(place, -place, yerr=error, color=INK, linewidth=0.9, capsize=2.0)
    axes.annotate(
        f"±{error:.0f} MPa",
        (place, -place),
        xytext=(-5, 0),
        textcoords="offset points",
        ha="right",
        va="center",
    )
    axes.annotate(
        "equal",
        (0.86 * reach, 0.86 * reach),
        xytext=(-4, 3),
        ha="right",
        textcoords="offset points",
        fontsize=6.5,
    )
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.set_xlabel("true hydrostatic stress (MPa)")
    axes.set_ylabel("recovered hydrostatic stress (MPa)")


def _pulls(axes: Any, pull: FloatArray) -> None:
    edges = np.linspace(-4.5, 4.5, 46)
    clipped = np.clip(pull, edges[0], edges[-1])
    axes.hist(clipped, edges, density=True, color=BLUE, alpha=0.35, linewidth=0)
    z = np.linspace(-4.5, 4.5, 200)
    axes.plot(z, np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi), color=RED, label="standard normal")
    axes.axvline(0.0, color=FAINT, linewidth=0.6, zorder=0)
    axes.set_xlim(-4.5, 4.5)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("(recovered − true) / stated standard error")
    axes.set_ylabel("share of grains per unit")
    mean = f"{pull.mean():+.2f}".replace("-", "−")
    axes.text(
        0.03,
        0.97,
        f"mean {mean}\nstandard deviation {pull.std():.2f}\nn = {len(pull):,}",
        transform=axes.transAxes,
        va="top",
        fontsize=6.5,
    )
    axes.legend(loc="upper right", borderaxespad=0.0)


def _table(states: list[_Compared]) -> dict[str, Any]:
    pulls = [(c.found - c.true) / c.total for c in states]
    return {
        "state": np.array([c.state for c in states], dtype=str),
        "grains": np.array([len(c.true) for c in states]),
        "error_mean_mpa": np.array([np.mean(c.found - c.true) for c in states]),
        "error_rms_mpa": np.array([np.sqrt(np.mean((c.found - c.true) ** 2)) for c in states]),
        "stated_se_median_mpa": np.array([np.median(c.total) for c in states]),
        "inside_68_percent": np.array([100.0 * np.mean(np.abs(p) < 0.9945) for p in pulls]),
        "inside_95_percent": np.array([100.0 * np.mean(np.abs(p) < 1.96) for p in pulls]),
    }
