"""MIDAS' geometry against its formula written out, for every order of image transforms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mesolith.errors import FileFormatError, InvalidValueError
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.goniometer import UPRIGHT, Goniometer
from mesolith.instrument.panel import laboratory_from_pixels
from mesolith.instrument.scattering import angles_from_laboratory
from mesolith.io.midas_instrument import (
    read_midas_instrument,
    recognise_midas_instrument,
    write_midas_instrument,
)
from tests.instrument.setups import bent, crooked
from tests.io.instruments import assert_same_instrument

FILE = """\
# geometry
NrPixelsY 1500
NrPixelsZ 1200
px 172.0   # um
Lsd 657436.9;
BC 685.5 721.25
tx 3.0
ty 0.2
tz -0.45
Wedge 0.4
Wavelength 0.172973
RhoD 150000
p0 0.00023
p1 0.00017
p2 -0.00054
p3 -13.8
p4 0.0003
p6 20
p7 0.0001
p8 -50
p11 0.0002
p12 33
"""
PHASED = {"p0": (2, 2, "p6"), "p1": (4, 4, "p3"), "p7": (4, 1, "p8"), "p11": (5, 5, "p12")}
PLAIN = {"p2": 2, "p4": 6}
ORDERS = [(), (0,), (1,), (2,), (3,), (1, 2), (1, 3), (3, 1), (2, 3), (3, 2), (3, 1, 2)]


def _file(path: Path, options: tuple[int, ...], text: str = FILE) -> Path:
    path.write_text(text + "".join(f"ImTransOpt {option}\n" for option in options))
    return path


def _transformed(frame: np.ndarray, options: tuple[int, ...]) -> np.ndarray:
    for option in options:
        if option == 1:
            frame = frame[:, ::-1]
        elif option == 2:
            frame = frame[::-1]
        elif option == 3:
            frame = frame.T
    return frame


def _radius_and_eta(y: float, z: float) -> tuple[float, float]:
    """R (um, on the plane x = Lsd) and eta (deg) of a pixel of the transformed image."""
    numbers = {w[0]: float(w[1].rstrip(";")) for w in map(str.split, FILE.splitlines()[1:])}
    lsd, rho, px = numbers["Lsd"], numbers["RhoD"], numbers["px"]
    tilts = np.deg2rad([numbers["tx"], numbers["ty"], numbers["tz"]])
    point = Rotation.from_euler("XYZ", tilts).apply([0.0, (685.5 - y) * px, (z - 721.25) * px])
    radius = np.hypot(point[1], point[2]) * lsd / (lsd + point[0])
    eta = np.degrees(np.arctan2(-point[1], point[2]))
    factor = 1.0
    for key, (exponent, harmonic, phase) in PHASED.items():
        angle = np.deg2rad(harmonic * (90.0 - eta) + numbers[phase])
        factor += numbers[key] * (radius / rho) ** exponent * np.cos(angle)
    for key, exponent in PLAIN.items():
        factor += numbers[key] * (radius / rho) ** exponent
    return radius * factor, eta


@pytest.mark.parametrize("options", ORDERS)
def test_each_transform_puts_pixels_where_midas_does(
    tmp_path: Path, options: tuple[int, ...]
) -> None:
    found = read_midas_instrument(_file(tmp_path / "p.txt", options)).instrument
    for fast, slow in ((1400, 100), (30, 1180), (700, 3)):
        frame = np.zeros((1200, 1500), dtype=bool)
        frame[slow, fast] = True
        z, y = (int(k[0]) for k in np.nonzero(_transformed(frame, options)))
        radius, eta = _radius_and_eta(y, z)
        hit = laboratory_from_pixels(found.panels[0], np.array(float(fast)), np.array(float(slow)))
        two_theta, azimuth = angles_from_laboratory(found, hit)
        assert np.degrees(azimuth) == pytest.approx(eta, abs=2e-5)
        # within 0.01 px, as promised
        assert 657436.9 * np.tan(two_theta) == pytest.approx(radius, abs=1.7)


@pytest.mark.parametrize("options", ORDERS)
def test_reading_gives_what_was_written(tmp_path: Path, options: tuple[int, ...]) -> None:
    first = read_midas_instrument(_file(tmp_path / "p.txt", options)).instrument
    path = tmp_path / "q.txt"
    write_midas_instrument(path, first)
    assert recognise_midas_instrument(path, path.read_bytes()) == 1.0
    assert_same_instrument(read_midas_instrument(path).instrument, first)


def test_the_wedge_tilts_the_axis_upstream(tmp_path: Path) -> None:
    found = read_midas_instrument(_file(tmp_path / "p.txt", ()))
    wedge = np.deg2rad(0.4)
    wanted = [-np.sin(wedge), 0.0, np.cos(wedge)]
    np.testing.assert_allclose(found.instrument.goniometer.axis, wanted)
    np.testing.assert_allclose(found.sample_axes @ [0.0, 0.0, 1.0], wanted)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    found = read_midas_instrument(_file(tmp_path / "p.txt", (), FILE + "PanelShiftsFile a.txt\n"))
    assert found.left_out == ("PanelShiftsFile",)


@pytest.mark.parametrize(
    ("old", "new", "error", "what"),
    [
        ("Lsd 657436.9;\n", "", FileFormatError, "Lsd is missing"),
        ("BC 685.5 721.25", "BC 685.5", FileFormatError, "2 numbers are expected"),
        ("RhoD 150000", "RhoD 0", InvalidValueError, "RhoD is 0"),
        ("tx 3.0", "ImTransOpt 4", InvalidValueError, "ImTransOpt is 4"),
        ("NrPixelsZ 1200\n", "", FileFormatError, "NrPixelsZ is missing"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, old: str, new: str, error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        read_midas_instrument(_file(tmp_path / "p.txt", (), FILE.replace(old, new)))


def test_what_midas_cannot_say_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    one = crooked(distortion=bent())
    straight = replace(one, beam=beam_from_energy(80.0), panels=one.panels[:1])
    with pytest.raises(InvalidValueError, match="no word for chi"):
        write_midas_instrument(path, straight)
    upright = replace(straight, goniometer=Goniometer(0.01, 0.0))
    # the beam meets the panel 103 mm from its middle, the distortion is centred near the middle
    with pytest.raises(
        InvalidValueError, match=r"is centred \[-1027\d\d\.\d+, -83\d\.\d+\] um from"
    ):
        write_midas_instrument(path, upright)
    oblong = replace(one, beam=straight.beam, goniometer=UPRIGHT, panels=one.panels[1:])
    with pytest.raises(InvalidValueError, match="square pixels"):
        write_midas_instrument(path, oblong)
