"""The rotation stage: its axis, and how it carries sample vectors into the laboratory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class Goniometer(Record):
    """One rotation axis through the laboratory origin.

    The axis z is first tilted by ``wedge`` about +y and then by ``chi`` about +x. Omega is
    right-handed about the axis, and sample and laboratory axes agree at omega = 0 whatever the
    tilt: ``p_laboratory = R(omega) p_sample`` with R the rotation by omega about the axis.
    """

    wedge: float = quantity("tilt of the axis about y", unit="rad")
    chi: float = quantity("tilt of the axis about x, after the wedge", unit="rad")

    @property
    def axis(self) -> FloatArray:
        """Unit vector of the rotation axis (3,), laboratory axes."""
        sin_w, cos_w = np.sin(self.wedge), np.cos(self.wedge)
        sin_c, cos_c = np.sin(self.chi), np.cos(self.chi)
        return np.array([sin_w, -sin_c * cos_w, cos_c * cos_w])


UPRIGHT = Goniometer(0.0, 0.0)


def axis_tilt(goniometer: Goniometer) -> FloatArray:
    """Rotation (3, 3) that takes z onto the axis: by wedge about y, then by chi about x.

    Programs whose sample axes tilt with the stage (ImageD11, HEXRD) relate to ours by it:
    ``v_house = axis_tilt v_theirs``.
    """
    sin_w, cos_w = np.sin(goniometer.wedge), np.cos(goniometer.wedge)
    sin_c, cos_c = np.sin(goniometer.chi), np.cos(goniometer.chi)
    about_y = np.array([[cos_w, 0.0, sin_w], [0.0, 1.0, 0.0], [-sin_w, 0.0, cos_w]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cos_c, -sin_c], [0.0, sin_c, cos_c]])
    return about_x @ about_y


def rotation_from_omega(goniometer: Goniometer, omega: FloatArray) -> FloatArray:
    """Rotations (..., 3, 3), sample to laboratory axes, at angles omega (...), rad."""
    n = goniometer.axis
    cross = np.array([[0.0, -n[2], n[1]], [n[2], 0.0, -n[0]], [-n[1], n[0], 0.0]])
    omega = np.asarray(omega, dtype=np.float64)[..., None, None]
    rotation: FloatArray = (
        np.eye(3) + np.sin(omega) * cross + (1.0 - np.cos(omega)) * (cross @ cross)
    )
    return rotation


def to_laboratory(goniometer: Goniometer, vectors: FloatArray, omega: FloatArray) -> FloatArray:
    """Vectors (..., 3) on sample axes -> laboratory axes at omega (...)."""
    turned: FloatArray = np.einsum(
        "...ij,...j->...i", rotation_from_omega(goniometer, omega), vectors
    )
    return turned


def to_sample(goniometer: Goniometer, vectors: FloatArray, omega: FloatArray) -> FloatArray:
    """Vectors (..., 3) on laboratory axes at omega (...) -> sample axes."""
    turned: FloatArray = np.einsum(
        "...ji,...j->...i", rotation_from_omega(goniometer, omega), vectors
    )
    return turned
