"""How LaueTools and XMAS speak of a white-beam panel: five numbers, two angles, their matrices.

Both have y along the beam, z up and x = y ^ z, so that x is our -y. The five numbers are the
distance along the panel's normal, the pixel of normal incidence, ``beta`` (of the normal from z
towards the beam) and ``gamma`` (of the pixels about the normal, against the right hand).
XMAS counts the first pixel as 1, LaueTools and we as 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.panel import Panel, laboratory_from_pixels, pixels_from_rays

# columns: LaueTools' x, y, z on the laboratory's axes
LAUETOOLS_AXES = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_XMAS_FIRST_PIXEL = 1.0
_SKEW = 1e-6


@dataclass(frozen=True, slots=True)
class LaueDetector:
    """Five numbers of a panel: um, px (X along fast, Y along slow, from 0), rad."""

    distance: float
    x_centre: float
    y_centre: float
    beta: float
    gamma: float


def panel_from_lauetools(
    detector: LaueDetector, *, pitch: float, shape: tuple[int, int], name: str = "detector"
) -> Panel:
    """Panel with square pixels of ``pitch`` um; ``shape`` is (slow, fast)."""
    normal, along_x, along_y = _plane(detector.beta, detector.gamma)
    half = (np.array(shape[::-1], dtype=np.float64) - 1.0) / 2.0
    middle = half - [detector.x_centre, detector.y_centre]
    return Panel(
        name,
        np.array(shape, dtype=np.int64),
        np.array([pitch, pitch]),
        detector.distance * normal + pitch * (middle[0] * along_x + middle[1] * along_y),
        np.column_stack([along_x, along_y, np.cross(along_x, along_y)]),
    )


def lauetools_from_panel(panel: Panel) -> LaueDetector:
    """The five numbers of a panel; the inverse of `panel_from_lauetools`.

    Raises
    ------
    InvalidValueError
        The pixels are not square, count the other way round, or the normal leans across the
        plane of the beam (x) and z.
    """
    normal = LAUETOOLS_AXES.T @ panel.rotation[:, 2]
    away = float(panel.origin @ panel.rotation[:, 2])
    if abs(normal[0]) > _SKEW or panel.pitch[0] != panel.pitch[1] or away <= 0.0:
        raise InvalidValueError(
            "LaueTools knows square pixels that count X along x and a normal in the plane of the "
            f"beam and z; here the pitch is {panel.pitch.tolist()} um and the normal "
            f"{(np.sign(away) * normal).tolist()} on LaueTools' axes",
            remedy="Turn the laboratory about the beam, or mirror the frames.",
        )
    beta = float(np.arctan2(normal[1], normal[2]))
    _, flat_x, flat_y = _plane(beta, 0.0)
    along_x = panel.rotation[:, 0]
    gamma = float(np.arctan2(-(along_x @ flat_y), along_x @ flat_x))
    local = panel.rotation[:, :2].T @ panel.origin / panel.pitch[::-1]
    centre = (panel.shape[::-1] - 1) / 2.0 - local
    return LaueDetector(away, float(centre[0]), float(centre[1]), beta, gamma)


def xmas_from_lauetools(detector: LaueDetector) -> LaueDetector:
    """The five numbers as XMAS states them: its centre counts the first pixel as 1."""
    return replace(
        detector,
        x_centre=detector.x_centre + _XMAS_FIRST_PIXEL,
        y_centre=detector.y_centre + _XMAS_FIRST_PIXEL,
    )


def lauetools_from_xmas(detector: LaueDetector) -> LaueDetector:
    """The inverse of `xmas_from_lauetools`."""
    return replace(
        detector,
        x_centre=detector.x_centre - _XMAS_FIRST_PIXEL,
        y_centre=detector.y_centre - _XMAS_FIRST_PIXEL,
    )


def lauetools_angles(directions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """2theta and LaueTools' chi, rad, each (...), of rays (..., 3) on laboratory axes.

    u = (cos 2theta, sin 2theta sin chi, sin 2theta cos chi); chi grows towards our y.
    """
    u = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    across = np.hypot(u[..., 1], u[..., 2])
    return np.arctan2(across, u[..., 0]), np.arctan2(u[..., 1], u[..., 2])


def directions_from_lauetools(two_theta: FloatArray, chi: FloatArray) -> FloatArray:
    """Unit rays (..., 3) on laboratory axes; the inverse of `lauetools_angles`."""
    sine = np.sin(two_theta)
    return np.stack([np.cos(two_theta), sine * np.sin(chi), sine * np.cos(chi)], axis=-1)


def xmas_angles(directions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """2theta and XMAS' chi, rad, each (...): the angle between a ray and the plane y = 0.

    Its sign is the other one than LaueTools': it grows towards our -y.
    """
    u = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    across = np.hypot(u[..., 1], u[..., 2])
    return (
        np.arctan2(across, u[..., 0]),
        np.arctan2(-u[..., 1], np.hypot(u[..., 0], u[..., 2])),
    )


def directions_from_xmas(two_theta: FloatArray, chi: FloatArray) -> FloatArray:
    """Unit rays (..., 3) that go up (z >= 0); the inverse of `xmas_angles` for those.

    NaN where no ray has both angles: abs(chi) is at most that between the ray and the beam.
    """
    along, across = np.cos(two_theta), -np.sin(chi)
    with np.errstate(invalid="ignore"):
        up = np.sqrt(1.0 - along**2 - across**2)
    return np.stack([along, across, up], axis=-1)


def directions_of_pixels(panel: Panel, fast: FloatArray, slow: FloatArray) -> FloatArray:
    """Unit rays (..., 3) from the origin to pixels (...), px from 0."""
    points = laboratory_from_pixels(panel, fast, slow)
    return np.asarray(points / np.linalg.norm(points, axis=-1, keepdims=True))


def pixels_of_directions(panel: Panel, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pixels (fast, slow), each (...), px from 0, of rays (..., 3) from the origin."""
    return pixels_from_rays(panel, np.zeros_like(directions), directions)


