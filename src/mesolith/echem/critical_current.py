"""Critical current density of stepped protocols, and whether a short is hard or soft.

A hard short takes most of the voltage away. A soft one takes a part, and the cell then looks
better than before: a fall of the resistance is called a short only where something else speaks
for it, and else named as what it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.resistance import Course, course_of_series
from mesolith.errors import InvalidValueError
from mesolith.records.cycling import Cycling
from mesolith.records.plating import CriticalCurrent

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
    kind: str
    row: int | None
    words: tuple[str, ...]


def critical_current(
    cycling: Cycling, *, area_m2: float, area_se_m2: float = 0.0
) -> CriticalCurrent:
    """Critical current density from half cycles of rising current.

    Parameters
    ----------
    cycling
        One record with all half cycles of the protocol, in order of time.
    area_m2, area_se_m2
        Area and its standard error, m2.

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
    if not area_m2 > 0.0:
        raise InvalidValueError(f"an area of {area_m2:g} m2", remedy="Correct cell.area_mm2.")
    before: list[_Half] = []
    unclear: list[tuple[int, str]] = []
    for k in range(len(half.step)):
        rows = slice(int(half.first_row[k]), int(half.first_row[k] + half.rows[k]))
        now = _half(cycling, rows, float(half.current[k]))
        seen = _seen(now, before)
        if seen.kind in ("hard", "soft"):
            charge = float(np.sum(np.abs(half.charge[:k]))) + _passed(now, seen.row)
            earlier = tuple(text for _, text in unclear)
            return _bracket(seen, k, now, before, charge, area_m2, area_se_m2, earlier)
        unclear += [(k, f"half cycle {k + 1}: {text}") for text in seen.words]
        before.append(now)
    largest = max(abs(h.current) for h in before) / area_m2
    nan = float("nan")
    kind, first = ("unclear", unclear[0][0]) if unclear else ("none", -1)
    lower = max((abs(h.current) for h in before[:first]), default=0.0) / area_m2
    return CriticalCurrent(
        kind=kind,
        half_cycle=first,
        lower=largest if kind == "none" else lower,
        upper=float("inf"),
        value=nan,
        value_se=nan,
        area_relative_se=area_se_m2 / area_m2,
        charge=float(np.sum(np.abs(half.charge))),
        evidence=tuple(text for _, text in unclear),
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
    steps = (np.arange(n)[:, None] >= rows).astype(np.float64)
    steps -= basis @ (basis.T @ steps)
    power = np.sum(steps**2, axis=0)
    heights = (rest @ steps) / power
    gains = np.where(heights < 0.0, heights**2 * power, 0.0)
    best = int(np.argmax(gains))
    left = rest - heights[best] * steps[:, best]
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
    level = float(np.median(now.resistance))
    step = sharpest_fall(now.time, now.resistance)
    collapse = _collapse(now.resistance)
    if collapse is not None:
        left = float(np.median(now.resistance[collapse:]) / np.median(now.resistance[:collapse]))
        text = f"the voltage collapses under current and stays down: {left:.0%} of it is left"
        return _Seen("hard", collapse, (text,))
    same = [h for h in before if h.current * now.current > 0.0]
    earlier = same[-1] if same else None
    words: list[str] = []
    if earlier is not None:
        share = level / float(np.median(earlier.resistance))
        if share < _HARD:
            text = f"from its start {share:.0%} of the resistance of the half cycle before is left"
            return _Seen("hard", 0, (text,))
        if share < _BETWEEN:
            words.append(f"{share:.0%} of the resistance of the half cycle before is left")
            restless = _restless(now, earlier)
            if restless is not None:
                return _Seen("soft", 0, (*words, restless))
    if step is not None and step.certainty > _CERTAIN and step.left < _SOFT:
        fall = (
            f"the resistance falls suddenly to {step.left:.0%} at constant current "
            f"({min(step.certainty, 999.0):.0f} standard errors)"
        )
        after = now.resistance[step.row :]
        stays = float(np.median(after[len(after) // 2 :])) < 0.5 * (1.0 + step.left) * float(
            np.median(now.resistance[max(0, step.row - 10) : step.row])
        )
        if stays:
            return _Seen("soft", step.row, (fall, *words))
        words.append(f"{fall}, and recovers")
    return _Seen("none", None, tuple(words))


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


def _restless(now: _Half, earlier: _Half) -> str | None:
    """Words where the scatter grew beyond what a larger current explains."""
    gain = max(1.0, abs(now.current / earlier.current))
    old, new = earlier.course.scatter * gain, now.course.scatter
    if not (np.isfinite(old) and np.isfinite(new)) or old <= 0.0:
        return None
    ratio = new / old
    error = np.hypot(
        earlier.course.scatter_se / earlier.course.scatter, now.course.scatter_se / new
    )
    if ratio < _RESTLESS or np.log(ratio) < _RESTLESS_CERTAIN * error:
        return None
    return f"the voltage scatters {ratio:.1f} times as much as before, current allowed for"


def _passed(now: _Half, row: int | None) -> float:
    if row is None or row == 0:
        return 0.0
    return abs(now.current) * float(now.time[row] - now.time[0])


def _bracket(
    seen: _Seen,
    k: int,
    now: _Half,
    before: list[_Half],
    charge: float,
    area: float,
    area_se: float,
    earlier: tuple[str, ...],
) -> CriticalCurrent:
    upper = abs(now.current) / area
    passed = max((abs(h.current) for h in before), default=0.0) / area
    words = tuple(f"half cycle {k + 1}: {text}" for text in seen.words) + earlier
    rising = upper > _RISING * passed
    if not rising:
        text = (
            "the same current density had passed before: the cell failed by charge, and its "
            "critical current is not known"
        )
        words = (*words, text)
    nan = float("nan")
    return CriticalCurrent(
        kind=seen.kind,
        half_cycle=k,
        lower=passed if rising else 0.0,
        upper=upper,
        value=0.5 * (passed + upper) if rising else nan,
        value_se=(upper - passed) / np.sqrt(12.0) if rising else nan,
        area_relative_se=area_se / area,
        charge=charge,
        evidence=words,
    )
