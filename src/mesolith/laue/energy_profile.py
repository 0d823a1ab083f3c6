"""Profiles of one point's spots against energy: one lattice or two, by Poisson's likelihood.

All reflections of a point are fitted together: each has its energy, width, height and background;
the shape is theirs in common, and so are the split and the mixing ratio of two lattices. A single
lattice may also have lopsided profiles, as one whose size varies with depth makes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.numerics.leastsquares import fit_least_squares, inverse_normal_matrix

# of each reflection: relative energy, log width, log height, log background
_OWN = 4
ONE, TWO, LOPSIDED = 1, 2, 3
_MOST_SKEW = 1.5
_NOTHING = 1e-60
_HALF = 2.0 * math.log(2.0)
_LEAST_BACKGROUND = 1e-3
# first guesses of the split, in widths, and of the larger lattice's share
_SPLITS, _SHARES = (1.0, 2.0, 3.5, 6.0, 9.0), (0.2, 0.5, 0.8)
# a good model ends after 20 steps; one that does not fit may creep on for nothing
_TRIAL_STEPS, _MOST_STEPS = 4, 40
# where two may be apart, a single shape's tails are theirs
_APART = 3.0


@dataclass(frozen=True, slots=True)
class ProfileFit:
    """Fit of the profiles of one point.

    ``energy`` (m,) keV is that of the only or the smaller lattice, ``covariance`` (m, m) keV^2;
    ``width`` (m,) keV, ``height`` and ``background`` (m,) counts. ``tail`` is the Lorentzian
    part. ``split``, ``share`` and their errors are 0 for one lattice. ``deviance`` is twice the
    log-likelihood that is missing to a perfect fit, ``scatter`` Pearson's chi^2 per degree of
    freedom, at least 1; covariances are multiplied by it. ``values`` are the parameters
    of the ``kind`` of model.
    """

    energy: FloatArray
    covariance: FloatArray
    width: FloatArray
    height: FloatArray
    background: FloatArray
    tail: float
    split: float
    split_se: float
    share: float
    share_se: float
    deviance: float
    scatter: float
    values: FloatArray
    kind: int


@dataclass(frozen=True, slots=True)
class Profiles:
    """Steps (k,) of one point: reflection 0 .. m - 1, energy relative to its guess, counts."""

    which: IntArray
    offset: FloatArray
    counts: FloatArray
    guess: FloatArray

    @classmethod
    def of(cls, which: IntArray, energy: FloatArray, counts: FloatArray) -> Profiles:
        """Profiles around the middle of each scanned range; ``which`` (k,) counts from 0."""
        number = int(which.max()) + 1
        guess = np.array([energy[which == i].mean() for i in range(number)])
        return cls(which, energy / guess[which] - 1.0, counts, guess)


def fit_one(profiles: Profiles) -> ProfileFit:
    """Best fit of one lattice."""
    start = np.append(_first_guess(profiles), 0.1)
    return _finished(profiles, _fitted(profiles, start, ONE, _MOST_STEPS), ONE)


def fit_two(profiles: Profiles, one: ProfileFit) -> ProfileFit:
    """Best fit of two lattices, from several guesses around the fit of one."""
    count = len(profiles.guess)
    width = float(np.median(one.width / one.energy))
    trials = []
    for widths in _SPLITS:
        for share in _SHARES:
            split = widths * width
            start = np.concatenate([one.values, [split, share]])
            if widths > _APART:
                start[_OWN * count] = 0.1
            own = start[: _OWN * count].reshape(count, _OWN)
            # the single peak lies on the stronger of the two, or between equal ones
            own[:, 0] += split * (0.0 if share < 0.4 else 0.5 if share < 0.6 else 1.0)
            if share == 0.5:
                own[:, 1] += math.log(max(1.0 - 0.2 * widths, 0.4))
            trials.append(_fitted(profiles, start, TWO, _TRIAL_STEPS))
    trials.sort(key=lambda trial: trial[1])
    ends = [_fitted(profiles, values, TWO, _MOST_STEPS) for values, _ in trials[:2]]
    return _finished(profiles, min(ends, key=lambda end: end[1]), TWO)


def fit_lopsided(profiles: Profiles, one: ProfileFit) -> ProfileFit:
    """Best fit of one lattice whose profiles each have a wider and a narrower side."""
    start = np.concatenate([one.values, np.zeros(len(profiles.guess))])
    return _finished(profiles, _fitted(profiles, start, LOPSIDED, _MOST_STEPS), LOPSIDED)


def expected_counts(
    profiles: Profiles, fit: ProfileFit, offset: FloatArray, row: int
) -> FloatArray:
    """Counts (n,) that a fit expects of one reflection at energies relative to its guess."""
    single = Profiles(np.full(len(offset), row), offset, np.zeros(len(offset)), profiles.guess)
    return _expected(single, fit.values, fit.kind)[0]


def _fitted(
    profiles: Profiles, start: FloatArray, kind: int, steps: int
) -> tuple[FloatArray, float]:
    """Parameters and deviance after that many steps at most."""
    count = len(profiles.guess)
    reach = float(np.ptp(profiles.offset))
    low = np.tile([-reach, math.log(1e-6), math.log(1e-2), math.log(_LEAST_BACKGROUND)], count)
    high = np.tile([reach, math.log(reach), 25.0, 25.0], count)
    low, high = np.append(low, 0.0), np.append(high, 1.0)
    if kind == TWO:
        low, high = np.concatenate([low, [1e-6, 0.0]]), np.concatenate([high, [reach, 1.0]])
    elif kind == LOPSIDED:
        low = np.concatenate([low, np.full(count, -_MOST_SKEW)])
        high = np.concatenate([high, np.full(count, _MOST_SKEW)])

    def model(values: FloatArray) -> tuple[FloatArray, FloatArray]:
        expected, slope = _expected(profiles, values, kind)
        return _deviance_residual(profiles.counts, expected, slope)

    found = fit_least_squares(model, start, lower=low, upper=high, most_steps=steps)
    return found.values, float(found.residual @ found.residual)


def _expected(profiles: Profiles, values: FloatArray, kind: int) -> tuple[FloatArray, FloatArray]:
    """Expected counts (k,) and their derivatives (k, parameters)."""
    count, which = len(profiles.guess), profiles.which
    own = values[: _OWN * count].reshape(count, _OWN)[which]
    tail = values[_OWN * count]
    centre, width = own[:, 0], np.exp(own[:, 1])
    height, background = np.exp(own[:, 2]), np.exp(own[:, 3])
    split, share = values[-2:] if kind == TWO else (0.0, 0.0)
    slope = np.zeros((len(which), len(values)))
    rows = np.arange(len(which))
    if kind == LOPSIDED:
        side = np.sign(profiles.offset - centre)
        width = width * np.exp(side * values[_OWN * count + 1 :][which])
    z = (profiles.offset - centre) / width
    first, by_first, by_tail = profile_shape(z, tail)
    profile = (1.0 - share) * first
    by_centre = -(1.0 - share) * by_first / width
    by_width = -(1.0 - share) * by_first * z
    tails = (1.0 - share) * by_tail
    if kind == LOPSIDED:
        slope[rows, _OWN * count + 1 + which] = height * side * by_width
    if kind == TWO:
        other = (1.0 + centre) / (1.0 + split) - 1.0
        z = (profiles.offset - other) / width
        second, by_second, by_tail = profile_shape(z, tail)
        profile = profile + share * second
        by_centre = by_centre - share * by_second / width / (1.0 + split)
        by_width = by_width - share * by_second * z
        tails = tails + share * by_tail
        slope[:, -2] = height * share * by_second / width * (1.0 + other) / (1.0 + split)
        slope[:, -1] = height * (second - first)
    for k, part in enumerate((height * by_centre, height * by_width, height * profile, background)):
        slope[rows, _OWN * which + k] = part
    slope[:, _OWN * count] = height * tails
    # of two lattices one may have left the scan, and its split then means nothing
    return background + height * profile, np.where(np.abs(slope) < _NOTHING, 0.0, slope)


def profile_shape(z: FloatArray, tail: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Profile of height 1, its derivatives by z and by the Lorentzian part; one half width."""
    gauss = np.exp(-0.5 * z**2)
    lorentz = 1.0 / (1.0 + z**2 / _HALF)
    slope = -(1.0 - tail) * z * gauss - tail * 2.0 * z / _HALF * lorentz**2
    return (1.0 - tail) * gauss + tail * lorentz, slope, lorentz - gauss


