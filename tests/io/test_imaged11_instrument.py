"""ImageD11's geometry against its formula written out, and round trips of all eight flips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mesolith.errors import EmptyFileError, FileFormatError, InvalidValueError
from mesolith.instrument.panel import laboratory_from_pixels
from mesolith.instrument.scattering import scattering_vectors
from mesolith.io.imaged11_instrument import (
    read_imaged11_instrument,
    recognise_imaged11_instrument,
    write_imaged11_instrument,
)
from tests.instrument.setups import crooked
from tests.io.instruments import assert_same_instrument

SHAPE = (100, 160)
FLIPS = [(a, 0, 0, b) for a in (1, -1) for b in (1, -1)]
FLIPS += [(0, a, b, 0) for a in (1, -1) for b in (1, -1)]
VALUES = {
    "distance": 151234.5,
    "y_center": 60.25,
    "z_center": 71.5,
    "y_size": 47.0,
    "z_size": 49.5,
    "tilt_x": 0.02,
    "tilt_y": -0.03,
    "tilt_z": 0.015,
    "wavelength": 0.2308,
    "wedge": 1.5,
    "chi": -0.75,
    "omegasign": -1.0,
}


def _written(path: Path, flips: tuple[int, ...], **changes: object) -> Path:
    values = {**VALUES, **dict(zip(("o11", "o12", "o21", "o22"), flips, strict=True)), **changes}
    path.write_text("".join(f"{k} {v}\n" for k, v in values.items() if v is not None))
    return path


@pytest.mark.parametrize("flips", FLIPS)
def test_each_flip_puts_pixels_where_the_formula_says(
    tmp_path: Path, flips: tuple[int, ...]
) -> None:
    path = _written(tmp_path / "a.par", flips)
    found = read_imaged11_instrument(path, shape=SHAPE)
    slow, fast = 17.0, 142.0
    across = np.reshape(flips, (2, 2)) @ [(slow - 71.5) * 49.5, (fast - 60.25) * 47.0]
    turn = Rotation.from_euler("XYZ", [0.02, -0.03, 0.015])
    point = turn.apply([0.0, across[1], across[0]]) + np.array([151234.5, 0.0, 0.0])
    ours = laboratory_from_pixels(found.instrument.panels[0], np.array(fast), np.array(slow))
    np.testing.assert_allclose(ours, point, atol=1e-8)
    write_imaged11_instrument(tmp_path / "b.par", found.instrument, omega_sign=found.omega_sign)
    again = read_imaged11_instrument(tmp_path / "b.par", shape=SHAPE)
    assert_same_instrument(again.instrument, found.instrument)
    assert again.omega_sign == -1.0
    assert recognise_imaged11_instrument(path, path.read_bytes()) == 1.0


def test_scattering_vectors_are_those_of_imaged11_itself(tmp_path: Path) -> None:
    """Numbers from ImageD11 2.1.3: compute_tth_eta_from_xyz and compute_g_vectors."""
    path = _written(tmp_path / "a.par", (0, 1, -1, 0))
    found = read_imaged11_instrument(path, shape=SHAPE)
    points = laboratory_from_pixels(
        found.instrument.panels[0], np.array([142.0, 5.0, 60.0]), np.array([17.0, 90.0, 50.0])
    )
    omega = np.deg2rad([40.0, -100.0, 170.0])
    g = scattering_vectors(
        found.instrument, points, omega, found.sample_axes @ [100.0, -50.0, 30.0]
    )
    theirs = np.array(
        [
            [0.047537245436527584, 0.05533808249456041, 0.11170670567378108],
            [0.021307863499138005, 0.0010201508268045181, -0.07584905009779888],
            [0.005064691404254732, -0.028105061877136333, -0.00013053608091027994],
        ]
    )
    np.testing.assert_allclose(g @ found.sample_axes, theirs, atol=1e-14)


def test_the_stage_carries_the_sample_as_in_imaged11(tmp_path: Path) -> None:
    found = read_imaged11_instrument(_written(tmp_path / "a.par", (1, 0, 0, 1)), shape=SHAPE)
    wedge, chi, omega = np.deg2rad([1.5, -0.75, 40.0])
    theirs = (
        Rotation.from_euler("y", -wedge)
        * Rotation.from_euler("x", chi)
        * Rotation.from_euler("z", omega)
    )
    place = np.array([100.0, -50.0, 30.0])
    axis = found.instrument.goniometer.axis
    ours = Rotation.from_rotvec(omega * axis).apply(found.sample_axes @ place)
    np.testing.assert_allclose(ours, theirs.apply(place), atol=1e-10)


@pytest.mark.parametrize(
    ("changes", "error", "what"),
    [
        ({"distance": None}, FileFormatError, "distance is missing"),
        ({"y_center": "middle"}, FileFormatError, "y_center holds 'middle'"),
        ({"wavelength": "nan"}, FileFormatError, "wavelength holds 'nan'"),
        ({"o11": 0}, InvalidValueError, "no exchange or mirror"),
        ({"y_size": 0.047}, InvalidValueError, "no pixels in um"),
        ({"wavelength": -1.0}, InvalidValueError, "the wavelength is -1.0"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, changes: dict[str, object], error: type[Exception], what: str
) -> None:
    path = _written(tmp_path / "a.par", (1, 0, 0, -1), **changes)
    with pytest.raises(error, match=what):
        read_imaged11_instrument(path, shape=SHAPE)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.par").write_text("\n")
    with pytest.raises(EmptyFileError, match="no parameters"):
        read_imaged11_instrument(tmp_path / "a.par", shape=SHAPE)


def test_what_imaged11_cannot_say_is_refused(tmp_path: Path) -> None:
    one = crooked()
    with pytest.raises(InvalidValueError, match="describes one panel"):
        write_imaged11_instrument(tmp_path / "a.par", one)
    with pytest.raises(InvalidValueError, match="only a beam along x"):
        write_imaged11_instrument(tmp_path / "a.par", replace(one, panels=one.panels[:1]))
