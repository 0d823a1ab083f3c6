"""LaueTools' detector calibration (.det): read and written.

LaueTools' axes: y along the beam, z up, x = y ^ z, so x is our -y. The five numbers are the
distance dd along the detector's normal (mm), the pixel (X, Y) of normal incidence, and the
angles xbet (of the normal from z towards the beam) and xgam (of the pixels about the normal).
"""

from __future__ import annotations

from pathlib import Path

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

_MM = 1000.0
# columns: LaueTools' x, y, z on the laboratory's axes
_AXES = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_COUNT = 8
_SKEW = 1e-6


def recognise_lauetools(path: Path, head: bytes) -> float:
    """How surely the content is a .det of LaueTools, 0 to 1."""
    lines = head.decode("utf-8", "replace").splitlines()
    return 1.0 if len(lines) > 1 and lines[1].startswith("Sample-Detector distance") else 0.0


def read_lauetools(path: Path, *, wavelength: float = 1.0) -> InstrumentFile:
    """Instrument of a .det file; its beam is white, so ``wavelength`` (angstrom) is nominal.

    Raises
    ------
    EmptyFileError, FileFormatError, InvalidValueError
        With file and line.
    """
    lines = text_lines(path)
    if not lines or not lines[0].strip():
        raise EmptyFileError("the file is empty", where=str(path), remedy="Calibrate again.")
    try:
        numbers = [float(word) for word in lines[0].split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != _COUNT or not np.isfinite(numbers).all():
        raise FileFormatError(
            f"the first line does not hold {_COUNT} numbers",
            where=f"{path}, line 1",
            remedy="It holds distance, centre, two angles, pixel size and the two dimensions.",
        )
    distance, x_centre, y_centre, beta, gamma, pixel, slow, fast = numbers
    if pixel <= 0.0 or min(slow, fast) < 1.0:
        raise InvalidValueError(
            f"pixel size {pixel} mm, {slow:g} x {fast:g} pixels",
            where=f"{path}, line 1",
            remedy="Both must be positive.",
        )
    normal, along_x, along_y = _plane(np.deg2rad(beta), np.deg2rad(gamma))
    middle = (np.array([fast, slow]) - 1.0) / 2.0 - [x_centre, y_centre]
    panel = Panel(
        "detector",
        np.array([slow, fast]).astype(np.int64),
        _MM * np.array([pixel, pixel]),
        _MM * (distance * normal + pixel * (middle[0] * along_x + middle[1] * along_y)),
        np.column_stack([along_x, along_y, np.cross(along_x, along_y)]),
    )
    beam = Beam(wavelength, np.array(ALONG_X))
    return InstrumentFile(Instrument(beam, UPRIGHT, (panel,)), _AXES.copy(), 1.0)


def write_lauetools(path: Path, instrument: Instrument) -> None:
    """Write the detector as a .det file.

    Raises ``InvalidValueError`` where the beam is not along x, there are several panels, the
    panel is distorted, has no square pixels, or its normal leans across the beam.
    """
    panel = single_panel(instrument, "LaueTools")
    check_beam_along_x(instrument, "LaueTools")
    check_no_distortion(panel, "LaueTools")
    towards = float(np.sign(panel.origin @ panel.rotation[:, 2]))
    normal = _AXES.T @ panel.rotation[:, 2] * towards
    if abs(normal[0]) > _SKEW or panel.pitch[0] != panel.pitch[1] or towards < 0.0:
        raise InvalidValueError(
            "LaueTools knows square pixels that count X along x and a normal in the plane of the "
            f"beam and z; here the pitch is {panel.pitch.tolist()} um and the normal "
            f"{normal.tolist()} on LaueTools' axes",
            remedy="Turn the laboratory about the beam, or mirror the frames.",
        )
    beta = float(np.arctan2(normal[1], normal[2]))
    _, flat_x, flat_y = _plane(beta, 0.0)
    along_x = panel.rotation[:, 0]
    gamma = float(np.arctan2(-(along_x @ flat_y), along_x @ flat_x))
    distance = float(panel.origin @ panel.rotation[:, 2]) / _MM
    local = panel.rotation[:, :2].T @ panel.origin / panel.pitch[::-1]
    centre = (panel.shape[::-1] - 1) / 2.0 - local
    numbers = (distance, *centre, np.rad2deg(beta), np.rad2deg(gamma), panel.pitch[0] / _MM)
    head = ", ".join(repr(float(value)) for value in numbers)
    path.write_text(
        f"{head}, {panel.shape[0]}, {panel.shape[1]}\n"
        "Sample-Detector distance(IM), xO, yO, angle1, angle2, pixelsize, dim1, dim2\n",
        encoding="ascii",
        newline="\n",
    )


def _plane(beta: float, gamma: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Normal, and the directions of X and Y, on the laboratory's axes."""
    normal = np.array([0.0, np.sin(beta), np.cos(beta)])
    # point = dd normal + a (1, 0, 0) + b (0, cos, -sin), where the pixels turn by gamma
    across, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, np.cos(beta), -np.sin(beta)])
    along_x = np.cos(gamma) * across - np.sin(gamma) * up
    along_y = np.sin(gamma) * across + np.cos(gamma) * up
    return _AXES @ normal, _AXES @ along_x, _AXES @ along_y
