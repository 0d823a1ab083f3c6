"""Extremes over grains, net of noise and of false grains.

Among 30,000 grains noise alone makes extremes of four standard errors. So the distribution of the
true stress is estimated first, by maximum likelihood with the noise known, as a mixture of
half-normals on either side of the median: one peak, smooth tails of any weight, hot and cold
unlike. Each grain's stress and the extreme of all of them are read from what remains possible
once its measured value is known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import erfc, ndtri

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.link.reality import probability_real
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.extremes import ExtremeGrains, StressExtremes
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference
from mesolith.records.tracking import Tracking

_SUPPORT = 300
_CLASSES = 6
_BINS = 300
_WIDTHS = 14
_ROUNDS = 3_000
_RESAMPLES = 48
# Variance of a resample's weights in units of the bootstrap's own: smooth shapes bind the tail more
# than the few grains there know of it. From simulated cells; benchmarks/intervals.py uses others.
_LOOSE = 4.0
_ROUNDS_AGAIN = 400
_DECIDING = 400
_DRAWS = 64
_SEED = 20_221_031


def compute(work: Work) -> None:
    """Step link.extremes: StressExtremes of the cell; a state that cannot tell is left out."""
    sources = work.inputs["link.stress"]
    maps = [read_record(source.record_file, GrainMap) for source in sources]
    trackings = [read_record(s.record_file, Tracking) for s in work.inputs.get("link.track", ())]
    reference = read_record(work.source("link.balance").record_file, Reference)
    lost = np.array([reference.lost_share[reference.row(source.label)] for source in sources])
    real = probability_real([len(m) for m in maps], trackings, lost)
    remarks, states, shares, found = [], [], [], []
    for source, grains, sure in zip(sources, maps, real, strict=True):
        stress, error = grains.stress_hydrostatic, grains.stress_hydrostatic_se
        if stress is None or error is None:
            continue
        good = np.isfinite(stress) & np.isfinite(error)
        try:
            extremes = extreme_grains(
                stress[good],
                error[good],
                real=sure[good],
                count=work.settings["hedm.spots"],
                seed=_SEED,
            )
        except InvalidValueError as told:
            remarks.append(Remark("note", f"extremes of {source.label}", told.what))
            continue
        ids = grains.grain_id[good][extremes.grain]
        states.append(source.label)
        shares.append(float(sure[good].mean()))
        found.append(replace(extremes, grain=ids))
    record = StressExtremes(state=tuple(states), real_share=np.array(shares), extremes=tuple(found))
    write_record(work.folder / "record.h5", record)
    write_remarks(work.folder, remarks)


def extreme_grains(
    stress: FloatArray,
    error: FloatArray,
    *,
    real: FloatArray | None = None,
    count: int = 10,
    fraction: float = 0.005,
    level: float = 0.68,
    seed: int = 0,
) -> ExtremeGrains:
    """The highest and lowest grains and the extremes of the true stress.

    Parameters
    ----------
    stress, error
        Stress of each grain and its random standard error, MPa, shape (n,). Meant for errors
        that are nearly normal: hydrostatic stress, not a von Mises stress near zero.
    real
        Probability that a grain is no false one (tracked into a neighbouring state, say); None:
        all are real.
    count
        How many are listed at either end: by their probable stress times being real, the
        highest first, then the lowest from the lowest up.
    fraction
        What share of the grains lies below the low point and above the high point: extremes
        that do not hang on one grain.
    level, seed
        Probability that an interval holds the truth; seed of the resamples of the distribution,
        whose own uncertainty the intervals of the extremes hold.

    Raises
    ------
    InvalidValueError
        Errors that are not positive, or fewer than 30 grains.
    """
    if len(stress) < 30 or not np.all(error > 0.0):
        raise InvalidValueError(
            f"{len(stress)} grains with errors from {np.min(error, initial=np.inf):.3g} MPa on: "
            "extremes net of noise need 30 grains and positive errors"
        )
    sure = np.ones(len(stress)) if real is None else np.asarray(real, dtype=np.float64)
    support, weights = _true_distribution(stress, error, sure, seed)
    weight = weights[0]
    estimate, spread = np.empty(len(stress)), np.empty(len(stress))
    for part in np.array_split(np.arange(len(stress)), -(-len(stress) // 4_000)):
        posterior = _posteriors(_likelihoods(stress[part], error[part], support), weight)
        estimate[part] = posterior @ support
        spread[part] = np.sqrt(np.maximum(posterior @ support**2 - estimate[part] ** 2, 0.0))
    middle = float(np.average(stress, weights=sure))
    score = (estimate - middle) * sure
    top = np.argsort(-score, kind="stable")[:count]
    bottom = np.argsort(score, kind="stable")[:count]
    listed = np.concatenate([top, bottom])
    tails = 0.5 * (1.0 - level), 0.5, 0.5 * (1.0 + level)
    above = fraction * (float(sure.sum()) - 1.0)
    rng = np.random.default_rng(seed)
    upward = stress, error, sure, support, weights
    downward = -stress, error, sure, -support[::-1], weights[:, ::-1]
    highest = _largest_quantiles(*upward, tails)
    lowest = -_largest_quantiles(*downward, tails)[::-1]
    high_point = np.quantile(_drawn_points(*upward, above, rng), tails)
    low_point = -np.quantile(_drawn_points(*downward, above, rng), tails)[::-1]
    noise = _noise_extreme(error, sure)
    deviation = _spread(stress, error, sure, level)
    return ExtremeGrains(
        grain=listed.astype(np.int64),
        measured=stress[listed],
        estimate=estimate[listed],
        estimate_se=spread[listed],
        real=sure[listed],
        highest=float(highest[1]),
        highest_low=float(highest[0]),
        highest_high=float(highest[2]),
        lowest=float(lowest[1]),
        lowest_low=float(lowest[0]),
        lowest_high=float(lowest[2]),
        high_point=float(high_point[1]),
        high_point_low=float(high_point[0]),
        high_point_high=float(high_point[2]),
        low_point=float(low_point[1]),
        low_point_low=float(low_point[0]),
        low_point_high=float(low_point[2]),
        fraction=fraction,
        noise_highest=middle + noise,
        noise_lowest=middle - noise,
        spread=deviation[1],
        spread_low=deviation[0],
        spread_high=deviation[2],
        grains=len(stress),
        level=level,
    )


def _spread(
    stress: FloatArray, error: FloatArray, sure: FloatArray, level: float
) -> tuple[float, float, float]:
    """Standard deviation of the true stress of these grains: lower end, value, upper end.

    The variance of the measured stress less that of the noise. Its own variance follows from
    normal noise on what is left: of (y - mean)^2 it is 4 t^2 s^2 + 2 s^4, where t^2 is known as
    y^2 - s^2 on average.
    """
    share = sure / sure.sum()
    away, noise = (stress - share @ stress) ** 2, error**2
    variance = float(share @ (away - noise))
    of_variance = max(float(share**2 @ (4.0 * noise * away - 2.0 * noise**2)), 0.0)
    # there is at least the noise's own scatter
    of_variance = max(of_variance, float(share**2 @ (2.0 * noise**2)))
    half = float(ndtri(0.5 * (1.0 + level)) * np.sqrt(of_variance))
    ends = [variance - half, variance, variance + half]
    low, middle, high = np.sqrt(np.maximum(ends, 0.0)).tolist()
    return low, middle, high


def _true_distribution(
    stress: FloatArray, error: FloatArray, sure: FloatArray, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Support and weights of the true stress.

    The weights (1 + resamples, support) are the estimate and those of resampled grains. Errors
    are put into a few classes and measured values into narrow bins, so that the iteration costs
    the same for any number of grains.
    """
    edges = np.quantile(error, np.linspace(0.0, 1.0, _CLASSES + 1)[1:-1])
    number = np.searchsorted(edges, error)
    grains = np.bincount(number, minlength=_CLASSES)
    squares = np.bincount(number, weights=error**2, minlength=_CLASSES)
    sigma_of = np.sqrt(squares / np.maximum(grains, 1))
    low, high = float(stress.min()), float(stress.max())
    margin = 2.0 * float(error.max())
    support = np.linspace(low - margin, high + margin, _SUPPORT)
    shapes = _half_normals(support, float(np.median(stress)), float(error.min()))
    bins = np.linspace(low, high, _BINS + 1)
    centre = 0.5 * (bins[1:] + bins[:-1])
    blocks, counts = [], []
    for k in np.flatnonzero(grains):
        own = number == k
        many, _ = np.histogram(stress[own], bins=bins, weights=sure[own])
        kept = many > 0.0
        pull = (centre[kept, None] - support[None, :]) / sigma_of[k]
        blocks.append(np.exp(-0.5 * pull**2) / sigma_of[k])
        counts.append(many[kept])
    likelihood, share = np.concatenate(blocks) @ shapes.T, np.concatenate(counts)
    even = np.full(len(shapes), 1.0 / len(shapes))
    best = mixture_weights(likelihood, share, even, _ROUNDS)
    rng = np.random.default_rng(seed)
    # Weights of the Bayesian bootstrap (Rubin 1981): a Poisson number would leave the outermost
    # grain out of a third of the resamples, and its stress would be taken for noise.
    again = _LOOSE * rng.gamma(np.tile(share / _LOOSE, (_RESAMPLES, 1)))
    # a little of every shape, for what has died out could not come back
    start = np.tile(0.9 * best + 0.1 * even, (_RESAMPLES, 1))
    found = mixture_weights(likelihood, again, start, _ROUNDS_AGAIN)
    return support, np.vstack([best, found]) @ shapes


