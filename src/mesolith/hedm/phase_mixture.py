"""Which of two phases each grain is, when nobody says how many there are of each.

The three kinds of evidence are joined by expectation and maximisation: the share of the second
phase, how strong the telling reflections are (against the CIF), how far the common intensities
differ, and two lattice parameters are fitted, each paid for. Each kind may also be mute: every
combination is fitted, and they are averaged by how well they explain the layer (Schwarz's
criterion), so that a difference which the layer does not show decides nothing.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betaln, expit, logsumexp

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.common_intensities import (
    CommonIntensities,
    intensity_densities,
    learned_intensities,
)
from mesolith.hedm.telling_reflections import FACTORS, TellingReflections, at_factors

# prior of the second phase's share: what has been published of such a pellet, 1 in 30 on average
TRACE = (1.0, 29.0)
_STEPS = 200
_SETTLED = 1e-5
_TOGETHER_SIGMA = math.log(5.0)  # of the strength of all telling families over the CIF's
_STRENGTH_SIGMA = math.log(2.0)  # of one family's strength about that of all
_SCALES = (0.0, 0.25, 0.5, 1.0)  # of the differences of common intensities, as the CIFs state them
_DOUBT = 0.5  # share of a difference that a family may be off by
_OFFSET_SIGMA = 2e-3  # of the difference of lattice parameters about the CIFs'
_WIDE, _WIDE_SHARE = 5.0, 0.02  # grains far from the others


@dataclass(frozen=True, slots=True)
class Mixture:
    """One fitted combination, or the average of all.

    ``reflections``, ``intensities``, ``lattice`` (g,) are log likelihood ratios of the first
    against the second phase; ``first`` and ``second`` (g,) their probabilities, ``share`` that of
    the second and ``share_se`` its error; ``factor`` (t,) what multiplies the strength of each
    telling family, ``intensity_factor`` that of the differences of common ones; ``offset`` the
    relative difference of lattice parameters, second less first; ``score`` the log of the weight.
    """

    reflections: FloatArray
    intensities: FloatArray
    lattice: FloatArray
    first: FloatArray
    second: FloatArray
    share: float
    share_se: float
    factor: FloatArray
    intensity_factor: float
    offset: float
    score: float

    @property
    def ratio(self) -> FloatArray:
        """All evidence (g,), without the share."""
        return self.reflections + self.intensities + self.lattice


def fit_mixture(
    telling: TellingReflections,
    common: CommonIntensities,
    length: FloatArray,
    length_sigma: FloatArray,
    *,
    stated_offset: float = 0.0,
    prior: tuple[float, float] = TRACE,
) -> Mixture:
    """The average over all combinations.

    ``length`` and ``length_sigma`` (g,) are the logarithm of each grain's lattice parameter and
    its error; ``stated_offset`` the relative difference of those of the CIFs; ``prior`` the two
    numbers of a beta distribution of the second phase's share.
    """
    fits = [
        _fitted(telling, common, length, length_sigma, stated_offset, prior, *chosen)
        for chosen in itertools.product((False, True), _SCALES, (0.0, 1.0, -1.0))
    ]
    score = np.array([fit.score for fit in fits])
    weight = np.exp(score - logsumexp(score))

    def mean(name: str) -> FloatArray:
        return np.asarray(
            sum(w * np.asarray(getattr(fit, name)) for w, fit in zip(weight, fits, strict=True))
        )

    share = float(mean("share"))
    spread = sum(
        w * (fit.share_se**2 + (fit.share - share) ** 2)
        for w, fit in zip(weight, fits, strict=True)
    )
    return Mixture(
        reflections=mean("reflections"),
        intensities=mean("intensities"),
        lattice=mean("lattice"),
        first=mean("first"),
        second=mean("second"),
        share=share,
        share_se=math.sqrt(float(spread)),
        factor=mean("factor"),
        intensity_factor=float(mean("intensity_factor")),
        offset=float(mean("offset")),
        score=float(logsumexp(score)),
    )


def _fitted(
    telling: TellingReflections,
    common: CommonIntensities,
    length: FloatArray,
    length_sigma: FloatArray,
    stated_offset: float,
    share_prior: tuple[float, float],
    by_reflections: bool,
    scale: float,
    side: float,
) -> Mixture:
    """One combination: which kinds of evidence speak, and on which side the second lattice is."""
    grains = len(length)
    one = int(np.argmin(np.abs(FACTORS - 1.0)))
    chosen: IntArray = np.full(len(telling.families), one if by_reflections else 0)
    gain = _strength_prior(0.0) + np.zeros((len(chosen), 1))
    stated = scale * common.difference
    difference, told = stated, np.zeros(len(stated))
    middle = float(np.median(length)) if grains else 0.0
    spread = 1.4826 * float(np.median(np.abs(length - middle))) if grains else 1.0
    spread = max(spread, 1e-6)
    offset = stated_offset + side * 3.0 * spread if side else 0.0
    first_values = np.zeros(common.value.shape[1])
    nothing, share = np.zeros(grains), 0.05
    fit = Mixture(
        nothing, nothing, nothing, nothing, nothing, share, 0.0, FACTORS[chosen], 0.0, 0.0, 0.0
    )
    before = -np.inf
    base = np.zeros(grains)
    for _ in range(_STEPS):
        bright_one, bright_two = intensity_densities(common, difference, first_values)
        fit = replace(
            fit,
            reflections=at_factors(telling.ratio, FACTORS[chosen]),
            intensities=bright_one - bright_two,
            lattice=_lattice_ratio(length, length_sigma, middle, offset, spread),
            factor=FACTORS[chosen],
            intensity_factor=_over_stated(difference, common.difference),
            offset=offset,
        )
        base = bright_two + _log_lattice(length - middle - offset, length_sigma, spread)
        both = np.logaddexp(math.log1p(-share) + fit.ratio, math.log(share))
        likelihood = float(np.sum(base + both))
        if abs(likelihood - before) < _SETTLED * max(grains, 1):
            break
        before = likelihood
        r = expit(fit.ratio + math.log((1.0 - share) / share))
        alpha, beta = share_prior
        share = (float(np.sum(1.0 - r)) + alpha - 1.0) / (grains + alpha + beta - 2.0)
        share = min(max(share, 1e-9), 1.0 - 1e-9)
        if by_reflections:
            together = _together(chosen)
            gain = np.einsum("g,gtk->tk", r, telling.ratio) + _strength_prior(together)
            chosen = np.argmax(gain, axis=1)
        first_values, difference, told = learned_intensities(
            common, r, difference, stated=stated, doubt=_DOUBT
        )
        middle, offset, spread = _lattice_step(
            length, length_sigma, r, offset, spread, stated_offset, bool(side)
        )
    penalty = 0.5 * math.log(max(grains, 2))
    score = 0.0
    if by_reflections:
        score += _strength_score(gain, chosen)
    if scale:
        # what was learned of each family is paid for by how much narrower it became
        sigma = _DOUBT * np.maximum(np.abs(stated), 1e-5)
        score += float(np.sum(-0.5 * ((difference - stated) / sigma) ** 2))
        score -= 0.5 * float(np.sum(np.log1p(told * sigma**2)))
    if side:
        score += -0.5 * ((offset - stated_offset) / _OFFSET_SIGMA) ** 2 - penalty
    shares, plausible = _shares(fit.ratio, share_prior)
    score += float(np.sum(base)) + float(logsumexp(plausible))
    weight = np.exp(plausible - logsumexp(plausible))
    first, second = np.zeros(grains), np.zeros(grains)
    for one_share, w in zip(shares, weight, strict=True):
        odds = fit.ratio + math.log((1.0 - one_share) / one_share)
        first += w * expit(odds)
        second += w * expit(-odds)
    share = float(np.sum(weight * shares))
    share_se = math.sqrt(max(float(np.sum(weight * shares**2)) - share**2, 0.0))
    return replace(fit, first=first, second=second, share=share, share_se=share_se, score=score)


def _together(chosen: IntArray) -> float:
    """Likeliest log strength of all telling families over the CIF's, for those of each."""
    logs = np.log(FACTORS[chosen])
    pull = (_STRENGTH_SIGMA / _TOGETHER_SIGMA) ** 2
    return float(np.sum(logs) / (len(logs) + pull))


