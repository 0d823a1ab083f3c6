"""Mean von Mises stress of some grains, net of noise.

Noise lengthens a norm: where the error of a grain is half its von Mises stress, the measured mean
is a third too high. So the distribution of the true stress is estimated with the noise known, by
maximum likelihood, and the mean is read from it. The measured value is taken as the length of a
vector of five components (the deviator's) with normal errors of equal size: Rice's distribution
in five dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ive, ndtri

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.link.extremes import mixture_weights
from mesolith.link.stress_errors import FORM

_DIMENSIONS = 5
_SUPPORT = 48
_CLASSES = 6
_BINS = 120
_ROUNDS = 400
_ROUNDS_AGAIN = 150
_RESAMPLES = 32


@dataclass(frozen=True, slots=True)
class MeanVonMises:
    """Mean of the true von Mises stress of these grains, MPa, all grains alike.

    ``measured`` is the mean as measured, noise in it; ``rms`` the root of the mean square net of
    noise. ``low`` and ``high`` hold the truth with the level asked for.
    """

    mean: float
    se: float
    low: float
    high: float
    measured: float
    rms: float
    rms_low: float
    rms_high: float
    grains: int


def mean_von_mises(
    von_mises: FloatArray,
    stress_covariance: FloatArray,
    *,
    real: FloatArray | None = None,
    level: float = 0.68,
    seed: int = 0,
) -> MeanVonMises:
    """Mean von Mises stress net of noise, with the error that noise leaves in it.

    Parameters
    ----------
    von_mises
        As measured, MPa, shape (n,).
    stress_covariance
        Random errors of the stress 11 22 33 23 13 12, MPa2, shape (n, 6, 6).
    real
        Probability that a grain is no false one, shape (n,); None: all are real.
    level, seed
        Probability that the interval holds the truth; seed of the simulated grains. These are
        drawn from the estimate, measured and estimated again: the scatter of that is the error,
        and its bias is taken off.

    Returns
    -------
    mean
        Covers where noise is normal, as does ``rms``. With noise of heavier tails and the same
        standard deviation most of it is smaller than stated, so too much is taken off the mean;
        the root mean square depends on the standard deviation alone and still covers.

    Raises
    ------
    InvalidValueError
        Fewer than 30 grains, or errors that are not positive.
    """
    sigma = np.sqrt(np.einsum("ij,nij->n", FORM, stress_covariance) / _DIMENSIONS)
    if len(von_mises) < 30 or not np.all(sigma > 0.0):
        raise InvalidValueError(
            f"{len(von_mises)} grains with errors from {np.min(sigma, initial=np.inf):.3g} MPa on: "
            "a mean net of noise needs 30 grains and positive errors"
        )
    sure = np.ones(len(sigma)) if real is None else np.asarray(real, dtype=np.float64)
    support = np.linspace(0.0, float(von_mises.max()), _SUPPORT + 1)
    support = 0.5 * (support[1:] + support[:-1])
    even = np.full(_SUPPORT, 1.0 / _SUPPORT)
    weights = _distribution(von_mises, sigma, sure, support, even, _ROUNDS)
    mean = float(weights @ support)
    rng = np.random.default_rng(seed)
    off = np.empty(_RESAMPLES)
    for k in range(_RESAMPLES):
        true = rng.choice(support, len(sigma), p=weights)
        noise = sigma[:, None] * rng.standard_normal((len(sigma), _DIMENSIONS))
        noise[:, 0] += true
        length = np.sqrt(np.sum(noise**2, axis=1))
        again = _distribution(length, sigma, sure, support, weights, _ROUNDS_AGAIN)
        off[k] = again @ support - true.mean()
    mean, se = mean - float(off.mean()), float(off.std(ddof=1))
    pull = float(ndtri(0.5 * (1.0 + level)))
    half = pull * se
    share = sure / sure.sum()
    square = float(share @ (von_mises**2 - _DIMENSIONS * sigma**2))
    of_square = share**2 @ (4.0 * sigma**2 * von_mises**2 - 2.0 * _DIMENSIONS * sigma**4)
    # there is at least the noise's own scatter
    of_square = max(float(of_square), float(share**2 @ (2.0 * _DIMENSIONS * sigma**4)))
    ends = square + pull * np.sqrt(of_square) * np.array([-1.0, 0.0, 1.0])
    rms = np.sqrt(np.maximum(ends, 0.0)).tolist()
    return MeanVonMises(
        mean=mean,
        se=se,
        low=mean - half,
        high=mean + half,
        measured=float(share @ von_mises),
        rms=rms[1],
        rms_low=rms[0],
        rms_high=rms[2],
        grains=len(von_mises),
    )


def _distribution(
    length: FloatArray,
    sigma: FloatArray,
    sure: FloatArray,
    support: FloatArray,
    start: FloatArray,
    rounds: int,
) -> FloatArray:
    """Weights of the true lengths in ``support``, from measured ones and their errors."""
    edges = np.quantile(sigma, np.linspace(0.0, 1.0, _CLASSES + 1)[1:-1])
    number = np.searchsorted(edges, sigma)
    bins = np.linspace(0.0, float(length.max()), _BINS + 1)
    centre = 0.5 * (bins[1:] + bins[:-1])
    blocks, counts = [], []
    for k in np.unique(number):
        own = number == k
        many, _ = np.histogram(length[own], bins=bins, weights=sure[own])
        kept = many > 0.0
        blocks.append(_density(centre[kept], support, float(np.sqrt(np.mean(sigma[own] ** 2)))))
        counts.append(many[kept])
    begin = 0.9 * start + 0.1 / len(start)
    return mixture_weights(np.concatenate(blocks), np.concatenate(counts), begin, rounds)


def _density(measured: FloatArray, true: FloatArray, sigma: float) -> FloatArray:
    """Density of the measured length (rows) for each true one (columns)."""
    y, v = measured[:, None] / sigma, true[None, :] / sigma
    order = 0.5 * _DIMENSIONS - 1.0
    bell = np.exp(-0.5 * (y - v) ** 2) * ive(order, y * v)
    return np.asarray(y * (y / v) ** order * bell / sigma)
