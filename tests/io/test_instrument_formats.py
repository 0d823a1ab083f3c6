"""A detector file is read by whoever knows its content, whatever it is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import InvalidValueError, UnknownFormatError
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.instrument import Instrument
from mesolith.io.hexrd_instrument import write_hexrd_instrument
from mesolith.io.imaged11_instrument import write_imaged11_instrument
from mesolith.io.instrument_formats import read_instrument
from mesolith.io.lauetools_detector import write_lauetools
from mesolith.io.midas_instrument import write_midas_instrument
from mesolith.io.pyfai_poni import write_poni
from mesolith.io.record_file import read_record, write_record
from tests.instrument.setups import bent, crooked
from tests.io.instruments import assert_same_instrument


@pytest.fixture
def simple() -> Instrument:
    """One square-pixelled panel, rows down as seen from the sample, the axis leaning a little."""
    panel = crooked().panels[0]
    down = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    lean = np.array(
        [[np.cos(0.1), 0.0, np.sin(0.1)], [0.0, 1.0, 0.0], [-np.sin(0.1), 0.0, np.cos(0.1)]]
    )
    return Instrument(
        beam_from_energy(60.0),
        Goniometer(0.0, 0.0),
        (replace(panel, name="detector", rotation=lean @ down),),
    )


@pytest.mark.parametrize(
    "write", [write_hexrd_instrument, write_imaged11_instrument, write_midas_instrument, write_poni]
)
def test_what_a_program_would_write_is_recognised(
    tmp_path: Path, simple: Instrument, write: object
) -> None:
    path = tmp_path / "detector.txt"
    write(path, simple)  # type: ignore[operator]
    found = read_instrument(path, shape=simple.panels[0].shape.tolist())
    assert_same_instrument(found.instrument, simple)
    assert found.omega_sign == 1.0


def test_a_laue_detector_is_recognised(tmp_path: Path, simple: Instrument) -> None:
    above = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    panel = replace(simple.panels[0], origin=np.array([500.0, 900.0, 70_000.0]), rotation=above)
    path = tmp_path / "a.txt"
    write_lauetools(path, replace(simple, panels=(panel,)))
    found = read_instrument(path).instrument
    assert_same_instrument(replace(found, beam=simple.beam), replace(simple, panels=(panel,)))


def test_what_cannot_be_read_is_said(tmp_path: Path, simple: Instrument) -> None:
    path = tmp_path / "a.txt"
    path.write_text("distance is far\n")
    with pytest.raises(UnknownFormatError, match="no detector file of a known program"):
        read_instrument(path)
    write_imaged11_instrument(path, simple)
    with pytest.raises(InvalidValueError, match="do not state how many pixels"):
        read_instrument(path)


def test_an_instrument_is_kept_in_the_store(tmp_path: Path) -> None:
    made = crooked(distortion=bent())
    write_record(tmp_path / "a.h5", made)
    found = read_record(tmp_path / "a.h5", Instrument)
    assert_same_instrument(found, made, atol=0.0)
    assert found.panels[0].name == "left"
