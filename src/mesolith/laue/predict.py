"""Spots that a reciprocal lattice puts on the panel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.laue._kernels_predict import predict
from mesolith.laue.geometry import LaueGeometry
from mesolith.laue.reflections import LaueReflections


@dataclass(frozen=True, slots=True)
class PredictedSpots:
    """Spots of one grain, harmonics together.

    ``direction`` (n,) is the row of the `LaueReflections`, ``order`` (n,) the harmonic that
    should be strongest, at ``energy`` keV. ``place`` (n, 2) ideal px; ``strength`` (n,) relative
    to nothing but one another; ``depth`` (n,) um along the beam, ``doubt`` (n,) its standard
    deviation because the harmonics' shares are uncertain.
    """

    direction: IntArray
    order: IntArray
    place: FloatArray
    strength: FloatArray
    depth: FloatArray
    doubt: FloatArray
    energy: FloatArray

    def __len__(self) -> int:
        return len(self.direction)

    def take(self, rows: IntArray) -> PredictedSpots:
        """Some of the rows."""
        return PredictedSpots(
            self.direction[rows],
            self.order[rows],
            self.place[rows],
            self.strength[rows],
            self.depth[rows],
            self.doubt[rows],
            self.energy[rows],
        )

    def strongest(self, count: int) -> PredictedSpots:
        """That many of the strongest, in order."""
        return self.take(np.argsort(-self.strength, kind="stable")[:count])


def predict_spots(
    reciprocal: FloatArray,
    reflections: LaueReflections,
    geometry: LaueGeometry,
    *,
    weakest: float = 0.0,
) -> PredictedSpots:
    """Spots of a reciprocal lattice (3, 3), columns a* b* c* in 1/angstrom, laboratory axes.

    ``weakest``: directions that can have at most this share of the strongest are not looked at.
    """
    last = int(np.searchsorted(-reflections.most, -weakest))
    out = np.empty((last, 6))
    which = np.empty((last, 2), dtype=np.int64)
    count = predict(
        np.ascontiguousarray(reciprocal),
        reflections.hkl_float[:last],
        reflections.length,
        reflections.start,
        reflections.order,
        reflections.square,
        reflections.table.photons,
        reflections.table.length,
        geometry.centre,
        float(np.cos(geometry.half_angle + 0.01)),
        geometry.row,
        out,
        which,
    )
    out, which = out[:count], which[:count]
    return PredictedSpots(
        direction=which[:, 0],
        order=which[:, 1],
        place=np.ascontiguousarray(out[:, :2]),
        strength=np.ascontiguousarray(out[:, 2]) / reflections.scale,
        depth=np.ascontiguousarray(out[:, 3]),
        doubt=np.ascontiguousarray(out[:, 4]),
        energy=out[:, 5],
    )
