"""Errors of weighted sums of values that are alike where they lie near each other.

Values f_i at n places have the covariance v [(1 - a) I + a R(d_ij)]: a share of their own, and a
share that fades with distance. The variance of a sum with known weights is then that of
Clifford, Richardson and Hemon (doi:10.2307/2532039): sum_ij w_i w_j C(d_ij). What is not known is
C, and an estimate of it from residuals is too small, since mean and plane took their part.
So the likelihood is that of contrasts that mean and plane cannot reach (restricted likelihood;
Patterson and Thompson, doi:10.1093/biomet/58.3.545), here of smooth waves that are orthogonal to
them, which carry most of what a sum over many places depends on, and of the variance that is
left. Waves are sums over many values, so that a few extreme ones do little harm.

Shape, range and share are not picked but averaged over with their likelihood, the variance v
included (on why: Berger, De Oliveira and Sanso, doi:10.1198/016214501753382282). The result is
a mixture of t distributions, of which effective degrees of freedom are stated: those of the
estimate of the sum's variance, as in Dutilleul (doi:10.2307/2532625).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.numerics._kernels_likeness import products_by_distance

Shape = Literal["gaussian", "exponential"]
_Float = TypeVar("_Float", bound=np.floating[Any])

LEAST_UNITS = 5.0  # fewer independent units tell nothing
_SHARES = np.sin(0.5 * np.pi * np.arange(24) / 24.0) ** 2
_FIRST, _STEP = 0.75, 2.0**0.25  # first range in spacings, and the ratio of ranges
_LARGEST = 0.35  # last range, in extents of the body
_GAUSSIAN: tuple[Shape, ...] = ("gaussian",)
# before the data speak; an exponential has the longer tail, and would always be the safer guess
_LOG_PRIOR: dict[Shape, float] = {"gaussian": 0.0, "exponential": float(np.log(0.1))}
_WAVES = 100
_WHOLE, _PIECE, _PIECES = 3_000, 1_000, 8
_ROWS = 1_000
_BIN = 0.1  # of a spacing


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the values of each field are: weights of the hypotheses, sum 1.

    ``weight`` and ``variance`` have the shape (fields, ranges and shapes, shares); ``freedom``
    (fields,) are the degrees of freedom of the variance when shape, range and share are known.
    """

    weight: FloatArray
    variance: FloatArray
    freedom: FloatArray


@dataclass(frozen=True, slots=True)
class SumTest:
    """Sums and what is known of them; see `LikenessModel.test`."""

    total: FloatArray
    covariance: FloatArray
    freedom: FloatArray
    units: FloatArray
    p: FloatArray

    @property
    def se(self) -> FloatArray:
        """Standard error of each component, shape (sums, d)."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of the body whose waves are looked at, with what each hypothesis expects there."""

    member: IntArray
    wave: FloatArray  # (members, waves), orthonormal
    left: int  # dimensions that no wave covers
    axes: FloatArray  # (hypotheses, waves, waves)
    power: FloatArray  # (hypotheses, waves), of R along these axes
    rest: FloatArray  # (hypotheses,), mean of R in what is left


