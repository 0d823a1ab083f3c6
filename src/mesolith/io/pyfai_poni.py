"""pyFAI's calibration (.poni): read and written.

pyFAI's axes: 1 up, 3 along the beam, 2 completes a right-handed set, so 1 is our z, 2 is -y and
3 is x; metres, rad. A pixel's centre is half a pixel from its edge. The panel starts at
(d1 - poni1, d2 - poni2, dist) and is turned by -rot1 about 1, -rot2 about 2 and rot3 about 3.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import EmptyFileError, FileFormatError, InvalidValueError
from mesolith.instrument.beam import ALONG_X, Beam
from mesolith.instrument.goniometer import UPRIGHT
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.io.instrument_file import (
    InstrumentFile,
    check_beam_along_x,
    check_no_distortion,
    single_panel,
)
from mesolith.io.numbers import text_lines

_UM = 1e6  # a metre
_ANGSTROM = 1e10
# columns: pyFAI's axes 1, 2, 3 on the laboratory's
_AXES = np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
# orientation: whether rows and columns of the frame count against axes 1 and 2
_MIRRORED = {
    0: (False, False),
    1: (True, True),
    2: (True, False),
    3: (False, False),
    4: (False, True),
}
_AS_STORED = 3
_ROUND = 1e-9


def recognise_poni(path: Path, head: bytes) -> float:
    """How surely the content is a poni file, 0 to 1."""
    keys = {line.split(":")[0].strip() for line in head.decode("utf-8", "replace").splitlines()}
    return 1.0 if {"Poni1", "Poni2", "Rot1"} <= keys else 0.0


def read_poni(path: Path, *, shape: Sequence[int] | None = None) -> InstrumentFile:
    """Instrument of a poni file; its rotation axis is z.

    ``shape`` is the number of pixels (slow, fast), needed where the file's detector has no
    max_shape.

    Raises
    ------
    FileFormatError, EmptyFileError
        A value is missing or no number.
    InvalidValueError
        The detector is known to pyFAI by name alone, or no shape is known.
    """
    values = _values(path)
    where = str(path)
    config: dict[str, Any] = {}
    if values.get("Detector_config", "").startswith("{"):
        try:
            config = json.loads(values["Detector_config"])
        except json.JSONDecodeError as error:
            raise FileFormatError(
                f"Detector_config is no JSON: {error.msg}", where=where, remedy="Export it again."
            ) from None
    pitch = np.array([_pitch(values, config, k, where) for k in (1, 2)])
    shape = shape or config.get("max_shape")
    if shape is None:
        raise InvalidValueError(
            "the file does not state how many pixels the detector has",
            where=where,
            remedy="Give the shape (slow, fast), or export with max_shape in Detector_config.",
        )
    orientation = int(config.get("orientation", 0) or 0)
    if orientation not in _MIRRORED:
        raise InvalidValueError(
            f"the orientation {orientation} is none of 0 to 4", where=where, remedy="Restore it."
        )
    counts = np.asarray(shape, dtype=np.float64)
    turn = _AXES @ _turn(*(_number(values, f"Rot{k}", where) for k in (1, 2, 3)))
    corner = np.array([_number(values, "Poni1", where), _number(values, "Poni2", where)])
    middle = turn @ np.array([*(counts * pitch / 2.0 - corner), _number(values, "Distance", where)])
    axes = [-turn[:, k] if _MIRRORED[orientation][k] else turn[:, k] for k in (0, 1)]
    slow_axis, fast_axis = axes
    panel = Panel(
        "detector",
        np.asarray(shape, dtype=np.int64),
        _UM * pitch,
        _UM * middle,
        np.column_stack([fast_axis, slow_axis, np.cross(fast_axis, slow_axis)]),
    )
    beam = Beam(_ANGSTROM * _number(values, "Wavelength", where), np.array(ALONG_X))
    return InstrumentFile(Instrument(beam, UPRIGHT, (panel,)), np.eye(3), 1.0)


def write_poni(path: Path, instrument: Instrument) -> None:
    """Write the detector and the wavelength as a poni file, version 2.1.

    Rows and columns are counted against pyFAI's axes where that is what it takes to have a
    right-handed set of axes with the panel in front, and so that the panel is turned least.

    Raises ``InvalidValueError`` where the beam is not along x, there are several panels, or the
    panel is distorted.
    """
    panel = single_panel(instrument, "pyFAI")
    check_beam_along_x(instrument, "pyFAI")
    check_no_distortion(panel, "pyFAI")
    fast, slow = (_AXES.T @ panel.rotation[:, k] for k in (0, 1))
    origin = _AXES.T @ panel.origin
    orientation, turn = _least_turned(fast, slow, origin)
    rot1, rot2, rot3 = _rotations(turn)
    away = turn.T @ origin
    corner = panel.shape * panel.pitch / 2.0 - away[:2]
    config = {
        "pixel1": float(panel.pitch[0]) / _UM,
        "pixel2": float(panel.pitch[1]) / _UM,
        "max_shape": panel.shape.tolist(),
        "orientation": orientation,
    }
    lines = [
        "# Written by Mesolith",
        "poni_version: 2.1",
        "Detector: Detector",
        f"Detector_config: {json.dumps(config)}",
        f"Distance: {float(away[2]) / _UM!r}",
        f"Poni1: {float(corner[0]) / _UM!r}",
        f"Poni2: {float(corner[1]) / _UM!r}",
        f"Rot1: {rot1!r}",
        f"Rot2: {rot2!r}",
        f"Rot3: {rot3!r}",
        f"Wavelength: {instrument.beam.wavelength / _ANGSTROM!r}",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def _turn(rot1: float, rot2: float, rot3: float) -> FloatArray:
    """Rotation on axes 1, 2, 3: by -rot1 about 1, then -rot2 about 2, then rot3 about 3."""
    (sin_1, sin_2, sin_3), (cos_1, cos_2, cos_3) = (
        np.sin([rot1, rot2, rot3]),
        np.cos([rot1, rot2, rot3]),
    )
    first = np.array([[1.0, 0.0, 0.0], [0.0, cos_1, sin_1], [0.0, -sin_1, cos_1]])
    second = np.array([[cos_2, 0.0, -sin_2], [0.0, 1.0, 0.0], [sin_2, 0.0, cos_2]])
    third = np.array([[cos_3, -sin_3, 0.0], [sin_3, cos_3, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(third @ second @ first, dtype=np.float64)


def _least_turned(fast: FloatArray, slow: FloatArray, origin: FloatArray) -> tuple[int, FloatArray]:
    """Orientation and turn of a panel that has ``origin`` in front of it; axes 1, 2, 3."""
    best, chosen = -np.inf, (_AS_STORED, np.eye(3))
    for orientation, (rows, columns) in _MIRRORED.items():
        along_1, along_2 = (-slow if rows else slow), (-fast if columns else fast)
        turn = np.column_stack([along_1, along_2, np.cross(along_1, along_2)])
        upright = float(along_1[0] + along_2[1]) if turn[:, 2] @ origin > 0.0 else -np.inf
        if orientation != 0 and upright > best + _ROUND:
            best, chosen = upright, (orientation, turn)
    return chosen


def _rotations(turn: FloatArray) -> tuple[float, float, float]:
    level = float(np.hypot(turn[2, 1], turn[2, 2]))
    rot2 = float(np.arctan2(turn[2, 0], level))
    if level < _ROUND:
        # axes 1 and 3 fall together: only the sum or difference of the others is told
        return 0.0, rot2, float(np.arctan2(-turn[0, 1], turn[1, 1]))
    return (
        float(np.arctan2(-turn[2, 1], turn[2, 2])),
        rot2,
        float(np.arctan2(turn[1, 0], turn[0, 0])),
    )


def _values(path: Path) -> dict[str, str]:
    found = {}
    for line in text_lines(path):
        key, colon, value = line.partition(":")
        if colon and not line.lstrip().startswith("#"):
            found[key.strip()] = value.strip()  # the last calibration in the file counts
    if not found:
        raise EmptyFileError("the file holds no calibration", where=str(path), remedy="Calibrate.")
    return found


def _number(values: dict[str, str], key: str, where: str) -> float:
    try:
        value = float(values[key])
    except (KeyError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise FileFormatError(
            f"{key} is {values.get(key, 'missing')}, a number is expected",
            where=where,
            remedy="Export the calibration again; the wavelength is needed too.",
        )
    return value


def _pitch(values: dict[str, str], config: dict[str, Any], k: int, where: str) -> float:
    stated = config.get(f"pixel{k}") or values.get(f"PixelSize{k}")
    try:
        pitch = float(stated)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        pitch = np.nan
    if not (np.isfinite(pitch) and pitch > 0.0):
        raise InvalidValueError(
            f"the detector {values.get('Detector', '')} has no pixel{k} in the file",
            where=where,
            remedy='Write its pixels (m) into Detector_config: {"pixel1": 0.0002, "pixel2": ...}.',
        )
    return pitch
