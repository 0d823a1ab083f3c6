"""pyFAI's poni files against pyFAI's own positions, and round trips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import EmptyFileError, FileFormatError, InvalidValueError
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.goniometer import UPRIGHT
from mesolith.instrument.laue_angles import LaueDetector, panel_from_lauetools
from mesolith.instrument.panel import laboratory_from_pixels
from mesolith.io.pyfai_poni import read_poni, recognise_poni, write_poni
from tests.instrument.setups import crooked
from tests.io.instruments import assert_same_instrument

CONFIG = {"pixel1": 0.00015, "pixel2": 0.000175, "max_shape": [120, 160], "orientation": 3}
FILE = """\
# Calibration done elsewhere
poni_version: 2.1
Detector: Detector
Detector_config: {config}
Distance: 0.31
Poni1: 0.004
Poni2: 0.017
Rot1: 0.02
Rot2: -0.035
Rot3: 0.3
Wavelength: 3e-11
"""
# Geometry.calc_pos_zyx of pyFAI 2026.9.0 for (d1, d2) = (0, 0), (17, 142), (119, 3): along the
# beam, up and sideways, metres
THEIRS = {
    1: (
        (0.30904281, 0.3096287, 0.30967792),
        (0.01859251, 0.02351671, 0.00170566),
        (0.02366116, -0.00082218, 0.01788801),
    ),
    2: (
        (0.30959893, 0.3091915, 0.31021306),
        (0.02683232, 0.01703888, 0.00963453),
        (-0.00291001, 0.0200671, -0.00768047),
    ),
    3: (
        (0.31022355, 0.30963766, 0.30958844),
        (0.00979, 0.0048658, 0.02667685),
        (-0.00818182, 0.01630152, -0.00240867),
    ),
    4: (
        (0.30966743, 0.31007486, 0.3090533),
        (0.00155019, 0.01134363, 0.01874798),
        (0.01838935, -0.00458776, 0.02315981),
    ),
}


def _file(path: Path, text: str = FILE, **changes: object) -> Path:
    config = {k: v for k, v in {**CONFIG, **changes}.items() if v is not None}
    path.write_text(text.replace("{config}", json.dumps(config)))
    return path


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_pixels_lie_where_pyfai_puts_them(tmp_path: Path, orientation: int) -> None:
    path = _file(tmp_path / "a.poni", orientation=orientation)
    found = read_poni(path).instrument
    along, up, side = np.array(THEIRS[orientation])
    ours = laboratory_from_pixels(
        found.panels[0], np.array([0.0, 142.0, 3.0]), np.array([0.0, 17.0, 119.0])
    )
    np.testing.assert_allclose(ours, 1e6 * np.column_stack([along, -side, up]), atol=0.006)
    assert found.beam.wavelength == pytest.approx(0.3)
    write_poni(tmp_path / "b.poni", found)
    again = tmp_path / "b.poni"
    assert recognise_poni(again, again.read_bytes()) == 1.0
    assert_same_instrument(read_poni(again).instrument, found)


@pytest.mark.parametrize(
    ("old", "new", "error", "what"),
    [
        ("Rot2: -0.035", "Rot2: left", FileFormatError, "Rot2 is left"),
        ("Wavelength: 3e-11\n", "", FileFormatError, "Wavelength is missing"),
        ("{config}", "{", FileFormatError, "no JSON"),
        ("{config}", "{}", InvalidValueError, "no pixel1"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, old: str, new: str, error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        read_poni(_file(tmp_path / "a.poni", FILE.replace(old, new)))


def test_shape_and_orientation_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="how many pixels"):
        read_poni(_file(tmp_path / "a.poni", max_shape=None))
    with pytest.raises(InvalidValueError, match="orientation 5"):
        read_poni(_file(tmp_path / "a.poni", orientation=5))
    (tmp_path / "b.poni").write_text("# nothing\n")
    with pytest.raises(EmptyFileError, match="no calibration"):
        read_poni(tmp_path / "b.poni")


def test_what_pyfai_cannot_say_is_refused(tmp_path: Path) -> None:
    one = replace(crooked(), beam=beam_from_energy(76.2), goniometer=UPRIGHT)
    with pytest.raises(InvalidValueError, match="one panel"):
        write_poni(tmp_path / "a.poni", one)


def test_any_panel_is_written_and_read(tmp_path: Path) -> None:
    """Rows along the upright axis or across it, mirrored or not, in front of the beam or above."""
    one = replace(crooked(), beam=beam_from_energy(76.2), goniometer=UPRIGHT)
    above = [
        panel_from_lauetools(
            LaueDetector(70_775.0, 941.74, 1082.56, *np.deg2rad(angles)),
            pitch=79.142,
            shape=(2018, 2016),
        )
        for angles in ([0.63, -0.682], [0.0, 0.0], [-40.0, 100.0], [90.0, 3.0])
    ]
    for panel in (one.panels[1], *above):
        wanted = replace(one, panels=(replace(panel, name="detector"),))
        write_poni(tmp_path / "a.poni", wanted)
        assert_same_instrument(read_poni(tmp_path / "a.poni").instrument, wanted, atol=1e-5)
