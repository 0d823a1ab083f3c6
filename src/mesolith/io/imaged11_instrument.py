"""ImageD11's geometry (.par, .prm): read and written.

Laboratory as ours, um. A peak at (slow, fast) lies at z' = o11 ds + o12 df, y' = o21 ds + o22 df
for ds = (slow - z_center) z_size, df = (fast - y_center) y_size, and in the laboratory at
(distance, 0, 0) + Rx(tilt_x) Ry(tilt_y) Rz(tilt_z) (0, y', z'). The stage carries its sample
axes along: laboratory = Ry(-wedge) Rx(chi) Rz(omegasign omega) sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.beam import ALONG_X, Beam
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.io.instrument_file import (
    InstrumentFile,
    check_beam_along_x,
    check_no_distortion,
    pixel_of_beam,
    single_panel,
)
from mesolith.io.parameter_lines import read_parameters

_LARGEST_PITCH = 2000.0  # um
_SMALLEST_PITCH = 0.1


def recognise_imaged11_instrument(path: Path, head: bytes) -> float:
    """How surely the content is a geometry of ImageD11, 0 to 1."""
    keys = {line.split()[0] for line in head.decode("latin-1").splitlines() if line.split()}
    return 1.0 if {"o11", "y_center", "z_center", "distance"} <= keys else 0.0


def read_imaged11_instrument(path: Path, *, shape: Sequence[int]) -> InstrumentFile:
    """Instrument of ImageD11's parameters, and its omega sign and sample axes.

    ``shape`` is the number of pixels (slow, fast), which the file does not state. A spline for
    distortion belongs to ImageD11's peak search: the peaks of its files are corrected already.

    Raises
    ------
    FileFormatError, EmptyFileError
        A parameter is missing or no number.
    InvalidValueError
        The flips o11 .. o22 are no exchange or mirror of axes, or lengths are not in um.
    """
    parameters = read_parameters(path)
    where = str(path)
    flips = np.array([parameters.number(key) for key in ("o11", "o12", "o21", "o22")])
    flips = flips.reshape(2, 2)
    if not np.array_equal(np.abs(flips) @ np.abs(flips).T, np.eye(2)) or np.any(
        np.abs(flips) != np.round(np.abs(flips))
    ):
        raise InvalidValueError(
            f"o11 o12 o21 o22 are {flips.ravel().tolist()}: no exchange or mirror of axes",
            where=where,
            remedy="Each of ImageD11's eight flips has two zeros and two of +1 or -1.",
        )
    pitch = np.array([parameters.number("z_size"), parameters.number("y_size")])
    if np.any(np.abs(pitch) < _SMALLEST_PITCH) or np.any(np.abs(pitch) > _LARGEST_PITCH):
        raise InvalidValueError(
            f"z_size and y_size are {pitch.tolist()}, which are no pixels in um",
            where=where,
            remedy="Lengths in um are expected: scale z_size, y_size and distance together.",
        )
    turn = tilt_matrix(*(parameters.number(f"tilt_{axis}", default=0.0) for axis in "xyz"))
    # laboratory vectors along one pixel of slow and of fast
    slow_step = turn @ np.array([0.0, flips[1, 0], flips[0, 0]]) * pitch[0]
    fast_step = turn @ np.array([0.0, flips[1, 1], flips[0, 1]]) * pitch[1]
    centre = np.array([parameters.number("z_center"), parameters.number("y_center")])
    middle = (np.asarray(shape, dtype=np.float64) - 1.0) / 2.0 - centre
    origin = np.array([parameters.number("distance"), 0.0, 0.0])
    fast_axis = fast_step / np.linalg.norm(fast_step)
    slow_axis = slow_step / np.linalg.norm(slow_step)
    panel = Panel(
        "detector",
        np.asarray(shape, dtype=np.int64),
        np.abs(pitch),
        origin + middle[0] * slow_step + middle[1] * fast_step,
        np.column_stack([fast_axis, slow_axis, np.cross(fast_axis, slow_axis)]),
    )
    wedge, chi = (np.deg2rad(parameters.number(key, default=0.0)) for key in ("wedge", "chi"))
    stage = tilt_matrix(0.0, -wedge, 0.0) @ tilt_matrix(chi, 0.0, 0.0)
    axis = stage[:, 2]
    beam = Beam(parameters.number("wavelength"), np.array(ALONG_X))
    return InstrumentFile(
        Instrument(beam, goniometer_along(axis), (panel,)),
        stage,
        float(np.sign(parameters.number("omegasign", default=1.0))),
    )


def write_imaged11_instrument(
    path: Path, instrument: Instrument, *, omega_sign: float = 1.0
) -> None:
    """Write an instrument as ImageD11's parameters, without a crystal's lattice.

    Raises ``InvalidValueError`` where the beam is not along x, there are several panels, or the
    panel is distorted.
    """
    panel = single_panel(instrument, "ImageD11")
    check_beam_along_x(instrument, "ImageD11")
    check_no_distortion(panel, "ImageD11")
    flips, turn = flips_and_tilt(panel)
    fast, slow, distance = pixel_of_beam(panel)
    tilts = tilts_from_matrix(turn)
    axis = instrument.goniometer.axis
    numbers: dict[str, float | int] = {
        "chi": float(np.rad2deg(np.arcsin(-axis[1]))),
        "distance": distance,
        "o11": int(flips[0, 0]),
        "o12": int(flips[0, 1]),
        "o21": int(flips[1, 0]),
        "o22": int(flips[1, 1]),
        "omegasign": omega_sign,
        "t_x": 0,
        "t_y": 0,
        "t_z": 0,
        "tilt_x": tilts[0],
        "tilt_y": tilts[1],
        "tilt_z": tilts[2],
        "wavelength": instrument.beam.wavelength,
        "wedge": float(np.rad2deg(np.arctan2(-axis[0], axis[2]))),
        "y_center": fast,
        "y_size": float(panel.pitch[1]),
        "z_center": slow,
        "z_size": float(panel.pitch[0]),
    }
    text = "".join(f"{key} {value!r}\n" for key, value in numbers.items())
    path.write_text(text, encoding="ascii", newline="\n")


def goniometer_along(axis: FloatArray) -> Goniometer:
    """Goniometer whose axis is that unit vector (3,)."""
    return Goniometer(float(np.arcsin(axis[0])), float(np.arctan2(-axis[1], axis[2])))


def tilt_matrix(tilt_x: float, tilt_y: float, tilt_z: float) -> FloatArray:
    """Rx(tilt_x) Ry(tilt_y) Rz(tilt_z), rad; MIDAS tilts in the same order."""
    (sin_x, sin_y, sin_z), (cos_x, cos_y, cos_z) = (
        np.sin([tilt_x, tilt_y, tilt_z]),
        np.cos([tilt_x, tilt_y, tilt_z]),
    )
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cos_x, -sin_x], [0.0, sin_x, cos_x]])
    about_y = np.array([[cos_y, 0.0, sin_y], [0.0, 1.0, 0.0], [-sin_y, 0.0, cos_y]])
    about_z = np.array([[cos_z, -sin_z, 0.0], [sin_z, cos_z, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(about_x @ about_y @ about_z, dtype=np.float64)


def tilts_from_matrix(matrix: FloatArray) -> tuple[float, float, float]:
    """Tilts of `tilt_matrix`; tilt_y within 90 deg."""
    return (
        float(np.arctan2(-matrix[1, 2], matrix[2, 2])),
        float(np.arcsin(np.clip(matrix[0, 2], -1.0, 1.0))),
        float(np.arctan2(-matrix[0, 1], matrix[0, 0])),
    )


def flips_and_tilt(panel: Panel) -> tuple[FloatArray, FloatArray]:
    """The flip nearest to the panel's axes and the rotation that remains.

    Flips [[o11, o12], [o21, o22]] as in the module's text; the rotation (3, 3) takes the flipped
    axes in the plane x = 0 onto the panel's.
    """
    fast, slow = panel.rotation[:, 0], panel.rotation[:, 1]
    flips = np.zeros((2, 2))
    if abs(fast[1]) >= abs(fast[2]):
        flips[0, 0], flips[1, 1] = np.sign(slow[2]), np.sign(fast[1])
    else:
        flips[0, 1], flips[1, 0] = np.sign(fast[2]), np.sign(slow[1])
    # columns of the tilt: where y and z of the plane go
    along_y = flips[1, 1] * fast + flips[1, 0] * slow
    along_z = flips[0, 1] * fast + flips[0, 0] * slow
    return flips, np.column_stack([np.cross(along_y, along_z), along_y, along_z])
