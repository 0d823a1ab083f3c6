"""Weighted sums over the points of a Laue map, with errors that know that neighbours are alike.

Points are averaged over cells. The likeness of cells is estimated from what the columns of a
design leave of a field (`mesolith.numerics.likeness`), so that a sum's error, its degrees of
freedom and the number of independent values follow for means, contrasts and slopes alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.numerics.likeness import LikenessModel

_CELLS = 600
_FULL = 0.5  # cells with fewer of the usual number of points are left out


@dataclass(frozen=True, slots=True)
class MapCells:
    """Cells of a surface, each of one grain.

    ``cell`` (points,) is the cell of each point, -1 where its cell is too small to count;
    ``place`` (cells, 2) um, ``grain`` (cells,), ``size`` the edge, um.
    """

    cell: IntArray
    place: FloatArray
    grain: IntArray
    size: float

    def mean(self, values: FloatArray) -> FloatArray:
        """Means (cells, ...) of values (points, ...)."""
        total = np.zeros((len(self.grain), *values.shape[1:]))
        used = self.cell >= 0
        np.add.at(total, self.cell[used], values[used])
        count = np.bincount(self.cell[used], minlength=len(self.grain))
        return np.asarray(total / count.reshape((-1,) + (1,) * (values.ndim - 1)))


def map_cells(x: FloatArray, y: FloatArray, grain: IntArray, pitch: float) -> MapCells:
    """About 600 cells, no smaller than two steps of the raster, of points (n,) of grains (n,)."""
    steps = max(2, round(float(np.sqrt(len(x) / _CELLS))))
    size = steps * pitch
    a = np.floor((x - x.min()) / size + 0.25 / steps).astype(np.int64)
    b = np.floor((y - y.min()) / size + 0.25 / steps).astype(np.int64)
    names, cell, count = np.unique(
        np.stack([a, b, grain], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    kept = count >= _FULL * np.median(count)
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    cells = MapCells(
        cell=number[cell.reshape(-1)],
        place=np.zeros((int(kept.sum()), 2)),
        grain=names[kept, 2],
        size=size,
    )
    return MapCells(cells.cell, cells.mean(np.stack([x, y], axis=1)), cells.grain, size)


@dataclass(frozen=True, slots=True)
class SumAnswer:
    """Sums (k,), their standard errors and degrees of freedom, and independent values."""

    value: FloatArray
    se: FloatArray
    freedom: FloatArray
    units: FloatArray

    def above(self, bound: float | FloatArray = 0.0) -> FloatArray:
        """One-sided p-values (k,) of the hypothesis that a sum is not above a bound."""
        return np.asarray(stdtr(self.freedom, (bound - self.value) / self.se))

    def below(self, bound: float | FloatArray = 0.0) -> FloatArray:
        """One-sided p-values (k,) of the hypothesis that a sum is not below a bound."""
        return np.asarray(stdtr(self.freedom, (self.value - bound) / self.se))

    @property
    def p(self) -> FloatArray:
        """Two-sided p-values (k,) against zero."""
        return np.asarray(2.0 * stdtr(self.freedom, -np.abs(self.value) / self.se))

    def half_width(self, level: float = 0.95) -> FloatArray:
        """Half the width (k,) of the interval that covers with this probability."""
        return np.asarray(self.se * stdtrit(self.freedom, 0.5 + 0.5 * level))


class MapSums:
    """Sums over the cells of one surface; fields are then quick to judge.

    ``design`` (cells, columns) is what fields may contain besides noise: its part is taken out
    before likeness is looked for.
    """

    def __init__(self, cells: MapCells, design: FloatArray) -> None:
        place = np.column_stack([cells.place, np.zeros(len(cells.place))])
        self.cells = cells
        self._model = LikenessModel(place, cells.size, fixed=design)

    def test(
        self,
        weights: FloatArray,
        field: FloatArray,
        common: Sequence[tuple[float, FloatArray]] = (),
        *,
        errs_like: FloatArray | None = None,
    ) -> SumAnswer:
        """Sums of a field.

        Parameters
        ----------
        weights
            Of the cells, (cells, sums).
        field
            Values of the points, (points,).
        common
            Errors that all points share: standard deviation and response (points,) of each. They
            widen the error of a sum by what they do to it.
        errs_like
            Values of the points whose scatter tells the error, where it is not the field's own.
        """
        values = self.cells.mean(field)
        total = weights.T @ values
        scatter = values if errs_like is None else self.cells.mean(errs_like)
        if not np.all(np.isfinite(values)) or not np.ptp(scatter) > 0.0:
            raise InvalidValueError("a field without spread, or with gaps, cannot be tested")
        found = self._model.test(
            self._model.fit(scatter[:, None]), weights[:, :, None], total[:, None]
        )
        own = found.covariance[:, 0, 0]
        shared = np.zeros(len(total))
        for sigma, response in common:
            shared = shared + (sigma * (weights.T @ self.cells.mean(response))) ** 2
        freedom = found.freedom * ((own + shared) / own) ** 2
        return SumAnswer(total, np.sqrt(own + shared), freedom, found.units)


def grain_means(cells: MapCells, grains: IntArray) -> FloatArray:
    """Weights (cells, grains) of the mean of each grain."""
    member = (cells.grain[:, None] == grains).astype(np.float64)
    return np.asarray(member / np.maximum(member.sum(axis=0), 1.0))


def independent_columns(columns: FloatArray) -> NDArray[np.bool_]:
    """Which columns (cells, k) say something that those before them do not."""
    kept = np.zeros(columns.shape[1], dtype=np.bool_)
    taken = np.zeros((len(columns), 0))
    for k in range(columns.shape[1]):
        column = columns[:, k]
        size = float(np.linalg.norm(column))
        rest = column - taken @ (taken.T @ column)
        rest = rest - taken @ (taken.T @ rest)
        left = float(np.linalg.norm(rest))
        if np.isfinite(size) and left > 0.05 * size and size > 1e-9:
            kept[k] = True
            taken = np.column_stack([taken, rest / left])
    return kept
