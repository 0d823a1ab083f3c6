"""Peaks of an energy scan: one lattice a point, or two where the profiles say so."""

from __future__ import annotations

import math

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.laue.energy_profile import (
    ProfileFit,
    Profiles,
    fit_lopsided,
    fit_one,
    fit_two,
)
from mesolith.laue.energy_settings import EnergySettings
from mesolith.records.field import quantities
from mesolith.records.laue_energy import EnergyPeaks, EnergyScan, LatticeSplits

_FEWEST_STEPS = 8
# Share of single lattices that gain more than g by a second one at least two widths away: at most
# this factor times exp(-g). In 1,100 virtual scans of four to eight reflections and 120 to 3,000
# counts it was 1.0 to 1.3 for every g up to 4, where 25 scans are left. It hangs on the first
# guesses of `fit_two`: measure it anew when they change.
_CHANCE = 1.3
# two equal peaks closer than so many widths have one top
_SPARROW = 2.0


def energy_peaks(
    scan: EnergyScan, settings: EnergySettings | None = None
) -> tuple[EnergyPeaks, LatticeSplits]:
    """Peak energies of all reflections, and for each point whether it holds one lattice or two.

    Profiles are fitted by Poisson's likelihood, all reflections of a point together: heights,
    widths and backgrounds are each one's own, the shape (between Gaussian and Lorentzian), the
    split and the mixing ratio are common. The second lattice is kept where a single one gains as
    much log-likelihood more rarely than ``false_alarm``; gains are divided by the scatter of the
    profiles first. A lattice whose size varies with depth makes lopsided profiles, so two must
    also do better than one with a side wider than the other at each reflection, which is charged
    1 for each side. Two that lie closer than two widths are not reported: they make one peak with
    a broad top, and blocks of one lattice make those, too.

    Raises
    ------
    InvalidValueError
        A reflection has fewer than eight steps, or counts nowhere.
    """
    settings = settings or EnergySettings()
    parts: list[tuple[IntArray, int, ProfileFit]] = []
    rows = []
    for point in np.unique(scan.point):
        own = np.flatnonzero(scan.point == point)
        profiles = _profiles(scan, own)
        one = fit_one(profiles)
        two = fit_two(profiles, one)
        lopsided = fit_lopsided(profiles, one)
        gain, skew = _gains(one, two, lopsided)
        chance = chance_of_gain(gain) if _apart(two) else 1.0
        resolved = chance < settings.false_alarm
        chosen = two if resolved else one
        parts.append((own, 2 if resolved else 1, chosen))
        rows.append(
            (
                *(int(point), two.split, two.split_se, two.share, two.share_se),
                *(gain, chance, resolved, skew, chosen.tail, chosen.scatter),
            )
        )
    names = tuple(quantities(LatticeSplits))
    table = zip(*rows, strict=True)
    columns = {name: np.array(column) for name, column in zip(names, table, strict=True)}
    return _peaks(parts), LatticeSplits(**columns)


def _gains(one: ProfileFit, two: ProfileFit, lopsided: ProfileFit) -> tuple[float, float]:
    """Log-likelihood gained by two lattices over the better single one, and by lopsidedness."""
    gain = 0.5 * (one.deviance - two.deviance) / two.scatter
    skew = 0.5 * (one.deviance - lopsided.deviance) / lopsided.scatter - len(one.energy)
    return max(gain - max(skew, 0.0), 0.0), skew


def _apart(two: ProfileFit) -> bool:
    """Whether the two lattices' peaks would have a top each, were they equal."""
    return bool(two.split > _SPARROW * np.median(two.width / two.energy))


def chance_of_gain(gain: float) -> float:
    """How often the profiles of one lattice gain as much log-likelihood by a second, at most."""
    return min(_CHANCE * math.exp(-gain), 1.0)


def _profiles(scan: EnergyScan, own: IntArray) -> Profiles:
    """Steps of the reflections ``own``, consecutive rows of the scan."""
    steps = np.flatnonzero((scan.reflection >= own[0]) & (scan.reflection <= own[-1]))
    which = scan.reflection[steps] - own[0]
    number = np.bincount(which, minlength=len(own))
    total = np.bincount(which, scan.counts[steps], minlength=len(own))
    for row, steps_of, counts in zip(own, number, total, strict=True):
        if steps_of < _FEWEST_STEPS or not counts > 0.0:
            raise InvalidValueError(
                f"reflection {scan.hkl[row].tolist()} of point {scan.point[row]} has {steps_of} "
                f"steps and {counts:.0f} counts in all",
                remedy=f"Scan at least {_FEWEST_STEPS} energies across the peak, or leave it out.",
            )
    return Profiles.of(which, scan.energy[steps], scan.counts[steps])


def _peaks(parts: list[tuple[IntArray, int, ProfileFit]]) -> EnergyPeaks:
    energy, error, reflection, component = [], [], [], []
    width, height, share, background = [], [], [], []
    for own, components, fit in parts:
        for k in range(components):
            part = (fit.share if k else 1.0 - fit.share) if components > 1 else 1.0
            energy.append(fit.energy / (1.0 + k * fit.split))
            error.append(_errors(fit, k))
            reflection.append(own)
            component.append(np.full(len(own), k))
            width.append(fit.width)
            height.append(fit.height * part)
            share.append(np.full(len(own), part))
            background.append(fit.background)
    order = np.lexsort((np.concatenate(component), np.concatenate(reflection)))
    return EnergyPeaks(
        **{
            name: np.concatenate(column)[order]
            for name, column in (
                *(("energy", energy), ("energy_se", error), ("reflection", reflection)),
                *(("component", component), ("width", width), ("height", height)),
                *(("share", share), ("background", background)),
            )
        }
    )


def _errors(fit: ProfileFit, component: int) -> FloatArray:
    """Standard errors of a component's energies, keV, from counting."""
    variance = np.diagonal(fit.covariance).copy()
    if component:
        variance += (fit.energy * fit.split_se) ** 2
    return np.sqrt(variance)
