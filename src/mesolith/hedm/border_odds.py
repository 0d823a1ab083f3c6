"""Whether two finds beside a border of two layers are parts of one grain.

For one grain speak a place on both sides of the border as a sphere of both volumes cut there would
have it, and an orientation and a strain that agree within their errors. Against it speaks how many
strangers lie as near in place and orientation: those are counted among finds of one layer, which
are strangers by themselves. How far parts of one grain differ is learnt from the finds, starting
from a guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.hedm.cut_spheres import cut_spheres
from mesolith.hedm.find_pairs import FindPairs
from mesolith.hedm.layer_finds import Finds
from mesolith.hedm.part_scatter import PartScatter, first_scatter, log_density, scatter_of_parts
from mesolith.numerics.assignment import pair_probabilities

_ROUNDS = 6
_MEDIAN = 0.789  # of the mean square of three unit normals
_SURE = 0.9
_PRIOR = 30.0  # pairs that first guesses count as
_SHAPE = 0.15  # of a grain's diameter, by which parts lie elsewhere than those of a sphere
_CUT = 0.3  # of the finds beside a border, guessed to be cut by it
_TURN, _STRAIN = math.radians(0.01), 5e-5  # between parts of one grain
_LEAST_EXPECTED = 0.05  # strangers that every angle is given beside those counted
_SHELLS = np.radians([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4])


@dataclass(frozen=True, slots=True)
class Strangers:
    """Density of misorientations among neighbours that are different grains, per rad3.

    ``density`` (k,) holds up to each of the angles ``angle`` (k,), and never rises with them.
    """

    angle: FloatArray
    density: FloatArray

    def at(self, angle: FloatArray) -> FloatArray:
        """Density (n,) at misorientations (n,)."""
        row = np.minimum(np.searchsorted(self.angle, angle), len(self.angle) - 1)
        return np.asarray(self.density[row])


def strangers_of(angle: FloatArray, operators: int) -> Strangers:
    """Density from misorientations (n,) of neighbours; at random it is that of the whole group.

    Where strangers with small angles are many, as in twins or subgrains, so is the density at
    all smaller angles.
    """
    volume = 4.0 / 3.0 * math.pi * _SHELLS**3
    random = operators / (8.0 * math.pi**2)
    expected = len(angle) * random * volume
    counted = np.searchsorted(np.sort(angle), _SHELLS)
    density = random * (counted + _LEAST_EXPECTED) / (expected + _LEAST_EXPECTED)
    return Strangers(_SHELLS, np.maximum.accumulate(density[::-1])[::-1])


@dataclass(frozen=True, slots=True)
class BorderModel:
    """What is believed of parts of one grain.

    ``cut`` (borders,) are grains that each border cuts; ``shape`` is how far, in diameters, parts
    lie from those of a sphere; ``turn`` (rad) and ``strain`` how far they differ.
    """

    cut: FloatArray
    shape: float
    turn: PartScatter
    strain: PartScatter


@dataclass(frozen=True, slots=True)
class BorderOdds:
    """Pairs beside all borders with ``gain``, their log odds beside staying alone, and chances.

    ``probability`` (n,) that a pair is one grain, with everything it competes with.
    """

    pairs: FindPairs
    gain: FloatArray
    probability: FloatArray
    model: BorderModel


def weigh_borders(
    finds: Finds, pairs: FindPairs, *, strangers: Strangers, area: float
) -> BorderOdds:
    """Odds of all pairs beside all borders, with what the pairs teach of parts.

    ``area`` (um2) is that of the sample in the beam.
    """
    view = _View(finds, pairs, strangers, area)
    counts = np.bincount(finds.layer, minlength=len(finds.top)).astype(np.float64)
    model = BorderModel(
        _CUT * np.minimum(counts[:-1], counts[1:]) + 1e-3,
        _SHAPE,
        first_scatter(_TURN),
        first_scatter(_STRAIN),
    )
    gain = view.gain(model)
    probability = view.probability(gain)
    for _ in range(_ROUNDS if len(pairs) else 0):
        model = view.learnt(model, probability)
        gain = view.gain(model)
        before, probability = probability, view.probability(gain)
        if float(np.abs(probability - before).max()) < 1e-3:
            break
    return BorderOdds(pairs, gain, probability, model)


class _View:
    """What of the pairs does not change while the model is learnt."""

    def __init__(self, finds: Finds, pairs: FindPairs, strangers: Strangers, area: float) -> None:
        lower, upper = pairs.lower, pairs.upper
        self.pairs, self.border = pairs, finds.layer[lower]
        top, bottom = finds.top[self.border], finds.bottom[self.border + 1]
        sphere = cut_spheres(finds.volume[lower], finds.volume[upper], top, bottom)
        self.diameter = np.cbrt(6.0 * sphere.volume / math.pi)
        place = finds.position[upper] - finds.position[lower]
        share = finds.volume[upper] / (finds.volume[lower] + finds.volume[upper])
        height = finds.position[lower, 2] + share * place[:, 2]
        # x, y, z of one part against the other, z of both against the edges
        self.off = np.column_stack(
            [place[:, :2], place[:, 2] - sphere.apart, np.nan_to_num(height - sphere.centre)]
        )
        variance = np.diagonal(finds.covariance, axis1=1, axis2=2)[:, :3]
        both = variance[lower] + variance[upper]
        heights = (1.0 - share) ** 2 * variance[lower, 2] + share**2 * variance[upper, 2]
        self.variance = np.nan_to_num(np.column_stack([both, heights]))
        self.free = np.isnan(sphere.centre)
        self.common = np.maximum(top - bottom, 1.0)  # um, where the height is free
        covariance = finds.covariance[lower] + finds.covariance[upper]
        usual = np.nanmedian(covariance, axis=0) if len(pairs) else np.eye(12)
        covariance = np.where(np.isfinite(covariance), covariance, 100.0 * usual)
        self.of_turn, self.of_strain = covariance[:, 3:6, 3:6], covariance[:, 6:, 6:]
        angle = np.linalg.norm(pairs.turn, axis=1)
        counts = np.bincount(finds.layer, minlength=len(finds.top)).astype(np.float64)
        # strangers by area and, on both sides, by height
        heights_of_beams = finds.top - finds.bottom
        dense = counts / (area * heights_of_beams)
        crowd = np.log(np.maximum(dense[self.border] * dense[self.border + 1], 1e-300))
        self.stranger = crowd + math.log(area) + np.log(strangers.at(angle))
        between = _spread_of_grains(finds) * math.sqrt(2.0)
        self.stranger += log_density(pairs.strain, self.of_strain, first_scatter(between))

    def gain(self, model: BorderModel) -> FloatArray:
        """Log odds (n,) of one grain against two."""
        variance = self.variance + (model.shape * self.diameter[:, None]) ** 2
        log = -0.5 * (self.off**2 / variance + np.log(2.0 * math.pi * variance))
        log[:, 3] = np.where(self.free, -np.log(self.common), log[:, 3])
        return np.asarray(
            np.log(model.cut[self.border])
            + log.sum(axis=1)
            + log_density(self.pairs.turn, self.of_turn, model.turn)
            + log_density(self.pairs.strain, self.of_strain, model.strain)
            - self.stranger
        )

    def probability(self, gain: FloatArray) -> FloatArray:
        """Chance (n,) of each pair, each find with one partner at most beside each border."""
        found = np.zeros(len(gain))
        for border in np.unique(self.border):
            rows = np.flatnonzero(self.border == border)
            found[rows] = pair_probabilities(
                self.pairs.lower[rows], self.pairs.upper[rows], gain[rows]
            )
        return found

    def learnt(self, model: BorderModel, probability: FloatArray) -> BorderModel:
        """The model that the pairs teach."""
        cut = np.bincount(self.border, probability, minlength=len(model.cut))
        sure = np.flatnonzero(probability > _SURE)
        weight = probability[sure]
        ratio = (self.off[sure] ** 2 - self.variance[sure]) / self.diameter[sure, None] ** 2
        ratio = ratio[:, :3]  # the fourth hangs on volumes more than on shapes
        # a median, so that the few wrong pairs do not count
        typical = float(np.median(np.mean(ratio, axis=1))) / _MEDIAN if len(sure) else 0.0
        shape = (_PRIOR * _SHAPE**2 + len(sure) * max(typical, 0.0)) / (_PRIOR + len(sure))
        return BorderModel(
            np.maximum(cut, 1e-3),
            math.sqrt(shape),
            scatter_of_parts(
                self.pairs.turn[sure], self.of_turn[sure], weight=weight, guess=first_scatter(_TURN)
            ),
            scatter_of_parts(
                self.pairs.strain[sure],
                self.of_strain[sure],
                weight=weight,
                guess=first_scatter(_STRAIN),
            ),
        )


def _spread_of_grains(finds: Finds) -> float:
    """How much grains differ in strain, from spacings: one standard deviation of a component."""
    volume = np.linalg.det(finds.lattice_vectors)
    spread = 0.0
    for kind in np.unique(finds.kind):
        own = np.cbrt(volume[finds.kind == kind])
        middle = float(np.median(own))
        # the mean of three components scatters by a root of three less
        spread = max(spread, 1.4826 * float(np.median(np.abs(own / middle - 1.0))))
    return max(math.sqrt(3.0) * spread, 1e-5)
