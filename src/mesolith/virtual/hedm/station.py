"""The station: beam, rotation axis, panel and the frames of one turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray
from mesolith.virtual.rotation import matrices_from_vectors

HC_KEV_ANGSTROM = 12.398419843320026


@dataclass(frozen=True, slots=True)
class Station:
    """Where everything stands; the defaults are those of the published experiment.

    Lengths in um, angles in rad, laboratory axes. ``shape`` is (slow, fast) pixels of ``pitch``.
    ``centre`` is y and z of the panel's middle, which stands at x = ``distance``. At zero tilt
    its fast axis points along ``fast_axis`` and its slow axis along ``slow_axis``; ``tilt`` is
    the rotation vector that turns the panel about its middle. ``wedge`` tilts the rotation axis
    about +y, ``chi`` then about +x, so the axis is Rx(chi) (sin wedge, 0, cos wedge).
    ``distortion`` are six numbers p0 to p5 of the radial distortion of GE panels as HEXRD states
    it: with r and eta of the measured point about the panel's middle and R = ``distortion_radius``
    the ideal radius is r (1 + p0 (r/R)^p3 cos 2 eta + p1 (r/R)^p4 cos 4 eta + p2 (r/R)^p5).
    ``wobble`` (3, 3) are amplitudes of the second to fourth harmonic (columns) with which x, y
    and z (rows) of the rotation axis wander with omega, each at a phase of its own.
    Frame k covers ``omega_start + k omega_step`` to the start of the next.
    """

    energy_kev: float = 76.2
    distance: float = 2.189e6
    shape: tuple[int, int] = (2048, 2048)
    pitch: float = 200.0
    centre: tuple[float, float] = (0.0, 0.0)
    fast_axis: tuple[float, float, float] = (0.0, -1.0, 0.0)
    slow_axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)
    wedge: float = 0.0
    chi: float = 0.0
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 2.0, 2.0, 2.0)
    distortion_radius: float = 204_800.0
    wobble: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, 0.0),) * 3
    omega_start: float = -math.pi
    omega_step: float = math.radians(0.1)
    frames: int = 3600

    def __post_init__(self) -> None:
        for name in ("energy_kev", "distance", "pitch", "omega_step", "frames"):
            if not getattr(self, name) > 0:
                raise InvalidValueError(f"{name} of a virtual station must be positive")
        if len(self.distortion) != 6:
            raise InvalidValueError(
                f"the distortion of a virtual panel has 6 numbers, not {len(self.distortion)}"
            )
        if self.frames * self.omega_step > 2.0 * math.pi * (1.0 + 1e-9):
            raise InvalidValueError(
                f"{self.frames} frames of {math.degrees(self.omega_step):g} deg are more than a "
                "turn"
            )

    @property
    def wavelength(self) -> float:
        """Wavelength, angstrom."""
        return HC_KEV_ANGSTROM / self.energy_kev

    @property
    def axis(self) -> FloatArray:
        """Unit vector of the rotation axis (3,)."""
        across = math.cos(self.wedge)
        return np.array(
            [math.sin(self.wedge), -math.sin(self.chi) * across, math.cos(self.chi) * across]
        )

    @property
    def panel_origin(self) -> FloatArray:
        """Middle of the panel (3,)."""
        return np.array([self.distance, *self.centre])

    @property
    def panel_axes(self) -> FloatArray:
        """Unit vectors of the panel as columns: fast, slow, normal (fast x slow)."""
        fast, slow = np.array(self.fast_axis), np.array(self.slow_axis)
        level = np.column_stack([fast, slow, np.cross(fast, slow)])
        return np.asarray(matrices_from_vectors(np.array(self.tilt)) @ level)

    @property
    def omega_end(self) -> float:
        """Where the last frame ends."""
        return self.omega_start + self.frames * self.omega_step
