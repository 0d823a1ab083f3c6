"""Spots: where a detector saw diffraction in one rotation, how well, and where it looked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.records.field import Record, quantity

_ROUND = 1e-9
_COVARIANCE_ORDER = {"fast": 0, "slow": 1, "omega": 2}


@dataclass(frozen=True, slots=True)
class Spots(Record):
    """Diffraction spots of one rotation, one row a spot, on one or several panels.

    A position is (fast, slow) in px; the centre of a panel's first pixel is (0, 0). ``panel``
    points into ``panel_name``. ``omega`` is the angle of the middle of a rotation, right-handed
    about the axis, and runs on without jumps as ``omega_range`` does.

    ``omega_range`` holds what was measured: one row [start, end] an unbroken stretch, rad,
    start < end, ordered and apart. A missing frame divides a stretch. A full turn is one row
    that is 2 pi long. ``covers`` answers whether an angle was measured.

    ``covariance`` is that of (fast, slow, omega), px and rad. ``intensity`` is the sum of the
    counts above background and ``maximum`` the highest of them. ``widths`` are standard
    deviations of the intensity, (fast, slow, omega), px and rad. ``saturated``: a pixel reached
    the detector's limit, so position and intensity are biased beyond their errors. ``partial``:
    cut by an end of a stretch, the rim of a panel or masked pixels. ``overlapping``: cut out of
    a patch in which several spots touch.
    """

    plot: ClassVar[tuple[str, str] | None] = ("intensity", "omega")

    panel: IntArray = quantity("panel index", shape=("spot",), dtype="int64")
    fast: FloatArray = quantity(
        "place along a panel's fast axis", unit="px", shape=("spot",), error="covariance"
    )
    slow: FloatArray = quantity(
        "place along a panel's slow axis", unit="px", shape=("spot",), error="covariance"
    )
    omega: FloatArray = quantity(
        "angle of rotation", unit="rad", shape=("spot",), error="covariance"
    )
    covariance: FloatArray = quantity(
        "covariance of fast, slow (px) and omega (rad)", shape=("spot", 3, 3)
    )
    intensity: FloatArray = quantity(
        "counts above background", shape=("spot",), error="intensity_se"
    )
    intensity_se: FloatArray = quantity("standard error of the counts", shape=("spot",))
    maximum: FloatArray = quantity("highest counts above background", shape=("spot",))
    widths: FloatArray = quantity(
        "standard deviations of the intensity",
        shape=("spot", 3),
        components=("fast_px", "slow_px", "omega_rad"),
    )
    pixels: IntArray = quantity("pixels of all frames", shape=("spot",), dtype="int64")
    saturated: NDArray[np.bool_] = quantity(
        "reached the detector's limit", shape=("spot",), dtype="bool"
    )
    partial: NDArray[np.bool_] = quantity(
        "cut by an end of the rotation, a rim or a mask", shape=("spot",), dtype="bool"
    )
    overlapping: NDArray[np.bool_] = quantity("touches another spot", shape=("spot",), dtype="bool")
    panel_name: tuple[str, ...] = quantity("panel", shape=("panels",), dtype="str")
    omega_range: FloatArray = quantity(
        "measured stretches of the rotation, start and end",
        unit="rad",
        shape=("stretch", 2),
        components=("start", "end"),
    )
    omega_step: float = quantity("rotation during one frame, positive", unit="rad")

    def _check(self) -> None:
        if self.panel.size and not 0 <= self.panel.min() <= self.panel.max() < len(self.panel_name):
            raise InvalidValueError("Spots.panel points to a panel that is not listed")
        for name in ("fast", "slow", "omega", "covariance", "intensity", "omega_range"):
            if not np.all(np.isfinite(getattr(self, name))):
                raise InvalidValueError(f"Spots.{name} holds NaN or infinity")
        if np.any(np.diagonal(self.covariance, axis1=1, axis2=2) <= 0.0):
            raise InvalidValueError("Spots.covariance has a variance that is not positive")
        if not self.omega_step > 0.0:
            raise InvalidValueError(f"Spots.omega_step is {self.omega_step}, not positive")
        start, end = self.omega_range.T
        if not len(start) or np.any(end <= start) or np.any(start[1:] < end[:-1]):
            raise InvalidValueError("Spots.omega_range is empty, or not ordered and apart")
        if end[-1] - start[0] > 2.0 * math.pi + _ROUND:
            raise InvalidValueError(
                f"Spots.omega_range spans {np.degrees(end[-1] - start[0]):.6g} deg, more than a "
                "turn"
            )
        stretch = np.searchsorted(start, self.omega + _ROUND, side="right") - 1
        if np.any((stretch < 0) | (self.omega > end[stretch] + _ROUND)):
            raise InvalidValueError("Spots.omega lies outside the measured stretches")

    def covers(self, omega: FloatArray) -> NDArray[np.bool_]:
        """Whether each angle (rad, any shape, any multiple of a turn) was measured."""
        angle = np.asarray(omega, dtype=np.float64)
        covered = np.zeros(angle.shape, dtype=np.bool_)
        for start, end in self.omega_range:
            covered |= np.mod(angle - start, 2.0 * math.pi) <= end - start
        return covered

    def standard_error(self, name: str) -> FloatArray | None:
        """Standard error of a field; of fast, slow (px) and omega (rad) from the covariance."""
        if name in _COVARIANCE_ORDER:
            axis = _COVARIANCE_ORDER[name]
            return np.sqrt(self.covariance[:, axis, axis])
        return Record.standard_error(self, name)

    def __len__(self) -> int:
        return len(self.panel)
