"""Step echem.critical_current: of stepped protocols, and whether a short is hard or soft.

A hard short takes most of the voltage away. A soft one takes a part, and the cell then looks
better than before: a fall of the resistance is called a short only where something else speaks
for it, and else named as what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.resistance import Course, course_of_series
from mesolith.echem.whole_cell import area_of, scaling_mode, whole_cell_of
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import write_record
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.cycling import Cycling
from mesolith.records.plating import CriticalCurrent, ShortSigns

_HARD = 0.5  # the resistance left, as a share, below which the short is hard
_SOFT = 0.95
_BETWEEN = 0.90  # from one half cycle to the next of the same direction, no sudden step seen
_CERTAIN = 5.0  # standard errors of a step
_RESTLESS = 2.0  # scatter against that of the half cycle before
_RESTLESS_CERTAIN = 3.0
_FEWEST = 12
_ENDS = 0.05  # share of the rows at either end in which no step is looked for
_RISING = 1.02
_ROUND_OFF = 1e-12


def compute(work: Work) -> None:
    """Write the `CriticalCurrent` over all half cycles of the cell, with remarks."""
    cell, area = whole_cell_of(work), area_of(work.settings)
    half = cell.cycling.half_cycles
    assert half is not None
    if len(half.step) == 0:
        write_record(work.folder / "record.h5", _nothing(area.relative))
        return
    found = critical_current(
        cell.cycling,
        area_m2=area.square_metre,
        area_se_m2=area.standard_error,
        states=cell.state,
    )
    write_record(work.folder / "record.h5", found)
    if found.kind == "unclear":
        text = (
            "the resistance falls, and nothing tells a soft short from a better contact: "
            + "; ".join(found.evidence)
        )
        write_remarks(work.folder, [Remark("warning", "critical current", text)])


def _nothing(relative: float) -> CriticalCurrent:
    """The record of a cell without half cycles."""
    nan = float("nan")
    return CriticalCurrent(
        kind="none",
        half_cycle=-1,
        lower=nan,
        upper=float("inf"),
        value=nan,
        value_se=nan,
        area_relative_se=relative,
        charge=0.0,
        evidence=("no half cycle was recorded",),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """The sharpest fall of the resistance in one half cycle.

    ``row`` of the series is the first after it, ``left`` the share of the resistance left,
    ``certainty`` the fall in units of its standard error.
    """

    row: int
    left: float
    certainty: float


@dataclass(frozen=True, slots=True)
class _Half:
    """One half cycle as this module sees it: resistance by time (ohm), and its course."""

    time: FloatArray
    resistance: FloatArray
    current: float
    course: Course


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one half cycle shows, and the numbers behind it (NaN: nothing to compare with)."""

    kind: str
    row: int | None
    words: tuple[str, ...]
    level: float
    left: float
    step: Step | None
    restlessness: float


def critical_current(
    cycling: Cycling,
    *,
    area_m2: float | None,
    area_se_m2: float = 0.0,
    states: Sequence[str] | None = None,
) -> CriticalCurrent:
    """Critical current density from half cycles of rising current.

    Parameters
    ----------
    cycling
        One record with all half cycles of the protocol, in order of time.
    area_m2, area_se_m2
        Area and its standard error, m2. None: densities are NaN.
    states
        Name of the state that holds each half cycle.

    The first half cycle with a hard or soft short bounds the critical current from above, the
    largest current passed before it from below. A filament needs time to cross: with short steps
    the true value for long ones is lower than what is found here.

    Evidence: hard - half of the resistance or more is gone, to the end. Soft - a sudden fall by
    more than 5 % at constant current (five standard errors, a parabola allowed for), or a fall
    by more than 10 % from the half cycle before in the same direction together with twice its
    scatter. A fall without either is "unclear". Where the same current had passed before, the
    cell failed by charge, and no critical current is stated.

    Raises `InvalidValueError` where there are no half cycles or the area is not above zero.
    """
    half = cycling.half_cycles
    if half is None or len(half.step) == 0:
        raise InvalidValueError(
            "the record holds no half cycles", remedy="Give the cycler file of the protocol."
        )
    if area_m2 is not None and not area_m2 > 0.0:
        raise InvalidValueError(f"an area of {area_m2:g} m2", remedy="Correct cell.area_mm2.")
    halves: list[_Half] = []
    seen: list[_Seen] = []
    for k in range(len(half.step)):
        rows = slice(int(half.first_row[k]), int(half.first_row[k] + half.rows[k]))
        now = _half(cycling, rows, float(half.current[k]))
        seen.append(_seen(now, halves))
        halves.append(now)
    area = float("nan") if area_m2 is None else area_m2
    signs = _signs(seen, halves, states)
    shorts = [k for k, found in enumerate(seen) if found.kind in ("hard", "soft")]
    if shorts:
        k = shorts[0]
        charge = float(np.sum(np.abs(half.charge[:k]))) + _passed(halves[k], seen[k].row)
        earlier = tuple(text for n in range(k) for text in _numbered(n, seen[n]))
        return _bracket(seen[k], k, halves, charge, area, area_se_m2, earlier, signs)
    unclear = [k for k, found in enumerate(seen) if found.words]
    currents = [abs(h.current) for h in halves]
    kind, first = ("unclear", unclear[0]) if unclear else ("none", -1)
    nan = float("nan")
    lower = max(currents[:first] if unclear else currents, default=0.0) / area
    relative = 0.0 if area_m2 is None else area_se_m2 / area_m2
    return CriticalCurrent(
        kind=kind,
        half_cycle=first,
        lower=lower,
        upper=float("inf"),
        value=nan,
        value_se=nan,
        area_relative_se=relative,
        charge=float(np.sum(np.abs(half.charge))),
        evidence=tuple(text for k in unclear for text in _numbered(k, seen[k])),
        signs=signs,
        common_modes=scaling_mode("area", relative, {"lower": -lower}),
    )


