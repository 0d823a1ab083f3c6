"""Frames of a certified powder by the virtual station, and what is said of bad ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.errors import InputError, InvalidValueError
from mesolith.hedm.place_rings import placed_on_rings
from mesolith.instrument.calibrants import calibrant, calibrant_spacings
from mesolith.instrument.calibrate_powder import PowderCalibration, calibrate_powder
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import moved
from mesolith.instrument.station import station_calibration, station_parameters
from mesolith.materials.loader import library_files
from mesolith.virtual.hedm.calibrant import calibrant_frame
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import instrument_of

COARSE = {"shape": (512, 512), "pitch": 800.0}
TRUE = Station(tilt=(0.0, -0.006, 0.008), centre=(900.0, -1400.0), distance=2.21e6, **COARSE)  # type: ignore[arg-type]
ROUGH = instrument_of(Station(**COARSE))  # type: ignore[arg-type]
CERIA = calibrant("CeO2")


@pytest.fixture(scope="module")
def frame() -> FloatArray:
    return calibrant_frame(TRUE, np.random.default_rng(1)).astype(np.float64)


def _found(frame: FloatArray, start: Instrument = ROUGH, **options: float) -> PowderCalibration:
    return calibrate_powder(start, [frame], CERIA, place=placed_on_rings, **options)  # type: ignore[arg-type]


def test_a_detector_millimetres_and_a_per_cent_off_is_found(frame: FloatArray) -> None:
    found = _found(frame)
    record = station_calibration(ROUGH, found.calibration, source="rings")
    true = station_parameters(instrument_of(TRUE))
    for name, after, error in zip(record.name, record.after, record.error, strict=True):
        if name in ("distance", "shift_y", "shift_z", "tilt_y", "tilt_z"):
            assert abs(after - true[name]) < 4.0 * error, name
    errors = dict(zip(record.name, record.error, strict=True))
    assert errors["distance"] < 50.0
    assert errors["shift_y"] < 5.0
    assert np.isnan(errors["wedge"])
    assert np.std(found.residual) < 0.05 * 800.0
    assert ("note", "lattice parameter of CeO2 as certified: NIST SRM 674b") in found.notes


def test_a_saturated_ring_is_said_and_its_pixels_left_out(frame: FloatArray) -> None:
    found = _found(frame, saturation=1800.0)
    said = [text for level, text in found.notes if level == "warning"]
    assert any("the ring of d = 3.1244 angstrom is saturated" in text for text in said)
    true = station_parameters(instrument_of(TRUE))
    ours = station_parameters(found.calibration.instrument)
    assert ours["distance"] == pytest.approx(true["distance"], abs=150.0)


def test_frames_without_rings_and_rings_elsewhere_are_refused(frame: FloatArray) -> None:
    noise = np.random.default_rng(0).poisson(40.0, frame.shape).astype(np.float64)
    with pytest.raises(InvalidValueError, match=r"onto rings|seen over a third"):
        _found(noise)
    with pytest.raises(InvalidValueError, match="no ring of CeO2 falls onto the detector"):
        _found(frame, moved(ROUGH, {"distance": 3e8}))


def test_calibrants_are_certified_ones_or_a_cif() -> None:
    assert calibrant_spacings(CERIA, d_min=1.6) == pytest.approx(
        5.411651 / np.sqrt([3.0, 4.0, 8.0, 11.0])
    )
    hexagonal = calibrant_spacings(calibrant("al2o3"), d_min=3.0)
    assert hexagonal[0] == pytest.approx(3.480, abs=1e-3)  # {012}
    cif: Path = library_files("Li")[1]
    assert calibrant(str(cif)).space_group == 229
    with pytest.raises(InputError, match="no calibrant is called 'Fe'"):
        calibrant("Fe")
