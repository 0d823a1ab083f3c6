"""Predictions of grains beside the spots that were measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm import _kernels_match as kernels
from mesolith.instrument.instrument import Instrument, kernel_arrays
from mesolith.records.spots import Spots

MISSED, UNSEEN = kernels.MISSED, kernels.UNSEEN
_BINS = 1440  # of a turn
_TILE = 64.0  # px
_BIASED = 3.0  # times the stated error of a saturated spot or one that is cut
_POLE_MARGIN = math.radians(0.3)


@dataclass(frozen=True, slots=True)
class Matches:
    """The spot nearest to each prediction of each grain, both crossings, shape (g, h, 2).

    ``spot`` are rows of the sorted spots of a `SpotLookup`, MISSED or UNSEEN; ``square`` the
    squared distances in units of the spots' covariance; ``expected`` whether a grain that is
    there must make a spot. ``share`` divides spots among the predictions that found them.
    """

    spot: IntArray
    square: FloatArray
    expected: NDArray[np.bool_]
    share: FloatArray

    def rows(self, rows: IntArray | NDArray[np.bool_]) -> Matches:
        """Those of some of the grains."""
        return Matches(self.spot[rows], self.square[rows], self.expected[rows], self.share[rows])


def joined_matches(one: Matches, two: Matches, *, sigmas: float, spots: int) -> Matches:
    """Matches of two lists of grains in the same sorted ``spots``, which they now share."""
    spot = np.concatenate([one.spot, two.spot])
    square = np.concatenate([one.square, two.square])
    share = np.empty(spot.shape)
    kernels.share_spots(spot, square, sigmas**2, spots, share)
    return Matches(spot, square, np.concatenate([one.expected, two.expected]), share)


class SpotLookup:
    """Spots of a layer, sorted so that a prediction finds its neighbours at once.

    ``rows`` (n, 9) are fast, slow (px), omega in [0, 2 pi) and the precision 00 01 02 11 12 22;
    ``order`` (n,) their rows in the `Spots`, ``panel`` (n,) their panels, ``intensity`` (n,) their
    counts; ``touching`` (n,) tells which were cut out of a patch of several. Saturated spots and
    those that are cut count as three times as uncertain as they state.
    """

    def __init__(self, spots: Spots, instrument: Instrument) -> None:
        self.source, self.panels = kernel_arrays(instrument)
        self.ranges = np.array(spots.omega_range, order="C")
        tiles = np.ceil(self.panels[:, [15, 14]].max(axis=0) / _TILE).astype(np.int64)
        self._shape = np.array([len(self.panels), _BINS, tiles[0], tiles[1]], dtype=np.int64)
        turn = np.mod(spots.omega, kernels.TURN)
        place = np.minimum((turn * (_BINS / kernels.TURN)).astype(np.int64), _BINS - 1)
        place += spots.panel * _BINS
        for value, count in ((spots.slow, tiles[0]), (spots.fast, tiles[1])):
            row = np.clip(((value + 0.5) / _TILE).astype(np.int64), 0, count - 1)
            place = place * count + row
        self.order = np.argsort(place)
        boxes = np.bincount(place, minlength=int(np.prod(self._shape)))
        self._start = np.zeros(len(boxes) + 1, dtype=np.int64)
        np.cumsum(boxes, out=self._start[1:])
        self.panel = np.ascontiguousarray(spots.panel[self.order])
        self.rows = np.empty((len(spots), kernels.ROW_SIZE))
        self.rows[:, 0] = spots.fast[self.order]
        self.rows[:, 1] = spots.slow[self.order]
        self.rows[:, 2] = turn[self.order]
        self.rows[:, 3:] = _precision(spots.covariance)[self.order]
        # their places are biased beyond what they state
        biased = (spots.saturated | spots.partial)[self.order]
        self.rows[biased, 3:] /= _BIASED**2
        self.intensity = spots.intensity[self.order]
        self.touching = spots.overlapping[self.order]
        self._some = np.arange(0, len(spots), max(1, len(spots) // 20_000))
        variance = spots.covariance[self.order[self._some]]
        self._spread = np.sqrt(np.diagonal(variance, axis1=1, axis2=2))
        self._sigma = _far(self._spread)

    def rescale(self, place: FloatArray, omega: FloatArray) -> None:
        """Multiply the standard deviations of places and of omega of each spot, (n,) each."""
        self.rows[:, [3, 4, 6]] /= place[:, None] ** 2
        self.rows[:, [5, 7]] /= (place * omega)[:, None]
        self.rows[:, 8] /= omega**2
        self._spread = self._spread * np.column_stack([place, place, omega])[self._some]
        self._sigma = _far(self._spread)

    def match(
        self,
        reciprocal: FloatArray,
        position: FloatArray,
        phase: IntArray,
        table: FloatArray,
        *,
        pole: float,
        sigmas: float = 4.0,
        wide: float | None = None,
        shift: float = 0.0,
    ) -> Matches:
        """Nearest spots of grains (g, 3, 3), (g, 3) on sample axes for all indices of their phases.

        ``phase`` (g,) are rows of ``table`` (phases, h, 3), that of `ReflectionTable`.
        ``sigmas`` bounds the distance in standard deviations; with ``wide`` spots are found up to
        that distance, and those beyond ``sigmas`` have no share. ``pole`` is the azimuth, rad,
        below which nothing is expected. ``shift`` turns every prediction by an angle, so that
        what is found is found by chance.
        """
        shape = (len(reciprocal), table.shape[1], 2)
        spot = np.empty(shape, dtype=np.int64)
        square, share = np.empty(shape), np.empty(shape)
        expected = np.empty(shape, dtype=np.bool_)
        far = sigmas if wide is None else wide
        low = math.sin(max(pole - _POLE_MARGIN, 1e-3))
        kernels.match_grains(
            np.ascontiguousarray(reciprocal),
            np.array(position, order="C"),  # copies: one kind of array, compiled for once
            np.array(phase, order="C"),
            table,
            self.source,
            self.panels,
            self.ranges,
            np.array([low, math.sin(pole + _POLE_MARGIN)]),
            shift,
            np.array([*(far * self._sigma), sigmas / far, far**2]),
            self.rows,
            self._start,
            self._shape,
            _TILE,
            spot,
            square,
            expected,
        )
        kernels.share_spots(spot, square, sigmas**2, len(self.rows), share)
        return Matches(spot, square, expected, share)


def _far(spread: FloatArray) -> FloatArray:
    """Standard deviations (3,) that one spot in a thousand exceeds."""
    return np.asarray(np.quantile(spread, 0.999, axis=0)) if len(spread) else np.ones(3)


def _precision(covariance: FloatArray) -> FloatArray:
    """Inverse 00 01 02 11 12 22 of each covariance (n, 3, 3), written out."""
    a, b, c = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 0, 2]
    d, e, f = covariance[:, 1, 1], covariance[:, 1, 2], covariance[:, 2, 2]
    if not (np.any(b) or np.any(c) or np.any(e)):
        zero = np.zeros(len(a))
        return np.stack([1.0 / a, zero, zero, 1.0 / d, zero, 1.0 / f], axis=1)
    minors = [d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e]
    minors.append(a * d - b * b)
    determinant = a * minors[0] + b * minors[1] + c * minors[2]
    return np.stack([minor / determinant for minor in minors], axis=1)
