"""LaueTools' detector files against its formula written out, and round trips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import EmptyFileError, FileFormatError, InvalidValueError
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.panel import laboratory_from_pixels
from mesolith.io.lauetools_detector import read_lauetools, recognise_lauetools, write_lauetools
from tests.instrument.setups import crooked
from tests.io.instruments import assert_same_instrument

FILE = """\
70.775, 941.74, 1082.56, 3.0, -20.0, 0.079142, 2018, 2016
Sample-Detector distance(IM), xO, yO, angle1, angle2, pixelsize, dim1, dim2
Calibration done with Ge
"""


def test_pixels_lie_where_lauetools_puts_them(tmp_path: Path) -> None:
    path = tmp_path / "a.det"
    path.write_text(FILE)
    assert recognise_lauetools(path, path.read_bytes()) == 1.0
    found = read_lauetools(path)
    x, y = 100.0, 1900.0
    b, g = np.deg2rad([3.0, -20.0])
    x1, y1 = (x - 941.74) * 0.079142, (y - 1082.56) * 0.079142
    xa, ya = np.cos(g) * x1 + np.sin(g) * y1, -np.sin(g) * x1 + np.cos(g) * y1
    theirs = np.array(
        [xa, 70.775 * np.sin(b) + ya * np.cos(b), 70.775 * np.cos(b) - ya * np.sin(b)]
    )
    ours = laboratory_from_pixels(found.instrument.panels[0], np.array(x), np.array(y))
    np.testing.assert_allclose(ours, 1000.0 * found.sample_axes @ theirs, atol=1e-8)
    # their y is the beam, z up, x = y ^ z
    np.testing.assert_allclose(found.sample_axes @ [0.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(found.sample_axes @ [1.0, 0.0, 0.0], [0.0, -1.0, 0.0])
    write_lauetools(tmp_path / "b.det", found.instrument)
    assert_same_instrument(read_lauetools(tmp_path / "b.det").instrument, found.instrument)


@pytest.mark.parametrize(
    ("text", "error", "what"),
    [
        ("\n", EmptyFileError, "is empty"),
        ("1, 2, 3\n", FileFormatError, "does not hold 8 numbers"),
        (FILE.replace("3.0", "flat"), FileFormatError, "does not hold 8 numbers"),
        (FILE.replace("0.079142", "0"), InvalidValueError, "pixel size 0.0"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, text: str, error: type[Exception], what: str
) -> None:
    path = tmp_path / "a.det"
    path.write_text(text)
    with pytest.raises(error, match=what):
        read_lauetools(path)


def test_what_lauetools_cannot_say_is_refused(tmp_path: Path) -> None:
    one = replace(crooked(), beam=beam_from_energy(20.0))
    with pytest.raises(InvalidValueError, match="a normal in the plane of the beam and z"):
        write_lauetools(tmp_path / "a.det", replace(one, panels=one.panels[:1]))