def reciprocal_from_xmas(matrix: FloatArray, *, incidence: float, beta: float) -> FloatArray:
    """a*, b*, c* as columns (3, 3) on laboratory axes from XMAS' sample axes, unit unchanged.

    ``matrix`` (3, 3) has the columns that a .str calls coordinates of a*, b*, c* in X, Y, Z.
    XMAS' sample is turned about x by its ``incidence`` (rad) less half of the panel's ``beta``.
    """
    return np.asarray(_xmas_sample_axes(incidence, beta) @ matrix)


def xmas_from_reciprocal(reciprocal: FloatArray, *, incidence: float, beta: float) -> FloatArray:
    """The inverse of `reciprocal_from_xmas`."""
    return np.asarray(_xmas_sample_axes(incidence, beta).T @ reciprocal)


def _xmas_sample_axes(incidence: float, beta: float) -> FloatArray:
    """XMAS' sample axes as columns (3, 3) on the laboratory's."""
    sine, cosine = np.sin(incidence - beta / 2.0), np.cos(incidence - beta / 2.0)
    turn = np.array([[-1.0, 0.0, 0.0], [0.0, cosine, sine], [0.0, sine, -cosine]])
    return np.asarray(LAUETOOLS_AXES @ turn)


def _plane(beta: float, gamma: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Normal, and the directions of X and Y, on the laboratory's axes."""
    normal = np.array([0.0, np.sin(beta), np.cos(beta)])
    # point = distance normal + a (1, 0, 0) + b (0, cos, -sin), where the pixels turn by gamma
    across, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, np.cos(beta), -np.sin(beta)])
    along_x = np.cos(gamma) * across - np.sin(gamma) * up
    along_y = np.sin(gamma) * across + np.cos(gamma) * up
    return LAUETOOLS_AXES @ normal, LAUETOOLS_AXES @ along_x, LAUETOOLS_AXES @ along_y