def _numbered(k: int, seen: _Seen) -> tuple[str, ...]:
    return tuple(f"half cycle {k + 1}: {text}" for text in seen.words)


def _signs(seen: list[_Seen], halves: list[_Half], states: Sequence[str] | None) -> ShortSigns:
    nan = float("nan")
    return ShortSigns(
        half_cycle=np.arange(len(seen)),
        state=("",) * len(seen) if states is None else tuple(states),
        current=np.array([h.current for h in halves]),
        kind=tuple("unclear" if s.kind == "none" and s.words else s.kind for s in seen),
        level=np.array([s.level for s in seen]),
        left=np.array([s.left for s in seen]),
        fall_left=np.array([nan if s.step is None else s.step.left for s in seen]),
        fall_certainty=np.array([nan if s.step is None else s.step.certainty for s in seen]),
        restlessness=np.array([s.restlessness for s in seen]),
        words=tuple("; ".join(s.words) for s in seen),
    )


def critical_current_interval(found: CriticalCurrent, level: float = 0.68) -> tuple[float, float]:
    """Central interval of a critical current density, A/m2: an even bracket and the area's error.

    NaN where the bracket is open.
    """
    if not np.isfinite(found.value):
        return float("nan"), float("nan")
    from scipy.special import ndtr

    def below(x: FloatArray) -> FloatArray:
        if spread == 0.0:
            return np.clip((x - found.lower) / width, 0.0, 1.0)
        u, v = (x - found.lower) / spread, (x - found.upper) / spread
        return np.asarray((_ramp(u, ndtr(u)) - _ramp(v, ndtr(v))) * spread / width)

    width = found.upper - found.lower
    spread = found.area_relative_se * found.value
    grid = np.linspace(found.lower - 6.0 * spread, found.upper + 6.0 * spread, 4001)
    ends = np.interp([0.5 - 0.5 * level, 0.5 + 0.5 * level], below(grid), grid)
    return float(ends[0]), float(ends[1])


def _ramp(u: FloatArray, tail: FloatArray) -> FloatArray:
    """Integral of the normal distribution up to u."""
    return np.asarray(u * tail + np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi), dtype=np.float64)


def sharpest_fall(time: FloatArray, resistance: FloatArray) -> Step | None:
    """The step down that describes a series best beside a parabola; None below 12 values.

    The certainty allows for the correlation of neighbours about parabola and step.
    """
    n = len(resistance)
    if n < _FEWEST:
        return None
    span = float(time[-1] - time[0])
    if span <= 0.0:
        return None
    basis, _ = np.linalg.qr(np.vander((time - time[0]) / span, 3, increasing=True))
    rest = resistance - basis @ (basis.T @ resistance)
    edge = max(3, int(_ENDS * n))
    rows = np.arange(edge, n - edge)
    # a step at each row, its parabola taken off, by sums from the end instead of a matrix
    tails = np.cumsum(basis[::-1], axis=0)[::-1][rows]
    power = (n - rows) - np.sum(tails**2, axis=1)
    heights = np.cumsum(rest[::-1])[::-1][rows] / power
    gains = np.where(heights < 0.0, heights**2 * power, 0.0)
    best = int(np.argmax(gains))
    left = rest - heights[best] * ((np.arange(n) >= rows[best]) - basis @ tails[best])
    variance = float(left @ left) / (n - 4)
    level = float(np.median(resistance[: rows[best]]))
    if level <= 0.0 or -heights[best] <= _ROUND_OFF * level:
        return None
    if variance <= (_ROUND_OFF * level) ** 2:
        certainty = np.inf
    else:
        r = float(np.clip((n * (left[1:] @ left[:-1]) / (left @ left) + 4.0) / (n - 6), 0.0, 0.98))
        certainty = np.sqrt(gains[best] / variance * (1.0 - r) / (1.0 + r))
    return Step(int(rows[best]), 1.0 + float(heights[best]) / level, float(certainty))


def _half(cycling: Cycling, rows: slice, current: float) -> _Half:
    time, voltage, flows = cycling.time[rows], cycling.voltage[rows], cycling.current[rows]
    good = np.isfinite(voltage) & (np.abs(flows) > 0.5 * abs(current))
    time, resistance = time[good], voltage[good] / flows[good]
    course = course_of_series(time, resistance * abs(current))
    return _Half(time, resistance, current, course)


