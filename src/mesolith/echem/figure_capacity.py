"""Plated capacity against device targets, and the critical current with its evidence."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.critical_current import critical_current_interval
from mesolith.echem.half_cycle_axis import (
    SHORT_WORDS,
    directions,
    failure_of,
    half_cycle_axis,
    logarithmic,
    mark_short,
    short_handle,
)
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.plating import CriticalCurrent, DeviceTargets, PlatedCapacity, ShortSigns
from mesolith.records.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    RED,
    axes_mm,
    house_style,
    letter,
    new_figure,
)
from mesolith.units import from_internal

_Z95 = 1.959964
_COLOURS = {"met": GREEN, "not met": RED, "open": FAINT}
_FACE = {"hard": RED, "soft": ORANGE, "unclear": "#f3d7a2", "none": BLUE}
# left, bottom, width and height in mm
_BOXES = {
    "capacity": (16, 74, 66, 34),
    "targets": (128, 74, 46, 34),
    "current": (16, 24, 66, 34),
    "signs": (108, 24, 66, 34),
}
_BOXES_WITHOUT_AREA = {
    "capacity": (16, 74, 66, 34),
    "current": (108, 74, 66, 34),
    "signs": (16, 24, 158, 34),
}
_CERTAIN = 5.0  # standard errors of a fall that is drawn
_WORDS = 3  # lines of evidence in a caption


def draw(cell: Cell) -> Drawing | None:
    """Capacity, targets, current density and the signs of a short, half cycle by half cycle."""
    if PlatedCapacity not in cell:
        return None
    found, failure = cell[PlatedCapacity], failure_of(cell)
    count = len(found.half_cycle)
    if count == 0:
        return None
    per_area = bool(np.any(np.isfinite(found.areal)))
    signs = None if failure is None else failure.signs
    boxes = _BOXES if per_area and found.targets is not None else _BOXES_WITHOUT_AREA
    with house_style():
        figure = new_figure(116.0)
        panels = {name: axes_mm(figure, *box) for name, box in boxes.items()}
        _cumulative(panels["capacity"], found, per_area)
        _densities(panels["current"], found, failure, signs, per_area)
        if found.targets is not None and "targets" in panels:
            _targets(panels["targets"], found.targets)
        if signs is None:
            panels.pop("signs").remove()
        else:
            _shares(panels["signs"], signs)
        for mark, (name, axes) in zip("abcd", panels.items(), strict=False):
            letter(axes, mark, left_mm=42.0 if name == "targets" else 14.0, up_mm=1.0)
            if name != "targets":
                half_cycle_axis(axes, count, labelled=True)
                mark_short(axes, failure)
        _legend(figure, ("c", "d") if "targets" in panels else ("b", "c"), signs, failure)
    return Drawing(
        figure=figure,
        caption=_caption(found, failure, per_area),
        how=(
            "Each half cycle plates on one electrode what it strips from the other, so that "
            "charges count without sign. A hard short takes half of the resistance or more, to "
            "the end; a soft one is a sudden fall by more than 5 % at constant current, or a fall "
            "by more than 10 % from the half cycle before in the same direction together with "
            "twice its scatter; a fall without either is unclear. The critical current lies "
            "between the largest current passed before and that of the short; its interval takes "
            "all values between them as equally likely and adds the area's error. A target within "
            "two standard errors of the value is open, and so is a sum that still grows."
        ),
        cite=("Targets: K. B. Hatzell et al. 2020, 10.1021/acsenergylett.9b02668",),
        table=_table(found, failure, signs),
    )


def _cumulative(axes: Any, found: PlatedCapacity, per_area: bool) -> None:
    number = np.concatenate([[0.5], found.half_cycle + 1.5])
    if per_area:
        values = np.asarray(from_internal(np.asarray(found.cumulative), "mAh/cm2"))
        before = from_internal(found.before_failure, "mAh/cm2")
        axes.set_ylabel("plated in all (mAh/cm²)")
    else:
        values = np.asarray(from_internal(np.cumsum(found.charge), "mAh"))
        before = from_internal(found.charge_before_failure, "mAh")
        axes.set_ylabel("passed in all (mAh)")
    values = np.concatenate([[0.0], values])
    axes.plot(number, values, color=INK, linewidth=1.0)
    if found.relative_se > 0.0:
        width = _Z95 * found.relative_se * values
        axes.fill_between(
            number, values - width, values + width, color=INK, alpha=0.15, linewidth=0.0
        )
    if found.failed_in >= 0:
        axes.axhline(before, color=RED, linewidth=0.8, dashes=(4, 2))
        axes.annotate(
            f"{before:.3g} before failure",
            (0.02, before),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            fontsize=6.5,
            color=RED,
        )
    axes.set_ylim(0.0, 1.12 * float(values.max()))
    axes.locator_params(axis="y", nbins=5)


def _targets(axes: Any, targets: DeviceTargets) -> None:
    """What was reached over the target on a logarithmic axis, 95 % intervals."""
    from matplotlib.ticker import LogLocator, NullFormatter

    rows = np.arange(len(targets.name))[::-1]
    share = np.asarray(targets.reached / targets.target)
    width = _Z95 * np.asarray(targets.reached_se / targets.target)
    shown = share[np.isfinite(share) & (share > 0.0)]
    low = 0.5 * float(shown.min()) if len(shown) else 0.1
    axes.set_xscale("log")
    axes.set_xlim(min(0.3, low), max(3.0, 2.0 * float(shown.max())) if len(shown) else 3.0)
    axes.axvline(1.0, color=INK, linewidth=0.8)
    for row, value, error, verdict in zip(rows, share, width, targets.verdict, strict=True):
        if np.isfinite(value) and value > 0.0:
            axes.errorbar(
                [value],
                [row],
                xerr=[[min(error, 0.98 * value)], [error]],
                fmt="o" if verdict != "open" else "D",
                color=_COLOURS[verdict],
                elinewidth=1.0,
            )
    words = [
        f"{_wrapped(name)}\n{_number(reached)} of {target:g} {_spelled(unit)}: {verdict}"
        for name, unit, target, reached, verdict in zip(
            targets.name,
            targets.unit,
            targets.target,
            targets.reached,
            targets.verdict,
            strict=True,
        )
    ]
    axes.set_yticks(rows, words, fontsize=6.0)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if low < 0.1 else (1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("reached over target")


def _wrapped(name: str) -> str:
    return name.replace("share of the lithium passed per cycle", "lithium passed per cycle")


def _spelled(unit: str) -> str:
    return {"mAh/cm2": "mAh/cm²", "mA/cm2": "mA/cm²", "percent": "%"}.get(unit, unit)


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "unknown"


def _densities(
    axes: Any,
    found: PlatedCapacity,
    failure: CriticalCurrent | None,
    signs: ShortSigns | None,
    per_area: bool,
) -> None:
    number = found.half_cycle + 1
    if per_area:
        values = np.asarray(from_internal(np.asarray(found.current_density), "mA/cm2"))
        axes.set_ylabel("current density (mA/cm²)")
    elif signs is not None:
        unit, word = ("mA", "mA") if float(np.max(np.abs(signs.current))) >= 1e-3 else ("uA", "µA")
        values = np.asarray(from_internal(np.abs(signs.current), unit))
        axes.set_ylabel(f"current ({word})")
    else:
        return
    current = values if signs is None else signs.current
    for rows, colour, marker, _ in directions(current):
        axes.plot(number[rows], values[rows], marker=marker, color=colour, linestyle="none")
    axes.set_ylim(0.0, 1.25 * float(np.nanmax(values)))
    axes.locator_params(axis="y", nbins=5)
    if failure is None or not np.isfinite(failure.value):
        return
    low, high = (from_internal(end, "mA/cm2") for end in critical_current_interval(failure, 0.95))
    value = from_internal(failure.value, "mA/cm2")
    axes.axhspan(low, high, color=FAINT, alpha=0.25, linewidth=0.0, zorder=0)
    axes.axhline(value, color=INK, linewidth=0.8, dashes=(4, 2), zorder=0)


def _shares(axes: Any, signs: ShortSigns) -> None:
    """Resistance as a share of the half cycle before in the same direction, by kind."""
    number = signs.half_cycle + 1
    shown = np.isfinite(signs.left)
    for kind, face in _FACE.items():
        rows = shown & np.array([k == kind for k in signs.kind])
        axes.plot(
            number[rows],
            signs.left[rows],
            marker="o",
            color=face,
            markeredgecolor=INK,
            markeredgewidth=0.4,
            linestyle="none",
        )
        # the first in its direction has nothing to compare with: its fall starts from one
        for k in np.flatnonzero([found == kind for found in signs.kind]) if kind != "none" else ():
            if signs.fall_certainty[k] > _CERTAIN:
                start = float(signs.left[k]) if shown[k] else 1.0
                end = start * float(np.clip(signs.fall_left[k], 0.0, 1.0))
                axes.plot([number[k]] * 2, [start, end], color=face, linewidth=1.2, marker="_")
    for level, dashes in ((1.0, (None, None)), (0.9, (4, 2)), (0.5, (1, 2))):
        axes.axhline(level, color=INK, linewidth=0.5, dashes=dashes, zorder=0)
    known = signs.left[shown & (signs.left > 0.0)]
    if len(known) and float(known.max()) > 20.0 * float(known.min()):
        logarithmic(axes, 0.7 * float(known.min()), 1.5 * float(known.max()))
    else:
        axes.set_ylim(0.0, max(1.3, 1.1 * float(known.max())) if len(known) else 1.3)
    axes.set_ylabel("resistance over\nthat before")


def _legend(
    figure: Any, marks: tuple[str, str], signs: ShortSigns | None, failure: CriticalCurrent | None
) -> None:
    from matplotlib.lines import Line2D

    current, below = marks
    found: list[tuple[Any, str]] = []
    if signs is not None:
        for _, colour, marker, word in directions(signs.current):
            handle = Line2D([], [], color=colour, marker=marker, linestyle="none")
            found.append((handle, f"{current}: {word}"))
    if failure is not None and np.isfinite(failure.value):
        handle = Line2D([], [], color=INK, dashes=(4, 2))
        found.append((handle, f"{current}: critical current, 95 %"))
    found += short_handle(failure)
    if signs is not None:
        found.append((Line2D([], [], color=INK, dashes=(4, 2)), f"{below}: fall of a tenth"))
        found.append((Line2D([], [], color=INK, linestyle=":"), f"{below}: fall of a half"))
        for kind in [kind for kind in _FACE if kind in signs.kind]:
            handle = Line2D([], [], color=_FACE[kind], marker="o", linestyle="none")
            found.append((handle, f"{below}: {SHORT_WORDS.get(kind, 'no sign of a short')}"))
    handles, names = [h for h, _ in found], [n for _, n in found]
    figure.legend(handles, names, loc="lower left", bbox_to_anchor=(0.07, 0.0), ncols=5)


def _caption(found: PlatedCapacity, failure: CriticalCurrent | None, per_area: bool) -> str:
    count = len(found.half_cycle)
    noun = "half cycle" if count == 1 else "half cycles"
    text = f"a, charge passed in n = {count} {noun}, both directions. "
    if per_area:
        text += "b, what the cell reached over the device targets of Hatzell et al. with 95 % "
        text += "intervals of area and current" + (
            ". " if found.relative_se > 0.0 else ", whose errors are not given: no bars. "
        )
        text += "Half cycles count up to the failing one. "
    else:
        text += "No area is given: nothing is stated per area, and no target can be judged. "
    current, below = ("c", "d") if per_area else ("b", "c")
    text += f"{current}, current of each half cycle. {below}, median resistance over that of the "
    text += "half cycle before in the same direction; a bar below it: its sharpest fall. "
    return text + _verdict(failure, per_area)


def _verdict(failure: CriticalCurrent | None, per_area: bool) -> str:
    if failure is None:
        return ""
    if failure.kind == "none":
        text = "No half cycle shows a short"
        if per_area and np.isfinite(failure.lower):
            text += (
                ": the critical current lies above "
                f"{from_internal(failure.lower, 'mA/cm2'):.3g} mA/cm², for half cycles as long as "
                "these"
            )
        return f"{text}."
    name = SHORT_WORDS[failure.kind]
    text = f"Shaded: {name} in half cycle {failure.half_cycle + 1}. "
    if np.isfinite(failure.value):
        low, high = (from_internal(e, "mA/cm2") for e in critical_current_interval(failure, 0.68))
        text += (
            f"Critical current {from_internal(failure.value, 'mA/cm2'):.3g} mA/cm² (68 %: "
            f"{low:.3g} to {high:.3g}). "
        )
    evidence = "; ".join(failure.evidence[:_WORDS])
    more = len(failure.evidence) - _WORDS
    tail = f"; {more} more in tables/cell_criticalcurrent.csv" if more > 0 else ""
    return f"{text}Evidence: {evidence}{tail}."


def _table(
    found: PlatedCapacity, failure: CriticalCurrent | None, signs: ShortSigns | None
) -> dict[str, Any]:
    nan = np.full(len(found.half_cycle), np.nan)

    def scaled(values: FloatArray, unit: str) -> FloatArray:
        return np.asarray(from_internal(np.asarray(values), unit))

    areal = scaled(found.areal, "mAh/cm2")
    table: dict[str, Any] = {
        "half_cycle": found.half_cycle + 1,
        "state": np.array(found.state),
        "charge_mah": scaled(found.charge, "mAh"),
        "current_density_ma_cm2": scaled(found.current_density, "mA/cm2"),
        "areal_mah_cm2": areal,
        "areal_mah_cm2_common_se": areal * found.relative_se,
        "cumulative_mah_cm2": scaled(found.cumulative, "mAh/cm2"),
        "fraction_passed": found.fraction_passed,
        "resistance_over_before": nan if signs is None else signs.left,
        "sharpest_fall_left": nan if signs is None else signs.fall_left,
        "sharpest_fall_certainty": nan if signs is None else signs.fall_certainty,
        "restlessness": nan if signs is None else signs.restlessness,
        "kind": np.array([""] * len(nan) if signs is None else signs.kind),
    }
    if failure is not None:
        ends = critical_current_interval(failure, 0.68) + critical_current_interval(failure, 0.95)
        for name, value in zip(
            ("", "_low68", "_high68", "_low95", "_high95"), (failure.value, *ends), strict=True
        ):
            density = from_internal(float(value), "mA/cm2")
            table[f"critical_current{name}_ma_cm2"] = np.full(len(nan), density)
    return table
