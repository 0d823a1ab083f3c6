"""Every ray that a set of grains sends to the panel in one turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.virtual.arrays import BoolArray, FloatArray, IntArray
from mesolith.virtual.hedm._kernels_diffraction import diffract
from mesolith.virtual.hedm.grains import CrystalGrains
from mesolith.virtual.hedm.station import Station


@dataclass(frozen=True, slots=True)
class Rays:
    """Diffracted rays, one row each, exact.

    ``grain`` and ``member`` are rows of the grains and of the list of hkl; ``omega`` runs from
    the station's first angle for one turn, rad; ``fast`` and ``slow`` in px, the centre of the
    first pixel is (0, 0); ``direction`` (n, 3) is that of the ray with the beam's as (1, 0, 0),
    not of unit length; ``start`` (n, 3) is where the grain stood, um, laboratory axes.
    """

    grain: IntArray
    member: IntArray
    omega: FloatArray
    fast: FloatArray
    slow: FloatArray
    direction: FloatArray
    start: FloatArray

    def __len__(self) -> int:
        return len(self.grain)

    @property
    def sin_eta(self) -> FloatArray:
        """Size of the sine of the angle between a ray's projection and the z axis."""
        across = np.hypot(self.direction[:, 1], self.direction[:, 2])
        return np.asarray(np.abs(self.direction[:, 1]) / across)

    @property
    def sin_two_theta(self) -> FloatArray:
        """Sine of the angle between ray and beam."""
        across = np.hypot(self.direction[:, 1], self.direction[:, 2])
        return np.asarray(across / np.linalg.norm(self.direction, axis=1))

    def take(self, keep: BoolArray | IntArray) -> Rays:
        """Some of the rows."""
        return Rays(
            self.grain[keep],
            self.member[keep],
            self.omega[keep],
            self.fast[keep],
            self.slow[keep],
            self.direction[keep],
            self.start[keep],
        )


def rays_of(
    grains: CrystalGrains, hkl: IntArray, station: Station, *, rows: IntArray | None = None
) -> Rays:
    """Rays of all reflections ``hkl`` (m, 3) of the grains, or of some of their ``rows``.

    Rays that miss the panel, or come while no frame is taken, are left out. About 250 bytes a
    ray are in use meanwhile.
    """
    rows = np.arange(len(grains.position)) if rows is None else np.asarray(rows, dtype=np.int64)
    most = max(1, 2 * len(rows) * len(hkl))
    out, where = np.empty((most, 9)), np.empty((most, 2), dtype=np.int64)
    count = diffract(
        np.ascontiguousarray(grains.reciprocal),
        np.ascontiguousarray(grains.position),
        rows,
        np.asarray(hkl, dtype=np.float64),
        station.wavelength,
        station.axis,
        station.omega_start,
        station.panel_origin,
        station.panel_axes,
        np.array(station.distortion),
        station.distortion_radius,
        np.array(station.wobble),
        out,
        where,
    )
    out, where = out[:count], where[:count]
    slow_count, fast_count = station.shape
    fast = out[:, 1] / station.pitch + 0.5 * (fast_count - 1)
    slow = out[:, 2] / station.pitch + 0.5 * (slow_count - 1)
    keep = (fast >= -0.5) & (fast < fast_count - 0.5) & (slow >= -0.5) & (slow < slow_count - 0.5)
    keep &= out[:, 0] < station.omega_end
    return Rays(
        where[keep, 0],
        where[keep, 1],
        out[keep, 0],
        fast[keep],
        slow[keep],
        out[keep, 3:6],
        out[keep, 6:9],
    )