def mixture_weights(
    likelihood: FloatArray, share: FloatArray, start: FloatArray, rounds: int
) -> FloatArray:
    """Weights of the shapes by expectation and maximisation.

    ``likelihood`` (values, shapes); ``share`` (..., values) and ``start`` (..., shapes) may hold
    several cases at once.
    """
    share, mixture = share / share.sum(axis=-1, keepdims=True), start
    for _ in range(rounds):
        seen = np.maximum(mixture @ likelihood.T, 1e-300)
        mixture = mixture * ((share / seen) @ likelihood)
        mixture = mixture / mixture.sum(axis=-1, keepdims=True)
    return mixture


def _half_normals(support: FloatArray, middle: float, error: float) -> FloatArray:
    """Shapes to mix (shapes, support), each of sum 1: a narrow peak, and halves of many widths."""
    away = support - middle
    step = float(support[1] - support[0])
    widest = float(np.abs(away).max()) / 1.5
    shapes = [np.exp(-0.5 * (away / step) ** 2)]
    for width in np.geomspace(max(2.0 * step, error / 4.0), widest, _WIDTHS):
        bell = np.exp(-0.5 * (away / width) ** 2)
        shapes += [bell * (away >= 0.0), bell * (away <= 0.0)]
    found = np.array(shapes)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _likelihoods(stress: FloatArray, sigma: FloatArray, support: FloatArray) -> FloatArray:
    """Likelihood of the true stresses for each measured one, but for a factor, (n, support)."""
    pull = (stress[:, None] - support[None, :]) / sigma[:, None]
    return np.asarray(np.exp(-0.5 * pull**2))