def _seen(now: _Half, before: list[_Half]) -> _Seen:
    level = float(np.median(now.resistance)) if len(now.resistance) else float("nan")
    step = sharpest_fall(now.time, now.resistance)
    same = [h for h in before if h.current * now.current > 0.0 and len(h.resistance)]
    earlier = same[-1] if same else None
    left, ratio, certain = float("nan"), float("nan"), False
    if earlier is not None:
        left = level / float(np.median(earlier.resistance))
        ratio, certain = _restlessness(now, earlier)
    kind, row, words = _verdict(now, step, left, ratio if certain else None)
    return _Seen(kind, row, words, level, left, step, ratio)


def _verdict(
    now: _Half, step: Step | None, left: float, restless: float | None
) -> tuple[str, int | None, tuple[str, ...]]:
    """Kind of short, its row, and the words for it."""
    collapse = _collapse(now.resistance)
    if collapse is not None:
        after = now.resistance[collapse:]
        rest = float(np.median(after) / np.median(now.resistance[:collapse]))
        text = f"the voltage collapses under current and stays down: {rest:.0%} of it is left"
        return "hard", collapse, (text,)
    if left < _HARD:
        text = f"from its start {left:.0%} of the resistance of the half cycle before is left"
        return "hard", 0, (text,)
    words: list[str] = []
    certain = step is not None and step.certainty > _CERTAIN and step.left < _SOFT
    if step is not None and certain:
        words.append(
            f"the resistance falls suddenly to {step.left:.0%} at constant current "
            f"({min(step.certainty, 999.0):.0f} standard errors)"
        )
    if left < _BETWEEN:
        words.append(f"{left:.0%} of the resistance of the half cycle before is left")
    if step is not None and certain and _stays(now.resistance, step):
        return "soft", step.row, tuple(words)
    if certain:
        words[0] += ", and recovers"
    if left < _BETWEEN and restless is not None:
        text = f"the voltage scatters {restless:.1f} times as much as before, current allowed for"
        return "soft", 0, (*words, text)
    return "none", None, tuple(words)


def _stays(resistance: FloatArray, step: Step) -> bool:
    """Whether the second half of what follows a fall still lies below its middle."""
    after = resistance[step.row :]
    before = float(np.median(resistance[max(0, step.row - 10) : step.row]))
    return float(np.median(after[len(after) // 2 :])) < 0.5 * (1.0 + step.left) * before


def _collapse(resistance: FloatArray) -> int | None:
    """First row from which half of the resistance is gone to the end."""
    n = len(resistance)
    if n < _FEWEST:
        return None
    low = resistance < _HARD * float(np.median(resistance[: max(3, n // 4)]))
    if not low[-1]:
        return None
    start = n - int(np.argmin(low[::-1])) if not low.all() else 0
    return start if 3 <= start <= n - 3 else None


def _restlessness(now: _Half, earlier: _Half) -> tuple[float, bool]:
    """Scatter over that before, and whether it grew beyond what a larger current explains."""
    gain = max(1.0, abs(now.current / earlier.current))
    old, new = earlier.course.scatter * gain, now.course.scatter
    if not (np.isfinite(old) and np.isfinite(new)) or old <= 0.0:
        return float("nan"), False
    ratio = new / old
    if ratio < _RESTLESS:
        return ratio, False
    error = np.hypot(
        earlier.course.scatter_se / earlier.course.scatter, now.course.scatter_se / new
    )
    return ratio, bool(np.log(ratio) >= _RESTLESS_CERTAIN * error)


def _passed(now: _Half, row: int | None) -> float:
    if row is None or row == 0:
        return 0.0
    return abs(now.current) * float(now.time[row] - now.time[0])


def _bracket(
    seen: _Seen,
    k: int,
    halves: list[_Half],
    charge: float,
    area: float,
    area_se: float,
    earlier: tuple[str, ...],
    signs: ShortSigns,
) -> CriticalCurrent:
    most = max((abs(h.current) for h in halves[:k]), default=0.0)
    words = _numbered(k, seen) + earlier
    rising = abs(halves[k].current) > _RISING * most
    upper, passed = abs(halves[k].current) / area, most / area
    if not rising:
        text = (
            "the same current density had passed before: the cell failed by charge, and its "
            "critical current is not known"
        )
        words = (*words, text)
    nan = float("nan")
    lower = passed if rising else 0.0
    value = 0.5 * (passed + upper) if rising else nan
    relative = 0.0 if np.isnan(area) else area_se / area
    return CriticalCurrent(
        kind=seen.kind,
        half_cycle=k,
        lower=lower,
        upper=upper,
        value=value,
        value_se=(upper - passed) / np.sqrt(12.0) if rising else nan,
        area_relative_se=relative,
        charge=charge,
        evidence=words,
        signs=signs,
        common_modes=scaling_mode(
            "area", relative, {"lower": -lower, "upper": -upper, "value": -value}
        ),
    )
