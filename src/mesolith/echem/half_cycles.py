"""Half cycles of a cycler record, cut by the program's steps, and what each amounts to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.records.cycling import HalfCycles

_REST = 0.01  # share of the record's largest current below which a step without set value rests
_MINIMUM_ROWS = 3
_COURSE, _LONG = 3, 12  # a parabola, from that many values on
# where a series is hardly longer than its correlation, no more than this is solved for
_LEAST_FREEDOM = 0.2


@dataclass(frozen=True, slots=True)
class Points:
    """Rows of one record, shape (n,) each: what the cut needs.

    time (s), current (A) and voltage (V); step number; ``switched`` marks rows that the cycler
    flags as the first of a step (None where the file does not say); ``set_current`` (A, NaN where
    unknown; its sign is not used); ``sweep`` marks rows of an impedance sweep.
    """

    time: FloatArray
    current: FloatArray
    voltage: FloatArray
    step: IntArray
    switched: NDArray[np.bool_] | None
    set_current: FloatArray
    sweep: NDArray[np.bool_]


def half_cycles_from_points(points: Points, *, current_share: float = 0.9) -> HalfCycles:
    """Statistics of each run of one step under one direction of current.

    A half cycle is a run of rows with the same step number and the same sign of the current:
    EC-Lab's own half cycles mix in rests, sweeps and rows of the next step. Rows of sweeps, rows
    flagged as the first of a step (the double layer still charges) and rows with less than
    ``current_share`` of the set current are left out of the statistics; the set current is the
    cycler's, or else the median of the run. The charge is the integral of the current over the
    whole run. Runs with fewer than 3 usable rows are no half cycle.

    The spread is the standard deviation (ddof 1); the standard error allows for autocorrelation
    (see `standard_error_of_mean`).
    """
    rows: list[tuple[float, ...]] = []
    for first, last in _runs(points):
        found = _half_cycle(points, first, last, current_share)
        if found is not None:
            rows.append(found)
    table = np.array(rows, dtype=np.float64).reshape(-1, 10)
    whole = table[:, :3].astype(np.int64)
    return HalfCycles(
        step=whole[:, 0],
        first_row=whole[:, 1],
        rows=whole[:, 2],
        start=table[:, 3],
        duration=table[:, 4],
        current=table[:, 5],
        charge=table[:, 6],
        overpotential=table[:, 7],
        overpotential_se=table[:, 8],
        overpotential_std=table[:, 9],
    )


def standard_error_of_mean(values: FloatArray) -> float:
    """Standard error of the time mean of a series whose neighbours are correlated.

    A smooth course over the series (a parabola in time) is the cell's own polarisation, no error
    of its mean. Of the scatter about it the largest of three counts: that of independent values;
    the sum of the autocovariances over pairs of lags as long as the pairs are positive (Geyer
    1992, 10.1214/ss/1177011137), which serves noise on a slow drift; and that of a first-order
    process, its coefficient corrected for bias (Kendall 1954, 10.1093/biomet/41.3-4.403), which
    serves series of few correlation times. What the parabola takes from the autocovariances is
    solved for. A one-sigma interval covers 60 to 76 % down to ten correlation times; a drift that
    hides under white noise makes it up to a quarter too short.

    NaN below two values; fewer than twelve are taken as scatter about their mean.
    """
    n = len(values)
    if n < 4:
        return float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    fitted = _COURSE if n >= _LONG else 1
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1.0, 1.0, n), fitted, increasing=True))
    scatter = values - np.mean(values)
    scatter = scatter - basis @ (basis.T @ scatter)
    size = 1 << (2 * n - 1).bit_length()
    power = np.abs(np.fft.rfft(scatter, size)) ** 2
    covariance = np.fft.irfft(power, size)[:n] / np.arange(n, 0, -1)
    if covariance[0] <= 0.0:
        return 0.0
    independent = float(covariance[0]) / (n - fitted)
    pairs = _variance_by_pairs(covariance, fitted)
    return float(np.sqrt(max(independent, pairs, _variance_of_first_order(covariance, fitted))))


def _variance_by_pairs(covariance: FloatArray, fitted: int) -> float:
    n = len(covariance)
    total, weight, previous = float(covariance[0]), 1.0, np.inf
    for lag in range(1, n // 2 - 1, 2):
        pair = min(float(covariance[lag] + covariance[lag + 1]), previous)
        if pair <= 0.0:
            break
        shares = 2.0 - (2.0 * lag + 1.0) / n
        total += pair * shares
        weight += 2.0 * shares
        previous = pair
    return total / n / max(1.0 - fitted * weight / n, _LEAST_FREEDOM)


def _variance_of_first_order(covariance: FloatArray, fitted: int) -> float:
    n = len(covariance)
    found = n * float(covariance[1] / covariance[0]) + fitted
    coefficient = min(found / max(n - fitted - 2, 1), 1.0 - 1.0 / n)
    if coefficient <= 0.0:
        return 0.0
    lags = np.arange(1, n)
    weight = 1.0 + 2.0 * float(np.sum((1.0 - lags / n) * coefficient**lags))
    return float(covariance[0]) * weight / n / max(1.0 - fitted * weight / n, _LEAST_FREEDOM)


def _runs(points: Points) -> list[tuple[int, int]]:
    """First and last row (exclusive) of each run of one step, one direction, no sweep."""
    direction = np.sign(np.where(_flows(points), points.current, 0.0))
    n = len(direction)
    if n == 0:
        return []
    change = np.ones(n, dtype=np.bool_)
    change[1:] = (points.step[1:] != points.step[:-1]) | (direction[1:] != direction[:-1])
    if points.switched is not None:
        change |= points.switched
    starts = [0, *(np.flatnonzero(change[1:]) + 1).tolist()]
    ends = [*starts[1:], n]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if direction[a] != 0.0]


def _flows(points: Points) -> NDArray[np.bool_]:
    """Rows under a galvanostatic current."""
    size = np.abs(points.current)
    steady = size[~points.sweep & np.isfinite(size)]
    floor = _REST * float(steady.max()) if steady.size else 0.0
    known = np.isfinite(points.set_current)
    flows: NDArray[np.bool_] = ~points.sweep & (size > floor) & (points.current != 0.0)
    if known.any():
        flows &= known & (points.set_current != 0.0)
    return flows


def _half_cycle(
    points: Points, first: int, last: int, current_share: float
) -> tuple[float, ...] | None:
    current = points.current[first:last]
    asked = np.abs(points.set_current[first:last])
    wanted = float(np.median(np.abs(current)))
    if np.isfinite(asked).any():
        wanted = float(np.nanmedian(asked))
    good = np.abs(current) >= current_share * wanted
    if points.switched is not None:
        good &= ~points.switched[first:last]
    else:
        good[0] = False
    good &= np.isfinite(points.voltage[first:last])
    if int(good.sum()) < _MINIMUM_ROWS:
        return None
    time, voltage = points.time[first:last], points.voltage[first:last][good]
    return (
        float(points.step[first]),
        float(first + int(np.argmax(good))),
        float(good.sum()),
        float(time[0]),
        float(time[-1] - time[0]),
        float(np.mean(current[good])),
        float(np.trapezoid(current, time)),
        float(np.mean(voltage)),
        standard_error_of_mean(voltage),
        float(np.std(voltage, ddof=1)),
    )