def _deviance_residual(
    counts: FloatArray, expected: FloatArray, slope: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Signed roots of Poisson's deviance (k,), whose squares add up to it, and derivatives."""
    ratio = counts / expected
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(counts > 0.0, counts * np.log(ratio), 0.0)
        size = np.sqrt(np.maximum(2.0 * (logs - (counts - expected)), 0.0))
        residual = np.where(counts < expected, size, -size)
        # near a perfect fit the root's derivative is that of a normal residual
        near = np.abs(ratio - 1.0) < 1e-5
        by = np.where(near, 1.0 / np.sqrt(expected), (1.0 - ratio) / residual)
    return residual, by[:, None] * slope


def _first_guess(profiles: Profiles) -> FloatArray:
    made = []
    for i in range(len(profiles.guess)):
        here = profiles.which == i
        offset, counts = profiles.offset[here], profiles.counts[here]
        background = max(float(np.quantile(counts, 0.2)), 0.5)
        smooth = np.convolve(counts, np.ones(3) / 3.0, mode="same")
        top = int(np.argmax(smooth))
        height = max(float(smooth[top]) - background, 1.0)
        step = float(np.ptp(offset)) / max(len(offset) - 1, 1)
        area = float(np.sum(np.maximum(counts - background, 0.0))) * step
        width = max(area / (height * math.sqrt(2.0 * math.pi)), 0.5 * step)
        made += [offset[top], math.log(width), math.log(height), math.log(background)]
    return np.array(made)


def _finished(profiles: Profiles, end: tuple[FloatArray, float], kind: int) -> ProfileFit:
    values, deviance = end
    count = len(profiles.guess)
    expected, slope = _expected(profiles, values, kind)
    freedom = max(len(expected) - len(values), 1)
    scatter = max(float(np.sum((profiles.counts - expected) ** 2 / expected)) / freedom, 1.0)
    covariance = scatter * inverse_normal_matrix(slope / np.sqrt(expected)[:, None])
    own = values[: _OWN * count].reshape(count, _OWN)
    first = _OWN * np.arange(count)
    energy = profiles.guess * (1.0 + own[:, 0])
    return ProfileFit(
        energy=energy,
        covariance=covariance[np.ix_(first, first)] * np.outer(profiles.guess, profiles.guess),
        width=energy * np.exp(own[:, 1]),
        height=np.exp(own[:, 2]),
        background=np.exp(own[:, 3]),
        tail=float(values[_OWN * count]),
        split=float(values[-2]) if kind == TWO else 0.0,
        split_se=math.sqrt(covariance[-2, -2]) if kind == TWO else 0.0,
        share=float(values[-1]) if kind == TWO else 0.0,
        share_se=math.sqrt(covariance[-1, -1]) if kind == TWO else 0.0,
        deviance=deviance,
        scatter=scatter,
        values=values,
        kind=kind,
    )
