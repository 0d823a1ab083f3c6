"""MIDAS' parameter files: the geometry read and written.

Laboratory as ours, um. Pixel (Y, Z) of the transformed image lies at (Lsd, 0, 0) +
Rx(tx) Ry(ty) Rz(tz) (0, (BC_y - Y) px, (Z - BC_z) px). ImTransOpt makes that image of the stored
frame, one after the other: 1 mirrors columns, 2 mirrors rows, 3 exchanges them. Distances from
the beam centre are then stretched by 1 + sum p (R / RhoD)^n cos(m (90 deg - eta) + phase). The
stage carries its sample axes along, tilted by -Wedge about y.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.beam import ALONG_X, Beam
from mesolith.instrument.distortion import Distortion
from mesolith.instrument.goniometer import Goniometer, axis_tilt
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.io.imaged11_instrument import flips_and_tilt, tilt_matrix, tilts_from_matrix
from mesolith.io.instrument_file import (
    InstrumentFile,
    check_axis_without_chi,
    check_beam_along_x,
    pixel_of_beam,
    single_panel,
)
from mesolith.io.parameter_lines import Parameters, read_parameters

# amplitude, phase (deg), exponent of R / RhoD, multiple of the angle
_TERMS = (
    ("p0", "p6", 2.0, 2.0),
    ("p1", "p3", 4.0, 4.0),
    ("p2", None, 2.0, 0.0),
    ("p4", None, 6.0, 0.0),
    ("p5", None, 4.0, 0.0),
    ("p7", "p8", 4.0, 1.0),
    ("p9", "p10", 3.0, 3.0),
    ("p11", "p12", 5.0, 5.0),
    ("p13", "p14", 6.0, 6.0),
)
_NOT_TAKEN = ("PanelShiftsFile", "DistortionFile", "Parallax", "ResidualCorrectionMap")
_MIRROR_COLUMNS, _MIRROR_ROWS, _EXCHANGE = 1, 2, 3


def recognise_midas_instrument(path: Path, head: bytes) -> float:
    """How surely the content is a parameter file of MIDAS, 0 to 1."""
    keys = {line.split()[0] for line in head.decode("latin-1").splitlines() if line.split()}
    return 1.0 if {"Lsd", "BC", "px"} <= keys else 0.0


def read_midas_instrument(path: Path, *, shape: Sequence[int] | None = None) -> InstrumentFile:
    """Instrument of MIDAS' parameters.

    ``shape`` is the number of pixels (slow, fast) of the stored frames where the file has no
    NrPixels (NrPixelsY are its columns before ImTransOpt, NrPixelsZ its rows).

    Distances are stretched in the panel's plane, not after projection onto the plane x = Lsd as
    in MIDAS: the two differ by less than 0.01 px at tilts of a degree.

    Raises
    ------
    FileFormatError, EmptyFileError
        A parameter is missing or no number.
    InvalidValueError
        ImTransOpt or RhoD cannot be.
    """
    parameters = read_parameters(path)
    shape = _shape(parameters, shape)
    pitch = parameters.number("px")
    flips = np.eye(2)  # (Y, Z) of the transformed image from (fast, slow) of the frame
    offset = np.zeros(2)
    counts = np.array([shape[1], shape[0]], dtype=np.float64)
    for option in _options(parameters):
        step, start = np.eye(2), np.zeros(2)
        if option == _EXCHANGE:
            step, counts = step[::-1], counts[::-1]
        elif option in (_MIRROR_COLUMNS, _MIRROR_ROWS):
            k = option - _MIRROR_COLUMNS
            step[k, k], start[k] = -1.0, counts[k] - 1.0
        flips, offset = step @ flips, step @ offset + start
    turn = tilt_matrix(
        *np.deg2rad([parameters.number(key, default=0.0) for key in ("tx", "ty", "tz")])
    )
    # laboratory vectors along one pixel of fast and of slow
    fast_axis, slow_axis = (turn @ np.array([0.0, -flips[0, k], flips[1, k]]) for k in range(2))
    centre = flips.T @ (np.array(parameters.numbers("BC", 2)) - offset)  # (fast, slow)
    middle = (np.array([shape[1], shape[0]]) - 1.0) / 2.0 - centre
    beam_point = np.array([parameters.number("Lsd"), 0.0, 0.0])
    panel = Panel(
        "detector",
        np.asarray(shape, dtype=np.int64),
        np.array([pitch, pitch]),
        beam_point + pitch * (middle[0] * fast_axis + middle[1] * slow_axis),
        np.column_stack([fast_axis, slow_axis, np.cross(fast_axis, slow_axis)]),
        _distortion(parameters, -pitch * middle, fast_axis, slow_axis),
    )
    goniometer = Goniometer(-np.deg2rad(parameters.number("Wedge", default=0.0)), 0.0)
    beam = Beam(parameters.number("Wavelength"), np.array(ALONG_X))
    return InstrumentFile(
        Instrument(beam, goniometer, (panel,)),
        axis_tilt(goniometer),
        1.0,
        tuple(key for key in _NOT_TAKEN if key in parameters),
    )


def write_midas_instrument(path: Path, instrument: Instrument) -> None:
    """Write an instrument as the geometry of a MIDAS parameter file.

    Raises ``InvalidValueError`` where the beam is not along x, the axis leans across it, there
    are several panels, pixels are not square, or the distortion has other terms than MIDAS or
    is not centred on the beam.
    """
    panel = single_panel(instrument, "MIDAS")
    check_beam_along_x(instrument, "MIDAS")
    check_axis_without_chi(instrument, "MIDAS")
    if panel.pitch[0] != panel.pitch[1]:
        raise InvalidValueError(
            f"MIDAS knows square pixels, these have a pitch of {panel.pitch.tolist()} um",
            remedy="Write ImageD11's parameters or a HEXRD instrument.",
        )
    _, turn = flips_and_tilt(panel)
    fast, slow, distance = pixel_of_beam(panel)
    options = _options_of(panel)
    centre = image_pixels(panel, np.array([[fast, slow]]))[0]
    tilts = np.rad2deg(tilts_from_matrix(turn))
    lines = [
        f"NrPixelsY {panel.shape[1]}",
        f"NrPixelsZ {panel.shape[0]}",
        f"px {float(panel.pitch[0])!r}",
        f"Lsd {distance!r}",
        f"BC {float(centre[0])!r} {float(centre[1])!r}",
        *(f"{key} {float(tilt)!r}" for key, tilt in zip(("tx", "ty", "tz"), tilts, strict=True)),
        f"Wedge {float(np.rad2deg(-instrument.goniometer.wedge))!r}",
        f"Wavelength {instrument.beam.wavelength!r}",
        *(f"ImTransOpt {option}" for option in options or [0]),
        *_written_distortion(panel, np.array([fast, slow])),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def image_pixels(panel: Panel, place: FloatArray) -> FloatArray:
    """Pixels (n, 2), Y and Z, of the image that MIDAS makes of the frames of a panel.

    ``place`` (n, 2) is fast and slow, px; the image is that of the ImTransOpt which
    `write_midas_instrument` writes.
    """
    pixel = np.array(place, dtype=np.float64)
    counts = panel.shape[::-1].astype(np.float64)
    for option in _options_of(panel):
        if option == _EXCHANGE:
            pixel, counts = pixel[:, ::-1].copy(), counts[::-1]
        else:
            k = option - _MIRROR_COLUMNS
            pixel[:, k] = counts[k] - 1.0 - pixel[:, k]
    return pixel


def _options_of(panel: Panel) -> list[int]:
    """ImTransOpt after which columns run against y and rows along z."""
    flips, _ = flips_and_tilt(panel)
    options = []
    if flips[0, 0] == 0.0:
        options.append(_EXCHANGE)
    if flips[1, 0] + flips[1, 1] > 0.0:  # y grows with the columns, MIDAS counts them against y
        options.append(_MIRROR_COLUMNS)
    if flips[0, 0] + flips[0, 1] < 0.0:
        options.append(_MIRROR_ROWS)
    return options


def _shape(parameters: Parameters, shape: Sequence[int] | None) -> tuple[int, int]:
    if shape is not None:
        return int(shape[0]), int(shape[1])
    square = (parameters.number("NrPixels"),) if "NrPixels" in parameters else None
    columns = parameters.numbers("NrPixelsY", 1, default=square)[0]
    rows = parameters.numbers("NrPixelsZ", 1, default=square)[0]
    return int(rows), int(columns)


def _options(parameters: Parameters) -> list[int]:
    found = []
    for line, words in parameters.values.get("ImTransOpt", []):
        for word in words:
            if word not in ("0", "1", "2", "3"):
                raise InvalidValueError(
                    f"ImTransOpt is {word}",
                    where=f"{parameters.path}, line {line}",
                    remedy="0 leaves the frame, 1 mirrors columns, 2 mirrors rows, 3 exchanges.",
                )
            found.append(int(word))
    return found


def _sense(fast_axis: FloatArray, slow_axis: FloatArray) -> tuple[float, float]:
    """Angle from -y towards z of the fast axis, and whether slow lies the same way round it."""
    start = float(np.arctan2(fast_axis[2], -fast_axis[1]))
    return start, -float(np.sign(np.cross(fast_axis, slow_axis)[0]))


def _distortion(
    parameters: Parameters, centre: FloatArray, fast_axis: FloatArray, slow_axis: FloatArray
) -> Distortion | None:
    start, sense = _sense(fast_axis, slow_axis)
    rows = []
    for key, phase_key, exponent, harmonic in _TERMS:
        amplitude = parameters.number(key, default=0.0)
        phase = np.deg2rad(parameters.number(phase_key, default=0.0)) if phase_key else 0.0
        if amplitude != 0.0:
            turned = sense * (harmonic * start + phase) if harmonic else 0.0
            rows.append((amplitude, exponent, harmonic, turned))
    if not rows:
        return None
    radius = parameters.number("RhoD")
    if radius <= 0.0:
        raise InvalidValueError(
            f"RhoD is {radius}", where=str(parameters.path), remedy="Give the radius in um."
        )
    return Distortion(centre, radius, *np.array(rows).T)


def _written_distortion(panel: Panel, centre: FloatArray) -> list[str]:
    bent = panel.distortion
    if bent is None:
        return ["RhoD 200000.0", "p0 0", "p1 0", "p2 0", "p3 0"]
    middle = (np.array([panel.shape[1], panel.shape[0]]) - 1.0) / 2.0
    beam = (centre - middle) * panel.pitch[::-1]
    if np.abs(beam - bent.centre).max() > panel.pitch[0]:
        raise InvalidValueError(
            f"the distortion of panel {panel.name} is centred {(bent.centre - beam).tolist()} um "
            "from the beam",
            remedy="MIDAS centres it on the beam: write a HEXRD instrument.",
        )
    start, sense = _sense(panel.rotation[:, 0], panel.rotation[:, 1])
    lines = [f"RhoD {bent.radius!r}"]
    keys = {(exponent, harmonic): (key, phase) for key, phase, exponent, harmonic in _TERMS}
    for k in range(len(bent.amplitude)):
        exponent, harmonic = float(bent.exponent[k]), float(bent.harmonic[k])
        if (exponent, harmonic) not in keys:
            raise InvalidValueError(
                f"MIDAS has no distortion of harmonic {harmonic:g} and exponent {exponent:g}",
                remedy="Write a HEXRD instrument.",
            )
        key, phase_key = keys[exponent, harmonic]
        lines.append(f"{key} {float(bent.amplitude[k])!r}")
        if phase_key:
            phase = float(np.rad2deg(sense * bent.phase[k] - harmonic * start))
            lines.append(f"{phase_key} {math.remainder(phase, 360.0)!r}")
    return lines