class LikenessModel:
    """What places alone say; fields at these places are then quick to judge.

    Parameters
    ----------
    position
        Places, shape (n, 3).
    spacing
        Distance of neighbours, same unit.
    fixed
        Columns whose part was, or will be, taken out of each field; shape (n, columns).
        None: a constant and x, y, z.
    expected
        Range of a Gaussian likeness and the spread of its logarithm, where they are known before
        the fields are. None: every range up to a third of the body is as likely as another.

    Raises
    ------
    InvalidValueError
        Too few places.
    """

    def __init__(
        self,
        position: FloatArray,
        spacing: float,
        *,
        fixed: FloatArray | None = None,
        expected: tuple[float, float] | None = None,
    ) -> None:
        place = np.ascontiguousarray(position, dtype=np.float64)
        centred = place - place.mean(axis=0)
        columns = np.column_stack([np.ones(len(place)), centred]) if fixed is None else fixed
        self._fixed = _orthonormal(columns)
        self._place, self._spacing = place, spacing
        extent = float(np.ptp(place, axis=0).max())
        if len(place) < 3 * self._fixed.shape[1] + 3 or not extent > 0.0:
            raise InvalidValueError(f"{len(place)} places are too few to see what is alike")
        count = int(np.log(max(_LARGEST * extent / (_FIRST * spacing), 1.0)) / np.log(_STEP)) + 1
        ranges = _FIRST * spacing * _STEP ** np.arange(count)
        shapes: tuple[Shape, ...] = ("gaussian", "exponential") if expected is None else _GAUSSIAN
        self.hypotheses = tuple((shape, float(reach)) for reach in ranges for shape in shapes)
        self._log_prior = np.array([_LOG_PRIOR[shape] for shape, _ in self.hypotheses])
        if expected is not None:
            away = np.log(ranges / expected[0]) / expected[1]
            self._log_prior = -0.5 * away**2
        self._pieces = [self._piece(member) for member in _pieces_of(place)]

    def _piece(self, member: IntArray) -> _Piece:
        # what is orthogonal to the fixed columns here does not feel that they were taken out
        place, taken = self._place[member], _orthonormal(self._fixed[member])
        wave = _waves(place, taken)
        left = len(member) - taken.shape[1] - wave.shape[1]
        apart = _distances(place.astype(np.float32))
        narrow, narrow_taken = wave.astype(np.float32), taken.astype(np.float32)
        axes, power, rest = [], [], []
        for shape, reach in self.hypotheses:
            alike = correlation(shape, apart, reach)
            values, own = np.linalg.eigh((narrow.T @ (alike @ narrow)).astype(np.float64))
            power.append(np.maximum(values, 0.0))
            axes.append(own)
            outside = len(member) - np.sum(narrow_taken * (alike @ narrow_taken)) - values.sum()
            rest.append(max(float(outside), 0.0) / max(left, 1))
        return _Piece(member, wave, left, np.array(axes), np.array(power), np.array(rest))

    def fit(self, fields: FloatArray) -> Likeness:
        """Weigh the hypotheses for each field, shape (n, fields); fixed columns are taken out."""
        rest = fields - self._fixed @ (self._fixed.T @ fields)
        if np.any(np.abs(rest).max(axis=0) <= 1e-12 * np.abs(fields).max(axis=0)):
            raise InvalidValueError("a field without spread has no likeness")
        found = [self._fit(rest[:, k]) for k in range(rest.shape[1])]
        return Likeness(
            weight=np.array([weight for weight, _, _ in found]),
            variance=np.array([variance for _, variance, _ in found]),
            freedom=np.array([freedom for _, _, freedom in found]),
        )

    def _fit(self, field: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        second = float(np.mean(field**2))
        # squares of heavy tails say less about their mean than squares of normal numbers
        heavy = max(float(np.mean(field**4)) / second**2 - 3.0, 0.0)
        trust = 1.0 / (1.0 + 0.5 * heavy)
        shares = _SHARES
        squares = np.zeros((len(self.hypotheses), len(shares)))
        logs, freedom = np.zeros_like(squares), 0.0
        for piece in self._pieces:
            own = field[piece.member]
            height = own @ piece.wave
            along = np.einsum("hmk,m->hk", piece.axes, height) ** 2
            expected = 1.0 + shares[:, None] * (piece.power[:, None, :] - 1.0)
            squares += np.sum(along[:, None, :] / expected, axis=2)
            logs += np.sum(np.log(expected), axis=2)
            freedom += len(height)
            if piece.left > 0:
                mean = 1.0 + shares * (piece.rest[:, None] - 1.0)
                squares += trust * max(float(own @ own - height @ height), 0.0) / mean
                logs += trust * piece.left * np.log(mean)
                freedom += trust * piece.left
        chance = self._log_prior[:, None] - 0.5 * (logs + freedom * np.log(squares))
        weight = np.exp(chance - chance.max())
        return weight / weight.sum(), squares / freedom, freedom

    def reach(self, likeness: Likeness) -> FloatArray:
        """Range of each field's likeness: geometric mean over the hypotheses, shape (fields,)."""
        ranges = np.array([reach for _, reach in self.hypotheses])
        return np.asarray(np.exp(likeness.weight.sum(axis=2) @ np.log(ranges)))

    def test(self, likeness: Likeness, weights: FloatArray, total: FloatArray) -> SumTest:
        """Whether sums differ from zero, and their errors.

        Parameters
        ----------
        likeness
            Of as many fields as there are sums, or of one field that all sums are of.
        weights
            Shape (n, sums, d), or (n, 1, d) where all sums have the same. A sum may be a vector,
            which is judged by its length in units of its covariance.
        total
            The sums, shape (sums, d); mostly weights times field, but what else was corrected
            may be in them.

        Returns
        -------
        test
            ``covariance`` (sums, d, d) and ``freedom`` (sums,) are those of the t distribution
            with the same mean and spread of precision; ``p`` (sums,) is two-sided, of the
            mixture. ``units`` (sums,): independent values whose sum would be as uncertain.
            With fewer than `LEAST_UNITS` covariance, freedom and p are NaN: nothing can be told.
        """
        own, shared = self._quadratic(weights)
        places = np.sum(np.abs(weights), axis=0) ** 2 / np.sum(weights**2, axis=0)
        sums, size = total.shape
        covariance = np.empty((sums, size, size))
        freedom, units, p = np.empty(sums), np.empty(sums), np.empty(sums)
        for k in range(sums):
            f, w = k % len(likeness.weight), k % weights.shape[1]
            chance, known = likeness.weight[f], float(likeness.freedom[f])
            scale = likeness.variance[f][:, :, None, None]
            part = _SHARES[:, None, None]
            spread = own[w] + part * (shared[:, None, w] - own[w])
            larger = np.einsum("hs,hsaa,a->a", chance, spread, 1.0 / np.diag(own[w]))
            units[k] = float(np.min(places[w] / larger))
            inverse = np.linalg.inv(scale * spread)
            mean = np.einsum("hs,hsab->ab", chance, inverse)
            covariance[k] = np.linalg.inv(mean)
            relative = np.einsum("hsab,ba->hs", inverse, covariance[k]) / size
            scatter = float(np.sum(chance * relative**2)) * (1.0 + 2.0 / known) - 1.0
            freedom[k] = 2.0 / max(scatter, 1e-12)
            length = np.einsum("a,hsab,b->hs", total[k], inverse, total[k]) / size
            p[k] = float(np.sum(chance * fdtrc(size, known, length)))
        unknown = units < LEAST_UNITS
        covariance[unknown], freedom[unknown], p[unknown] = np.nan, np.nan, np.nan
        return SumTest(total, covariance, freedom, units, p)

    def _quadratic(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """w^T w of each sum, and w^T R w of each hypothesis: (sums, d, d), (hypotheses, ...)."""
        size = np.sum(weights**2, axis=0).max(axis=-1)
        strength = np.sum(weights**2 / np.where(size > 0.0, size, 1.0)[:, None], axis=(1, 2))
        order = np.argsort(-strength, kind="stable").astype(np.int64)
        rows, counts = order, np.ones(len(order))
        if len(order) > _WHOLE:
            # of places that weigh little a part stands for all
            others = np.random.default_rng(0).permutation(order[_ROWS:])[:_ROWS]
            rows = np.concatenate([order[:_ROWS], others])
            counts = np.repeat([1.0, (len(order) - _ROWS) / _ROWS], _ROWS)
        width = _BIN * self._spacing
        bins = int(np.linalg.norm(np.ptp(self._place, axis=0)) / width) + 2
        weights = np.ascontiguousarray(weights, dtype=np.float64)
        found = products_by_distance(self._place, rows, counts, weights, width, bins)
        found = 0.5 * (found + found.swapaxes(2, 3))
        own = np.einsum("nga,ngb->gab", weights, weights)
        middle = (np.arange(bins) + 0.5) * width
        table = np.array([correlation(shape, middle, reach) for shape, reach in self.hypotheses])
        return own, own + np.tensordot(table, found, axes=1)


def correlation(shape: Shape, apart: NDArray[_Float], reach: float) -> NDArray[_Float]:
    """Correlation at each distance: exp(-d^2 / 2 r^2) or exp(-d / r)."""
    if shape == "gaussian":
        return np.asarray(np.exp(-0.5 * (apart / reach) ** 2))
    return np.asarray(np.exp(-apart / reach))


def _orthonormal(columns: FloatArray) -> FloatArray:
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, size > 1e-10 * size[0]])


