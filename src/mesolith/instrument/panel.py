"""A flat detector panel: where it stands, how its pixels lie, how it distorts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.distortion import Distortion, distorted, undistorted
from mesolith.numerics.rotations import check_rotation_matrices
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class Panel(Record):
    """One panel. Pixel (fast, slow) = (0, 0) is the centre of the first pixel.

    The normal is fast x slow: it points along the beam or against it as the pixels count, so a
    mirrored picture is no special case.
    """

    name: str = quantity("name", dtype="str")
    shape: IntArray = quantity("pixels (slow, fast)", shape=(2,), dtype="int64")
    pitch: FloatArray = quantity("pitch of the pixels (slow, fast)", unit="um", shape=(2,))
    origin: FloatArray = quantity("middle", unit="um", shape=(3,), axes="laboratory")
    rotation: FloatArray = quantity(
        "columns fast axis, slow axis, normal", shape=(3, 3), axes="laboratory"
    )
    distortion: Distortion | None = None

    def _check(self) -> None:
        check_rotation_matrices(self.rotation, tolerance=1e-9)
        if np.any(self.shape < 1) or np.any(self.pitch <= 0.0):
            raise InvalidValueError(
                f"panel {self.name}: shape {self.shape.tolist()}, pitch {self.pitch.tolist()} um",
                remedy="Both must be positive.",
            )
        if not np.isfinite(self.origin).all():
            raise InvalidValueError(f"panel {self.name}: its place is {self.origin.tolist()} um")


def laboratory_from_pixels(panel: Panel, fast: FloatArray, slow: FloatArray) -> FloatArray:
    """Laboratory points (..., 3), um, where rays hit that were recorded at (fast, slow)."""
    recorded = np.stack(
        [
            (fast - (panel.shape[1] - 1) / 2.0) * panel.pitch[1],
            (slow - (panel.shape[0] - 1) / 2.0) * panel.pitch[0],
        ],
        axis=-1,
    )
    ideal = undistorted(panel.distortion, recorded)
    # written out: a product this narrow is no work for BLAS and its threads
    along_fast, along_slow = panel.rotation[:, 0], panel.rotation[:, 1]
    return panel.origin + ideal[..., :1] * along_fast + ideal[..., 1:] * along_slow


def pixels_from_laboratory(panel: Panel, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pixel coordinates (fast, slow), each (...), of laboratory points (..., 3) on the panel.

    Points beside the plane are projected along its normal; see `pixels_from_rays` for rays.
    """
    ideal = (np.asarray(points, dtype=np.float64) - panel.origin) @ panel.rotation[:, :2]
    recorded = distorted(panel.distortion, ideal)
    return (
        recorded[..., 0] / panel.pitch[1] + (panel.shape[1] - 1) / 2.0,
        recorded[..., 1] / panel.pitch[0] + (panel.shape[0] - 1) / 2.0,
    )


def pixels_from_rays(
    panel: Panel, points: FloatArray, directions: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Pixel coordinates (fast, slow), each (...), of rays from points (..., 3) along directions.

    NaN for a ray that runs away from the panel or along it. Coordinates outside the panel are
    given as they are: `on_panel` says which can be recorded.
    """
    points = np.asarray(points, dtype=np.float64)
    directions = np.asarray(directions, dtype=np.float64)
    normal = panel.rotation[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = ((panel.origin - points) @ normal) / (directions @ normal)
        reach = np.where(np.isfinite(reach) & (reach > 0.0), reach, np.nan)
    return pixels_from_laboratory(panel, points + reach[..., None] * directions)


def on_panel(
    panel: Panel, fast: FloatArray, slow: FloatArray
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether pixel coordinates lie on the panel, edges of its outer pixels included."""
    inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (
        (fast >= -0.5)
        & (fast <= panel.shape[1] - 0.5)
        & (slow >= -0.5)
        & (slow <= panel.shape[0] - 0.5)
    )
    return inside
