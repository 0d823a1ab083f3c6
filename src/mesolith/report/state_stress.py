"""Mean and extremes of each state's stress, with what is known of their errors."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mesolith.axes import FloatArray
from mesolith.link.mean_von_mises import mean_von_mises
from mesolith.link.means import mean_stress
from mesolith.records.cell import Cell
from mesolith.records.extremes import ExtremeGrains, StressExtremes
from mesolith.records.followed import StressKind
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference

FIELD = "stress_hydrostatic"
TAIL = 0.005


@dataclass(frozen=True, slots=True)
class StateStress:
    """Stress over the grains of one state, MPa; hydrostatic with tension positive, or von Mises.

    The mean is weighted by volume; that of the von Mises stress is without the length that noise
    adds, which ``mean_as_measured`` holds; ``deconvolved`` is False where it was taken off grain
    by grain. ``mean_random`` and ``mean_common`` are its standard errors
    from the grains (noise and volumes) and from what shifts all grains together (reference,
    drift). ``low`` and ``high`` are the smallest and the
    largest grain with their random errors; ``robust_low`` and ``robust_high`` the 0.5 and 99.5 %
    points of these grains net of noise, each as (value, lower, upper) with a 68 % interval.
    ``noise_reach`` is
    the distance from the mean that noise alone gives the largest of so many grains (median).
    """

    state: str
    index: int
    grains: int
    mean: float
    mean_random: float
    mean_common: float
    low: tuple[float, float]
    high: tuple[float, float]
    robust_low: tuple[float, float, float]
    robust_high: tuple[float, float, float]
    noise_reach: float
    mean_as_measured: float
    deconvolved: bool = True

    @property
    def mean_se(self) -> float:
        """Standard error of the mean, both parts."""
        return float(np.hypot(self.mean_random, self.mean_common))

    @property
    def width(self) -> tuple[float, float]:
        """From the 0.5 to the 99.5 % point net of noise, with half its 68 % interval."""
        low, low_from, low_to = self.robust_low
        high, high_from, high_to = self.robust_high
        return high - low, float(np.hypot(high_to - high_from, low_to - low_from)) / 2.0


def state_stresses(cell: Cell, kind: StressKind = "hydrostatic") -> list[StateStress]:
    """One entry for each state with stresses, in order."""
    reference = _reference(cell)
    extremes = _extremes(cell)
    found = []
    for state, grains in cell.having(GrainMap):
        stress = grains.stress_hydrostatic if kind == "hydrostatic" else grains.stress_von_mises
        if stress is None or not np.any(np.isfinite(stress)):
            continue
        good = np.isfinite(stress)
        if kind == "hydrostatic":
            own = extremes.get(state.name)
            found.append(_hydrostatic(state.name, state.index, grains, good, reference, own))
        else:
            found.append(_von_mises(state.name, state.index, grains, good, reference))
    return found


def _extremes(cell: Cell) -> dict[str, ExtremeGrains]:
    if StressExtremes not in cell:
        return {}
    record = cell[StressExtremes]
    found = zip(record.state, record.extremes, strict=True)
    return {state: extremes for state, extremes in found if extremes.fraction == TAIL}


def _reference(cell: Cell) -> Reference | None:
    if Reference not in cell:
        return None
    return cell[Reference]


def mean_of_state(cell: Cell, state: str, grains: GrainMap) -> float:
    """Mean hydrostatic stress by volume of the grains that have one, MPa."""
    good = np.isfinite(np.asarray(grains.stress_hydrostatic))
    return _mean(state, grains, good, _reference(cell))[0]


def mean_change(cell: Cell, before: StateStress, after: StateStress) -> tuple[float, float]:
    """Change of the mean hydrostatic stress between two states with its standard error, MPa.

    A reference that both states share cancels; a drift of one state does not.
    """
    change = after.mean - before.mean
    if Reference not in cell:
        return change, float(np.hypot(before.mean_random, after.mean_random))
    reference = cell[Reference]
    rows = [reference.row(before.state), reference.row(after.state)]
    own = reference.mean_noise_variance[rows] + reference.mean_volume_variance[rows]
    drift = (reference.drift_sigma * reference.stiffness_bulk[rows]) ** 2
    return change, float(np.sqrt(np.sum(own + drift)))


def _mean(
    name: str, grains: GrainMap, good: np.ndarray, reference: Reference | None
) -> tuple[float, float, float]:
    """Mean, its error from the grains, and its error from what they share."""
    if reference is not None:
        found = mean_stress(grains, reference, state=name, select=good)
        return (
            found.mean,
            float(np.hypot(found.noise, found.volume)),
            float(np.hypot(found.reference, found.drift)),
        )
    weights = grains.radius[good] ** 3 / np.sum(grains.radius[good] ** 3)
    sigma = grains.stress_hydrostatic_se
    error = np.zeros(len(weights)) if sigma is None else np.nan_to_num(sigma[good])
    common = [
        mode.sigma * float(weights @ np.broadcast_to(mode.derivatives[FIELD], good.shape)[good])
        for mode in grains.common_modes
        if FIELD in mode.derivatives
    ]
    return (
        float(weights @ np.asarray(grains.stress_hydrostatic)[good]),
        float(np.sqrt(np.sum((weights * error) ** 2))),
        float(np.sqrt(np.sum(np.square(common)))),
    )


def _hydrostatic(
    name: str,
    index: int,
    grains: GrainMap,
    good: np.ndarray,
    reference: Reference | None,
    extremes: ExtremeGrains | None,
) -> StateStress:
    stress = np.asarray(grains.stress_hydrostatic)[good]
    sigma = grains.stress_hydrostatic_se
    error = np.zeros(len(stress)) if sigma is None else np.nan_to_num(sigma[good])
    mean, own_error, common_error = _mean(name, grains, good, reference)
    if extremes is None:
        low, high = (_robust_extreme(stress, error, share) for share in (TAIL, 1.0 - TAIL))
    else:
        e = extremes
        low = e.low_point, e.low_point_low, e.low_point_high
        high = e.high_point, e.high_point_low, e.high_point_high
    return StateStress(
        name,
        index,
        len(stress),
        mean,
        own_error,
        common_error,
        *_ends(stress, error),
        robust_low=low,
        robust_high=high,
        noise_reach=_reach(error),
        mean_as_measured=mean,
    )


def _von_mises(
    name: str, index: int, grains: GrainMap, good: np.ndarray, reference: Reference | None
) -> StateStress:
    """A von Mises stress is a length, so its low end has no noise to either side to take back."""
    found = mean_von_mises(grains, state=name, reference=reference, select=good)
    stress = np.asarray(grains.stress_von_mises)[good]
    sigma = grains.stress_von_mises_se
    error = np.zeros(len(stress)) if sigma is None else np.nan_to_num(sigma[good])
    return StateStress(
        name,
        index,
        found.grains,
        found.mean,
        float(np.hypot(found.noise, found.volume)),
        found.common,
        *_ends(stress, error),
        robust_low=_robust_extreme(found.net, np.zeros(len(stress)), TAIL),
        robust_high=_robust_extreme(found.net, found.along, 1.0 - TAIL),
        noise_reach=_reach(found.along),
        mean_as_measured=found.measured,
        deconvolved=found.deconvolved,
    )


def _ends(stress: FloatArray, error: FloatArray) -> tuple[tuple[float, float], tuple[float, float]]:
    """The smallest and the largest grain as measured, each with its error."""
    low, high = int(np.argmin(stress)), int(np.argmax(stress))
    return (float(stress[low]), float(error[low])), (float(stress[high]), float(error[high]))


def _reach(error: FloatArray) -> float:
    """How far above nothing noise alone carries the largest of so many grains (median)."""
    return float(np.median(error)) * NormalDist().inv_cdf(0.5 ** (1.0 / max(len(error), 2)))


def _robust_extreme(
    stress: FloatArray, error: FloatArray, fraction: float
) -> tuple[float, float, float]:
    """Quantile net of noise with the 68 % interval of its rank, for what no record of extremes
    tells: von Mises stress, and states of few grains. It holds the quantile of all grains of
    which these are a sample, and so is wider than one that speaks of these alone.

    Where noise of standard deviation s widens a normal distribution, its quantile at z standard
    deviations lies at sqrt(q0^2 + z^2 s^2) from the middle instead of q0; that is taken back.
    Exact for normal distributions, next to no change where the tail is much wider than the noise.
    """
    spread = np.sqrt(fraction * (1.0 - fraction) / len(stress))
    points = np.clip([fraction, fraction - spread, fraction + spread], 0.0, 1.0)
    middle = float(np.median(stress))
    away = np.quantile(stress, points) - middle
    noise = NormalDist().inv_cdf(fraction) * float(np.sqrt(np.mean(error**2)))
    net = np.sign(away) * np.sqrt(np.maximum(away**2 - noise**2, 0.0))
    value, lower, upper = (middle + net).tolist()
    return value, lower, upper
