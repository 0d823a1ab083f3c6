"""The panel, the beam and the tilted surface as Laue kernels see them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import laboratory_from_pixels


@dataclass(frozen=True, slots=True)
class GeometryMode:
    """An error of the station that all patterns share.

    ``motion`` (6,) is how the panel stands off its place relative to where rays start when the
    mode is off by one: a shift (um) and a rotation vector (rad) about the origin. Whatever moves
    panel, beam or surface is such a motion.
    """

    name: str
    sigma: float
    unit: str
    motion: FloatArray


@dataclass(frozen=True, slots=True)
class LaueGeometry:
    """One panel in a white beam; the beam meets the surface of the sample in the origin.

    ``row`` (22,) is what kernels read: beam (3), panel's middle (3, um), fast axis (3), slow
    axis (3), normal (3), pitch fast and slow (um), pixels fast and slow, normal out of the
    surface (3). ``centre`` (3,) is the scattering direction of the panel's middle and
    ``half_angle`` (rad) how far directions that reach the panel lie from it at most;
    ``two_theta`` are the smallest and the largest scattering angle on it, rad. ``modes`` are
    independent errors that the geometry may have.
    """

    instrument: Instrument
    row: FloatArray
    centre: FloatArray
    half_angle: float
    two_theta: tuple[float, float]
    modes: tuple[GeometryMode, ...] = ()

    @property
    def area(self) -> float:
        """Pixels on the panel."""
        return float(self.row[17] * self.row[18])


def laue_geometry(
    instrument: Instrument, *, surface: FloatArray, modes: tuple[GeometryMode, ...] = ()
) -> LaueGeometry:
    """Geometry of an instrument with one panel; ``modes`` as `LaueGeometry` has them.

    ``surface`` (3,) points out of the sample's surface, laboratory axes, any length; for a
    surface 45 deg to the beam that faces a panel above it is (-1, 0, 1).

    Raises
    ------
    InvalidValueError
        There are several panels, or the beam would come out of the surface.
    """
    if len(instrument.panels) != 1:
        raise InvalidValueError(
            f"a white-beam pattern is read from one panel; here are {len(instrument.panels)}",
            remedy="Keep the panel that recorded it.",
        )
    panel = instrument.panels[0]
    beam = instrument.beam.direction
    outward = np.asarray(surface, dtype=np.float64)
    outward = outward / np.linalg.norm(outward)
    if not outward @ beam < -1e-3:
        raise InvalidValueError(
            f"the surface {np.round(outward, 4).tolist()} does not face the beam",
            remedy="Its normal points out of the sample, against the beam.",
        )
    row = np.concatenate(
        [
            beam,
            panel.origin,
            panel.rotation[:, 0],
            panel.rotation[:, 1],
            panel.rotation[:, 2],
            panel.pitch[::-1],
            panel.shape[::-1].astype(np.float64),
            outward,
        ]
    )
    edge = np.linspace(-0.5, 0.5, 9)
    across, along = (part.ravel() for part in np.meshgrid(edge, edge))
    rim = scattering_directions(
        row,
        (across + 0.5) * panel.shape[1] - 0.5,
        (along + 0.5) * panel.shape[0] - 0.5,
        np.zeros(len(across)),
    )
    centre = rim.mean(axis=0)
    centre /= np.linalg.norm(centre)
    half = float(np.arccos(np.min(rim @ centre)))
    theta = np.arcsin(-rim @ beam)
    return LaueGeometry(
        instrument, row, centre, half, (2.0 * float(theta.min()), 2.0 * float(theta.max())), modes
    )


def check_frame_size(geometry: LaueGeometry, shape: tuple[int, int], *, where: str) -> None:
    """Raise ``ContradictionError`` unless an image (slow, fast) has the size of the panel."""
    panel = tuple(geometry.instrument.panels[0].shape.tolist())
    if tuple(shape) != panel:
        raise ContradictionError(
            f"the image has {shape[0]} x {shape[1]} pixels (slow x fast), the calibration is of "
            f"{panel[0]} x {panel[1]}",
            where=where,
            remedy="Give the calibration of the detector that took it, at the same binning.",
        )


def check_peaks_on_panel(geometry: LaueGeometry, fast: FloatArray, slow: FloatArray) -> None:
    """Raise ``ContradictionError`` where peaks (n,), px, lie a pixel or more beyond the panel."""
    size = geometry.instrument.panels[0].shape[::-1]
    place = np.stack([fast, slow], axis=1)
    beyond = np.any((place < -1.5) | (place > size + 0.5), axis=1)
    if np.any(beyond):
        far = place[np.argmax(np.max(np.abs(place - (size - 1) / 2.0), axis=1))]
        raise ContradictionError(
            f"{int(beyond.sum())} of {len(place)} peaks lie beyond the panel of {size[0]} x "
            f"{size[1]} pixels (fast x slow), such as one at {far[0]:.1f}, {far[1]:.1f}",
            remedy="Give the calibration of the detector that took the pattern, at the same "
            "binning.",
        )


def ideal_pixels(geometry: LaueGeometry, fast: FloatArray, slow: FloatArray) -> FloatArray:
    """Places (n, 2), px, that recorded ones would have on a panel without distortion."""
    points = laboratory_from_pixels(geometry.instrument.panels[0], fast, slow)
    row = geometry.row
    flat = (points - row[3:6]) @ np.stack([row[6:9], row[9:12]], axis=1)
    return np.asarray(flat / row[15:17] + (row[17:19] - 1.0) / 2.0)


def scattering_directions(
    row: FloatArray, fast: FloatArray, slow: FloatArray, depth: FloatArray
) -> FloatArray:
    """Unit scattering vectors (n, 3) of rays from depths (n,), um, to ideal places (n,), px."""
    ray = _points(row, fast, slow) - depth[:, None] * row[:3]
    q = ray / np.linalg.norm(ray, axis=1, keepdims=True) - row[:3]
    return np.asarray(q / np.linalg.norm(q, axis=1, keepdims=True))


def place_by_motion(row: FloatArray, place: FloatArray, depth: FloatArray) -> FloatArray:
    """Change of ideal places (n, 2), px, by the panel's six motions (n, 2, 6) of `GeometryMode`.

    Rays start at depths (n,), um, and keep their directions.
    """
    point = _points(row, place[:, 0], place[:, 1])
    ray = point - depth[:, None] * row[:3]
    normal = row[12:15]
    # how far the pixel moves: shifts along the axes, then w x point for turns about them
    turns = np.cross(np.eye(3)[None, :, :], point[:, None, :])
    moves = np.concatenate([np.broadcast_to(np.eye(3), (len(place), 3, 3)), turns], axis=1)
    slide = (moves @ normal) / (ray @ normal)[:, None]
    across = moves - slide[..., None] * ray[:, None, :]
    axes = np.stack([row[6:9] / row[15], row[9:12] / row[16]], axis=1)
    return np.asarray(-np.swapaxes(across @ axes, 1, 2))


def _points(row: FloatArray, fast: FloatArray, slow: FloatArray) -> FloatArray:
    """Laboratory points (n, 3), um, of ideal places (n,), px."""
    return np.asarray(
        row[3:6]
        + ((fast - (row[17] - 1.0) / 2.0) * row[15])[:, None] * row[6:9]
        + ((slow - (row[18] - 1.0) / 2.0) * row[16])[:, None] * row[9:12]
    )
