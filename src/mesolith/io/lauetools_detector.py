"""LaueTools' detector calibration (.det): read and written.

LaueTools' axes: y along the beam, z up, x = y ^ z, so x is our -y. The five numbers are the
distance dd along the detector's normal (mm), the pixel (X, Y) of normal incidence, and the
angles xbet (of the normal from z towards the beam) and xgam (of the pixels about the normal).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesolith.errors import EmptyFileError, FileFormatError, InvalidValueError
from mesolith.instrument.beam import ALONG_X, Beam
from mesolith.instrument.goniometer import UPRIGHT
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.laue_angles import (
    LAUETOOLS_AXES,
    LaueDetector,
    lauetools_from_panel,
    panel_from_lauetools,
)
from mesolith.io.instrument_file import (
    InstrumentFile,
    check_beam_along_x,
    check_no_distortion,
    single_panel,
)
from mesolith.io.numbers import text_lines

_MM = 1000.0
_COUNT = 8


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
    panel = panel_from_lauetools(
        LaueDetector(_MM * distance, x_centre, y_centre, np.deg2rad(beta), np.deg2rad(gamma)),
        pitch=_MM * pixel,
        shape=(int(slow), int(fast)),
    )
    beam = Beam(wavelength, np.array(ALONG_X))
    return InstrumentFile(Instrument(beam, UPRIGHT, (panel,)), LAUETOOLS_AXES.copy(), 1.0)


def write_lauetools(path: Path, instrument: Instrument) -> None:
    """Write the detector as a .det file.

    Raises ``InvalidValueError`` where the beam is not along x, there are several panels, the
    panel is distorted, has no square pixels, or its normal leans across the beam.
    """
    panel = single_panel(instrument, "LaueTools")
    check_beam_along_x(instrument, "LaueTools")
    check_no_distortion(panel, "LaueTools")
    five = lauetools_from_panel(panel)
    numbers = (
        five.distance / _MM,
        five.x_centre,
        five.y_centre,
        np.rad2deg(five.beta),
        np.rad2deg(five.gamma),
        panel.pitch[0] / _MM,
    )
    head = ", ".join(repr(float(value)) for value in numbers)
    path.write_text(
        f"{head}, {panel.shape[0]}, {panel.shape[1]}\n"
        "Sample-Detector distance(IM), xO, yO, angle1, angle2, pixelsize, dim1, dim2\n",
        encoding="ascii",
        newline="\n",
    )