def _posteriors(likelihood: FloatArray, weight: FloatArray) -> FloatArray:
    """Probabilities of the true stress of each grain, (n, support)."""
    posterior = likelihood * weight
    return np.asarray(posterior / posterior.sum(axis=1, keepdims=True))


def _largest_quantiles(
    stress: FloatArray,
    sigma: FloatArray,
    sure: FloatArray,
    support: FloatArray,
    weights: FloatArray,
    tails: tuple[float, ...],
) -> FloatArray:
    """Quantiles of the largest true value: it lies below t where no real grain lies over t."""
    top = _deciding(stress, 0)
    seen = _likelihoods(stress[top], sigma[top], support)
    below = np.zeros(len(support))
    for weight in weights[1:]:
        posterior = _posteriors(seen, weight)
        over = sure[top, None] * (1.0 - np.cumsum(posterior, axis=1))
        below += np.exp(np.log1p(-np.clip(over, 0.0, 1.0 - 1e-15)).sum(axis=0))
    return np.interp(tails, below / (len(weights) - 1), support)


def _drawn_points(
    stress: FloatArray,
    sigma: FloatArray,
    sure: FloatArray,
    support: FloatArray,
    weights: FloatArray,
    above: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Draws of the true value with so many ``above`` it, between two grains as a quantile is.

    True values of all grains that can decide are drawn together: the two grains between which
    it lies do not move as one.
    """
    whole = int(above)
    share = above - whole
    top = _deciding(stress, whole)
    seen = _likelihoods(stress[top], sigma[top], support)
    step = float(support[1] - support[0])
    found = np.empty((len(weights) - 1, _DRAWS))
    for k, weight in enumerate(weights[1:]):
        posterior = _posteriors(seen, weight)
        # one ascending line through the sums of all grains, so that one search serves them
        sums = np.cumsum(posterior, axis=1) / posterior.sum(axis=1, keepdims=True)
        line = (sums + np.arange(len(top))[:, None]).ravel()
        wanted = rng.random((len(top), _DRAWS))
        place = np.searchsorted(line, wanted + np.arange(len(top))[:, None])
        place = np.minimum(place - len(support) * np.arange(len(top))[:, None], len(support) - 1)
        value = support[place] + step * (rng.random(place.shape) - 0.5)
        value[rng.random(place.shape) > sure[top, None]] = -np.inf
        ordered = -np.partition(-value, (whole, whole + 1), axis=0)[whole : whole + 2]
        found[k] = (1.0 - share) * ordered[0] + share * ordered[1]
    return found[np.isfinite(found)]


def _deciding(stress: FloatArray, whole: int) -> IntArray:
    """Rows of the highest grains; those far below have no say."""
    return np.argsort(-stress, kind="stable")[: _DECIDING + 4 * whole]


def _noise_extreme(error: FloatArray, sure: FloatArray) -> float:
    """Median of the largest of independent normal errors of these sizes."""
    low, high = 0.0, float(error.max()) * float(-ndtri(1e-12))
    for _ in range(60):
        half = 0.5 * (low + high)
        tail = 0.5 * erfc(half / (error * np.sqrt(2.0)))
        below = np.log1p(-sure * tail).sum()
        low, high = (half, high) if below < np.log(0.5) else (low, half)
    return 0.5 * (low + high)
