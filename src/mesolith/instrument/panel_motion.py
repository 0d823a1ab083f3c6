"""The five numbers by which a white-beam panel can be off, and the rigid motions they are.

A turn of panel and crystal together about the beam changes no spot, so a panel has five numbers
and not six. They are LaueTools' own: the distance along the normal (um), the pixel of normal
incidence (px, fast and slow), the tilt of the normal towards the beam and that of the pixels
about the normal, against the right hand (rad). All motions are about the origin.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.panel import Panel
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_rotation_vector

PANEL_PARAMETERS = ("distance", "centre_fast", "centre_slow", "tilt_beam", "tilt_normal")
_LEAST_ACROSS = 0.2


def panel_motions(panel: Panel, beam: FloatArray) -> FloatArray:
    """Shift (um) and rotation vector (rad) of the panel per unit of each number, (5, 6).

    ``beam`` (3,) is a unit vector.

    Raises
    ------
    InvalidValueError
        The panel stands across the beam: then its tilts are others.
    """
    away, lean = _axes(panel, beam)
    fast, slow = panel.rotation[:, 0], panel.rotation[:, 1]
    motions = np.zeros((5, 6))
    motions[0, :3] = away
    # where the pixel of normal incidence has a higher number, the panel stands further back
    motions[1, :3] = -panel.pitch[1] * fast
    motions[2, :3] = -panel.pitch[0] * slow
    motions[3, 3:] = lean
    motions[4, 3:] = -away
    return motions


def moved_panel(panel: Panel, beam: FloatArray, changes: FloatArray) -> Panel:
    """The panel with its five numbers changed by that much (5,), exactly."""
    motions = panel_motions(panel, beam)
    shift = changes[:3] @ motions[:3, :3]
    turn = _matrix(changes[3] * motions[3, 3:]) @ _matrix(changes[4] * motions[4, 3:])
    return replace(panel, origin=turn @ (panel.origin + shift), rotation=turn @ panel.rotation)


def panel_numbers(panel: Panel) -> tuple[float, float, float]:
    """Distance along the normal (um) and the pixel (fast, slow) of normal incidence."""
    local = panel.rotation.T @ panel.origin
    centre = (panel.shape[::-1] - 1) / 2.0 - local[:2] / panel.pitch[::-1]
    return abs(float(local[2])), float(centre[0]), float(centre[1])


def _axes(panel: Panel, beam: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The normal away from the sample, and the axis about which it turns towards the beam."""
    normal = panel.rotation[:, 2]
    away = normal * np.sign(panel.origin @ normal)
    across = np.cross(away, beam)
    length = float(np.linalg.norm(across))
    if length < _LEAST_ACROSS:
        raise InvalidValueError(
            f"the normal of panel {panel.name} lies within "
            f"{np.degrees(np.arcsin(length)):.1f} deg of the beam",
            remedy="A white-beam panel stands above or beside the sample.",
        )
    return away, across / length


def _matrix(vector: FloatArray) -> FloatArray:
    return matrix_from_quaternion(quaternion_from_rotation_vector(vector))
