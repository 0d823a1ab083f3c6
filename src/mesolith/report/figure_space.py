"""Has stress a direction, and are neighbours alike? Each tested, with what would have been seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.space import SpatialPattern, SpatialStatistics
from mesolith.records.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    axes_mm,
    house_style,
    letter,
    new_figure,
)
from mesolith.report.intervals import LEVEL, Z68, Z95, draw_estimate, known
from mesolith.report.lettering import chance, fitted, plain

_WORDS = {"hydrostatic": "hydrostatic stress", "von_mises": "von Mises stress"}
_AXES = (("x", BLUE), ("y", GREEN), ("z", ORANGE))
_MOST = 18  # fields that find room for one kind of stress
_TALLEST = 236.0  # mm
_BAND = "#e9e9e9"
_PER_MM = 1e3  # from MPa/um to MPa/mm


def draw(cell: Cell) -> Drawing | None:
    """Trend and likeness of each state and change; None where no field was tested."""
    if SpatialStatistics not in cell or not cell[SpatialStatistics].patterns:
        return None
    from matplotlib.ticker import MaxNLocator

    patterns = cell[SpatialStatistics].patterns
    for most in range(_MOST, 0, -1):
        shown = [_shown(pattern, most) for pattern in patterns]
        labels = [
            [fitted(p.field[k].replace(" to ", " → "), 41.0, size=6.5) for k in rows]
            for p, rows in zip(patterns, shown, strict=True)
        ]
        pitches = [[1.6 + 2.7 * (label.count("\n") + 1) for label in own] for own in labels]
        heights = [sum(own) for own in pitches]
        height = 11.5 + sum(heights) + 13.0 * len(patterns)
        if height <= _TALLEST:
            break
    with house_style():
        figure = new_figure(height)
        upper = height + 1.0
        for b, pattern in enumerate(patterns):
            upper -= 7.0
            lower = upper - heights[b]
            left = axes_mm(figure, 45.0, lower, 54.0, heights[b])
            right = axes_mm(figure, 116.0, lower, 46.0, heights[b])
            rows = np.cumsum(pitches[b]) - np.array(pitches[b]) / 2.0
            _trends(left, pattern, shown[b], rows, pitches[b])
            _likeness(right, pattern, shown[b], rows, pitches[b])
            for axes in (left, right):
                axes.set_ylim(heights[b], 0.0)
                axes.set_yticks(rows, labels[b] if axes is left else [""] * len(rows), fontsize=6.5)
                axes.xaxis.set_major_locator(MaxNLocator(5 if axes is left else 4))
                axes.tick_params(axis="y", length=0)
                axes.axvline(0.0, color=FAINT, linewidth=0.5, zorder=1)
            left.set_title(f"trend of the {_WORDS[pattern.quantity]}", loc="left")
            right.set_title("Moran's index of neighbours", loc="left")
            letter(left, "abcd"[2 * b], left_mm=43.0, up_mm=0.5)
            letter(right, "abcd"[2 * b + 1], left_mm=6.0, up_mm=0.5)
            upper = lower - 6.0
            if b == len(patterns) - 1:
                left.set_xlabel("slope (MPa/mm)")
                right.set_xlabel("Moran's index")
        _legend(figure)
    return Drawing(
        figure=figure,
        caption=_caption(patterns, sum(len(p.field) for p in patterns) - sum(map(len, shown))),
        how=(
            "Trend: a plane through the stress of all grains, tested for any direction at once; "
            "grains that are alike near each other do not count as independent. Moran's index: 0 "
            "where grains next to each other are no more alike than others, after the trend is "
            "taken out; tested by exchanging grains. The grey band is the size that would have "
            "been seen with a power of 80 % at 5 %, before the correction for many questions. "
            "p-values are corrected for all states and changes of one kind of stress."
        ),
        cite=(
            (
                "Statement that is tested: M. B. Dixit et al., Nature Materials 21, 1298 (2022), "
                "Fig. 5a"
            ),
        ),
        table=_table(patterns),
    )


def _shown(pattern: SpatialPattern, most: int) -> list[int]:
    """All fields, or those of the smallest p-values in their order where they are too many."""
    if len(pattern.field) <= most:
        return list(range(len(pattern.field)))
    p = np.minimum(pattern.trend_p, pattern.moran_p)
    return [int(k) for k in np.sort(np.argsort(p, kind="stable")[:most])]


def _trends(
    axes: Any, pattern: SpatialPattern, shown: list[int], rows: Any, pitches: list[float]
) -> None:
    for place, k in enumerate(shown):
        reach = _PER_MM * float(pattern.trend_detectable[k])
        _band(axes, reach, rows[place], pitches[place])
        for a, (_, colour) in enumerate(_AXES):
            error = _PER_MM * float(pattern.trend_se[k, a])
            value = _PER_MM * float(pattern.trend[k, a])
            sure = known(error, value)
            draw_estimate(
                axes,
                value,
                rows[place] + (a - 1) * 1.15,
                half68=Z68 * error if sure else np.nan,
                half95=Z95 * error if sure else np.nan,
                colour=colour,
                size=2.6,
            )
        _told(axes, pattern.trend_p_family[k], rows[place], can=_can_tell(pattern))


def _likeness(
    axes: Any, pattern: SpatialPattern, shown: list[int], rows: Any, pitches: list[float]
) -> None:
    for place, k in enumerate(shown):
        _band(axes, float(pattern.moran_detectable[k]), rows[place], pitches[place])
        value, error = float(pattern.moran[k]), float(pattern.moran_se[k])
        sure = known(error, value)
        draw_estimate(
            axes,
            value,
            rows[place],
            half68=Z68 * error if sure else np.nan,
            half95=Z95 * error if sure else np.nan,
            colour=PURPLE,
            size=3.2,
        )
        _told(axes, pattern.moran_p_family[k], rows[place], can=True)


def _can_tell(pattern: SpatialPattern) -> bool:
    """Whether slopes have errors: where too few grains are independent, nothing can be told."""
    return bool(np.any(np.isfinite(pattern.trend_detectable)))


def _band(axes: Any, reach: float, row: float, pitch: float) -> None:
    if np.isfinite(reach):
        sides = [row - 0.44 * pitch, row + 0.44 * pitch]
        axes.fill_betweenx(sides, -reach, reach, color=_BAND, linewidth=0, zorder=0)


def _told(axes: Any, p: float, row: float, *, can: bool) -> None:
    axes.text(
        1.02,
        row,
        chance(float(p)) if can else "cannot be told",
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize=6,
        color=INK if p < LEVEL else "#6d6d6d",
    )


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Line2D([], [], marker="o", color=colour) for _, colour in _AXES]
    names = [f"along {name}" for name, _ in _AXES]
    handles += [Line2D([], [], marker="o", color=PURPLE), Patch(facecolor=_BAND)]
    names += ["neighbours", "too small to be seen with a power of 80 %"]
    figure.legend(
        handles, names, loc="lower center", bbox_to_anchor=(0.5, 0.0), ncols=5, columnspacing=1.6
    )


def _caption(patterns: tuple[SpatialPattern, ...], left_out: int) -> str:
    first = patterns[0]
    text = (
        "Slope of a plane through the stress along x, y and z (left) and Moran's index of grains "
        f"no farther apart than {first.reach:.0f} µm (right), for each state and each change, "
        f"with 68 % (thick) and 95 % (thin) intervals, of {first.grains:,} grains followed "
        "through all states; p corrected, the trend's for any direction."
    )
    for pattern in patterns:
        text += f" {_WORDS[pattern.quantity].capitalize()}: {_verdict(pattern)}".replace(
            "Von mises", "Von Mises"
        )
    if left_out:
        text += f" {left_out} fields with larger p-values are left out; the table holds all."
    return text


def _verdict(pattern: SpatialPattern) -> str:
    """What the tests of one kind of stress say, in words."""
    if not _can_tell(pattern):
        trend = (
            f"{_parts(int(pattern.independent.max()))} cannot tell whether it has a direction "
            "(open points)"
        )
    else:
        seen = np.flatnonzero(pattern.trend_p_family < LEVEL)
        reach = _PER_MM * pattern.trend_detectable[np.isfinite(pattern.trend_detectable)]
        size = (
            f"{plain(reach.min(), 0)} to {plain(reach.max(), 0)} MPa/mm would have been seen with "
            "a power of 80 %"
        )
        if len(seen):
            best = seen[np.argmin(pattern.trend_p[seen])]
            slope, error = _PER_MM * pattern.trend[best], _PER_MM * pattern.trend_se[best]
            axis = int(np.argmax(np.abs(slope)))
            trend = (
                f"a trend in {len(seen)} of {len(pattern.field)} fields, most surely "
                f"{pattern.field[best]}: {plain(slope[axis])} ± {Z95 * error[axis]:.1f} MPa/mm "
                f"(95 %) along {'xyz'[axis]}; {size}"
            )
        else:
            trend = f"no preferred direction in any of {len(pattern.field)} fields; {size}"
    alike = int(np.sum(pattern.moran_p_family < LEVEL))
    return (
        f"{trend}; neighbours are alike or unlike beyond chance in {alike} of {len(pattern.field)}."
    )


def _parts(count: int) -> str:
    return f"{count} independent part{'' if count == 1 else 's'} of the pellet"


def _table(patterns: tuple[SpatialPattern, ...]) -> dict[str, Any]:
    table: dict[str, list[Any]] = {}
    for pattern in patterns:
        for k, field in enumerate(pattern.field):
            row: dict[str, Any] = {"stress": pattern.quantity, "field": field}
            for a, (name, _) in enumerate(_AXES):
                row[f"slope_{name}_mpa_mm"] = _PER_MM * pattern.trend[k, a]
                row[f"slope_{name}_mpa_mm_se"] = _PER_MM * pattern.trend_se[k, a]
            row |= {
                "slope_detectable_mpa_mm": _PER_MM * pattern.trend_detectable[k],
                "slope_p": pattern.trend_p[k],
                "slope_p_corrected": pattern.trend_p_family[k],
                "moran": pattern.moran[k],
                "moran_se": pattern.moran_se[k],
                "moran_detectable": pattern.moran_detectable[k],
                "moran_p": pattern.moran_p[k],
                "moran_p_corrected": pattern.moran_p_family[k],
                "grains": pattern.grains,
                "independent": pattern.independent[k],
                "judged_by": pattern.judged_by,
            }
            for name, value in row.items():
                table.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in table.items()}
