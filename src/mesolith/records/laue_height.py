"""Heights of a surface as white-beam patterns tell them, point by point or as a smooth surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.records.field import CommonMode, Record, quantity


@dataclass(frozen=True, slots=True)
class LaueHeights(Record):
    """Height of the surface at each pattern, from its peaks alone, above the calibrant's.

    ``height`` is along the surface's normal, with orientation and deviatoric strain of all grains
    left free; ``height_error`` is its random part, infinity where the peaks say nothing.
    ``unmixed`` is the share of a height's displacement of the spots that no rotation and strain
    can imitate: the error is 1 / ``unmixed`` times what it would be if strains were known.
    ``common_modes`` hold what errors of the calibration put into all heights together; a panel
    off its place along the beam is a height.
    """

    plot: ClassVar[tuple[str, str] | None] = ("height", "pattern")

    pattern: IntArray = quantity("pattern", shape=("point",), dtype="int64")
    height: FloatArray = quantity(
        "height of the surface", unit="um", shape=("point",), error="height_error"
    )
    height_error: FloatArray = quantity(
        "random standard error of the height", unit="um", shape=("point",)
    )
    unmixed: FloatArray = quantity("share that strain cannot imitate", shape=("point",))
    spots: IntArray = quantity("spots used", shape=("point",), dtype="int64")
    common_modes: tuple[CommonMode, ...] = ()

    def __len__(self) -> int:
        return len(self.pattern)


@dataclass(frozen=True, slots=True)
class LaueSurface(Record):
    """A smooth surface: Legendre polynomials of the place on the sample.

    ``powers`` (term, 2) are the degrees along x and y, ``coefficient`` (um) belongs to each, on
    places that are scaled to -1 ... 1 between ``low`` and ``high`` (um). ``scatter`` is the mean
    squared residual of the heights over the stated, by which ``covariance`` is widened where it
    is above 1. ``common_modes`` shift the surface as a whole by their mean over the points.
    """

    plot: ClassVar[tuple[str, str] | None] = None

    powers: IntArray = quantity("degrees along x and y", shape=("term", 2), dtype="int64")
    coefficient: FloatArray = quantity(
        "coefficient", unit="um", shape=("term",), error="covariance"
    )
    covariance: FloatArray = quantity("covariance of the coefficients", shape=("term", "term"))
    low: FloatArray = quantity("least x and y", unit="um", shape=(2,))
    high: FloatArray = quantity("greatest x and y", unit="um", shape=(2,))
    scatter: float = quantity("mean squared residual over the stated")
    common_modes: tuple[CommonMode, ...] = ()

    def _check(self) -> None:
        if np.any(self.high <= self.low):
            raise InvalidValueError("LaueSurface has no extent in x or y")

    def standard_error(self, name: str) -> FloatArray | None:
        """Standard errors of the coefficients from their covariance."""
        if name == "coefficient":
            return np.sqrt(np.diagonal(self.covariance))
        return Record.standard_error(self, name)

    def at(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Height and its random standard error, um, each (...), at places (...), um."""
        terms = legendre_terms(self.powers, self.low, self.high, x, y)
        variance = np.einsum("...a,ab,...b->...", terms, self.covariance, terms)
        return terms @ self.coefficient, np.sqrt(variance)


def legendre_terms(
    powers: IntArray, low: FloatArray, high: FloatArray, x: FloatArray, y: FloatArray
) -> FloatArray:
    """Products of Legendre polynomials (..., terms) at places (...), um, between low and high."""
    parts = []
    for axis, place in enumerate((x, y)):
        scaled = 2.0 * (np.asarray(place) - low[axis]) / (high[axis] - low[axis]) - 1.0
        degree = int(powers[:, axis].max())
        basis = np.polynomial.legendre.legvander(scaled, degree)
        parts.append(basis[..., powers[:, axis]])
    return np.asarray(parts[0] * parts[1])