def _pieces_of(position: FloatArray) -> list[IntArray]:
    """The body whole, or cut in halves across until about a thousand places are in a piece."""
    pieces = [np.arange(len(position))]
    if len(position) <= _WHOLE:
        return pieces
    while max(len(own) for own in pieces) > 1.5 * _PIECE:
        halves = []
        for own in pieces:
            axis = int(np.argmax(np.ptp(position[own], axis=0)))
            order = np.argsort(position[own, axis], kind="stable")
            halves += [np.sort(own[part]) for part in np.array_split(order, 2)]
        pieces = halves
    # a few, from one end of the body to the other, stand for all
    chosen = np.linspace(0, len(pieces) - 1, min(_PIECES, len(pieces))).astype(int)
    return [pieces[k] for k in chosen]


def _waves(place: FloatArray, taken: FloatArray) -> FloatArray:
    """Orthonormal columns, orthogonal to those taken, longest waves first; all for few places."""
    room = len(place) - taken.shape[1]
    if room <= 3 * _WAVES:
        full, _ = np.linalg.qr(taken, mode="complete")
        return np.asarray(full[:, taken.shape[1] :])
    extent = np.ptp(place, axis=0)
    extent = np.where(extent > 0.0, extent, 1e-6 * extent.max())
    inside = (place - place.min(axis=0)) / extent
    most = 2 * _WAVES
    # a wave has at least (i + 1)(j + 1)(k + 1) - 1 longer ones
    number = np.array(
        [
            (i, j, k)
            for i in range(most)
            for j in range(most // (i + 1))
            for k in range(most // ((i + 1) * (j + 1)))
        ]
    )
    order = np.argsort(np.sum((number / extent) ** 2, axis=1), kind="stable")[:most]
    wave = np.ones((len(place), len(order)))
    for axis in range(3):
        wave *= np.cos(np.pi * inside[:, axis, None] * number[order, axis])
    wave -= taken @ (taken.T @ wave)
    across, triangle = np.linalg.qr(wave)
    kept = np.abs(np.diag(triangle)) > 1e-3 * np.sqrt(len(place))
    across = across[:, kept][:, :_WAVES]
    return np.asarray(across - taken @ (taken.T @ across))


def _distances(place: NDArray[_Float]) -> NDArray[_Float]:
    square = np.sum(place**2, axis=1)
    apart = np.sqrt(np.maximum(square[:, None] + square - 2.0 * (place @ place.T), 0.0))
    np.fill_diagonal(apart, 0.0)
    return apart