def _strength_prior(together: float) -> FloatArray:
    """Log probability (k,) of each of `FACTORS` in a family if all are ``together`` (log)."""
    prior = np.full(len(FACTORS), -np.inf)
    prior[1:] = -0.5 * ((np.log(FACTORS[1:]) - together) / _STRENGTH_SIGMA) ** 2
    return np.asarray(prior - logsumexp(prior))


def _strength_score(gain: FloatArray, chosen: IntArray) -> float:
    """What strengths cost: their prior, and by how much the layer knows them better than it.

    ``gain`` (t, k) is the evidence for each strength with its prior in it. The families are summed
    over theirs, and the strength that they have in common is integrated by Laplace's method.
    """
    together = _together(chosen)
    best = np.take_along_axis(gain, chosen[:, None], axis=1)[:, 0]
    cost = _strength_prior(together)[chosen] + logsumexp(gain, axis=1) - best
    narrower = 1.0 + len(chosen) * (_TOGETHER_SIGMA / _STRENGTH_SIGMA) ** 2
    return float(np.sum(cost) - 0.5 * (together / _TOGETHER_SIGMA) ** 2 - 0.5 * math.log(narrower))


def _over_stated(difference: FloatArray, stated: FloatArray) -> float:
    """By how much differences exceed the stated ones, all together."""
    return float(difference @ stated / max(float(stated @ stated), 1e-300))


