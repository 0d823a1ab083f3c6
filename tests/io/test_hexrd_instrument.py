"""HEXRD's instruments: written and read again, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mesolith.errors import FileFormatError, InvalidValueError
from mesolith.instrument.distortion import Distortion
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.panel import laboratory_from_pixels
from mesolith.io.hexrd_instrument import (
    read_hexrd_instrument,
    recognise_hexrd_instrument,
    write_hexrd_instrument,
)
from tests.instrument.setups import crooked
from tests.io.instruments import assert_same_instrument

GE = Distortion(
    np.zeros(2),
    204_800.0,
    np.array([-2e-5, -9e-5, -5e-4]),
    np.array([2.0, 2.5, 3.0]),
    np.array([2.0, 4.0, 0.0]),
    np.zeros(3),
)
FILE = """\
beam: {energy: 80.0, vector: {azimuth: 88.0, polar_angle: 91.0}}
detectors:
  a:
    pixels: {columns: 30, rows: 20, size: [0.1, 0.2]}
    distortion: {function_name: GE_41RT, parameters: [1e-3, -2e-3, 3e-3, 2, 2.5, 3]}
    transform: {tilt: [0.01, -0.02, 0.3], translation: [1.0, 2.0, -300.0]}
oscillation_stage: {chi: 0.02, translation: [0.5, 0.0, 0.0]}
"""


def test_reading_gives_what_was_written(tmp_path: Path) -> None:
    one = crooked(distortion=GE)
    # rows down instead of up
    facing = one.panels[0].rotation @ np.diag([1.0, -1.0, -1.0])
    panels = (replace(one.panels[0], rotation=facing), one.panels[1])
    made = replace(one, goniometer=Goniometer(0.01, 0.0), panels=panels)
    path = tmp_path / "instrument.yml"
    write_hexrd_instrument(path, made)
    assert recognise_hexrd_instrument(path, path.read_bytes()) == 1.0
    assert_same_instrument(read_hexrd_instrument(path).instrument, made)


def test_pixels_lie_where_hexrd_puts_them(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(FILE)
    found = read_hexrd_instrument(path)
    # HEXRD's way, on its own axes in mm
    row, column = 3.0, 21.0
    x, y = 0.2 * (column - 14.5), 0.1 * (9.5 - row)
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    share = r / 204.8
    scale = 1 + 1e-3 * share**2 * np.cos(2 * angle)
    scale += -2e-3 * share**2.5 * np.cos(4 * angle) + 3e-3 * share**3
    turn = Rotation.from_rotvec([0.01, -0.02, 0.3])
    point = turn.apply([scale * x, scale * y, 0.0]) + np.array([1.0 - 0.5, 2.0, -300.0])
    panel = found.instrument.panels[0]
    ours = laboratory_from_pixels(panel, np.array(column), np.array(row))
    np.testing.assert_allclose(ours, 1000.0 * np.array([-point[2], -point[0], point[1]]), atol=1e-8)
    azimuth, polar = np.deg2rad([88.0, 91.0])
    upstream = [np.sin(polar) * np.cos(azimuth), np.cos(polar), np.sin(polar) * np.sin(azimuth)]
    np.testing.assert_allclose(
        found.instrument.beam.direction, [upstream[2], upstream[0], -upstream[1]], atol=1e-12
    )
    # HEXRD's stage: Rx(chi) Ry(omega), so its axis is (0, cos chi, sin chi)
    np.testing.assert_allclose(
        found.instrument.goniometer.axis, [-np.sin(0.02), 0.0, np.cos(0.02)], atol=1e-15
    )
    sample_y_in_laboratory = found.sample_axes @ [0.0, 1.0, 0.0]
    np.testing.assert_allclose(sample_y_in_laboratory, found.instrument.goniometer.axis)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(FILE.replace("rows: 20", "rows: 20, roi: [[0, 20], [0, 30]]"))
    assert read_hexrd_instrument(path).left_out == ("roi of a",)
    path.write_text(FILE)
    assert read_hexrd_instrument(path).left_out == ()


@pytest.mark.parametrize(
    ("old", "new", "error", "what"),
    [
        ("energy: 80.0, ", "", FileFormatError, "no beam/energy"),
        ("energy: 80.0", "energy: high", FileFormatError, "beam/energy is 'high'"),
        ("size: [0.1, 0.2]", "size: [0.1]", FileFormatError, "a list of 2 numbers"),
        ("rows: 20", "rows: 20.5", FileFormatError, "not a whole number"),
        ("GE_41RT", "Dexela_2923", InvalidValueError, "Dexela_2923 is not known"),
        ("    pixels:", "    detector_type: cylindrical\n    pixels:", InvalidValueError, "cylin"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, old: str, new: str, error: type[Exception], what: str
) -> None:
    path = tmp_path / "a.yml"
    path.write_text(FILE.replace(old, new))
    with pytest.raises(error, match=what):
        read_hexrd_instrument(path)


def test_what_hexrd_cannot_say_is_refused(tmp_path: Path) -> None:
    one = crooked()
    path = tmp_path / "a.yml"
    with pytest.raises(InvalidValueError, match="no word for chi"):
        write_hexrd_instrument(path, one)
    still = replace(one, goniometer=Goniometer(0.01, 0.0))
    with pytest.raises(InvalidValueError, match="detectors face the sample"):
        write_hexrd_instrument(path, still)
    bent = replace(one.panels[1], distortion=replace(GE, harmonic=np.array([2.0, 3.0, 0.0])))
    with pytest.raises(InvalidValueError, match="not of the form of GE_41RT"):
        write_hexrd_instrument(path, replace(still, panels=(bent,)))