def _shares(ratio: FloatArray, share_prior: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Shares of the second phase on a grid, and log likelihood and prior of each.

    The grid is even in the logarithm of the odds from 1e-5 to 1 - 1e-5.
    """
    odds = np.linspace(-11.5, 11.5, 139)
    shares = expit(odds)
    alpha, beta = share_prior
    prior = (alpha * np.log(shares) + beta * np.log1p(-shares)) - betaln(alpha, beta)
    prior += math.log(odds[1] - odds[0])
    told = [
        float(np.sum(np.logaddexp(math.log1p(-share) + ratio, math.log(share)))) for share in shares
    ]
    return shares, prior + np.array(told)


def _log_lattice(off: FloatArray, sigma: FloatArray, spread: float) -> FloatArray:
    """Log density (g,) of a lattice parameter, with some grains far from the others."""
    parts = []
    for share, width in ((1.0 - _WIDE_SHARE, 1.0), (_WIDE_SHARE, _WIDE)):
        variance = (width * spread) ** 2 + sigma**2
        parts.append(math.log(share) - 0.5 * off**2 / variance - 0.5 * np.log(variance))
    return np.asarray(np.logaddexp(parts[0], parts[1]))


def _lattice_ratio(
    length: FloatArray, sigma: FloatArray, middle: float, offset: float, spread: float
) -> FloatArray:
    if offset == 0.0:
        return np.zeros(len(length))
    first = _log_lattice(length - middle, sigma, spread)
    return np.asarray(first - _log_lattice(length - middle - offset, sigma, spread))


def _lattice_step(
    length: FloatArray,
    sigma: FloatArray,
    first: FloatArray,
    offset: float,
    spread: float,
    stated: float,
    free: bool,
) -> tuple[float, float, float]:
    """Mean of the first phase, offset of the second and spread of both, from weighted grains."""
    if not len(length):
        return 0.0, 0.0, spread
    variance = spread**2 + sigma**2
    middle = float(np.median(length))
    rest = length - middle
    for _ in range(3):
        weights = []
        for shift in (0.0, offset):
            close = np.exp(-0.5 * (rest - shift) ** 2 / variance)
            wide = (_WIDE**2) * spread**2 + sigma**2
            far = _WIDE_SHARE * np.sqrt(variance / wide) * np.exp(-0.5 * (rest - shift) ** 2 / wide)
            weights.append((1 - _WIDE_SHARE) * close / ((1 - _WIDE_SHARE) * close + far + 1e-300))
        one, two = first * weights[0] / variance, (1.0 - first) * weights[1] / variance
        if free:
            step = float(np.sum(one * rest) / max(np.sum(one), 1e-300))
            own = float(np.sum(two * (rest - step)))
            pull = 1.0 / _OFFSET_SIGMA**2
            offset = (own + pull * stated) / (float(np.sum(two)) + pull)
        else:
            step = float(np.sum((one + two) * rest) / max(np.sum(one + two), 1e-300))
            offset = 0.0
        middle, rest = middle + step, rest - step
        square = first * weights[0] * rest**2 + (1.0 - first) * weights[1] * (rest - offset) ** 2
        total = float(np.sum(first * weights[0] + (1.0 - first) * weights[1]))
        noise = float(np.median(sigma)) ** 2
        spread = math.sqrt(max(float(np.sum(square)) / max(total, 1e-300) - noise, 1e-12))
        variance = spread**2 + sigma**2
    return middle, offset, spread
