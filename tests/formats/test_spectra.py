"""One measured spectrum in many formats, and spectra of several programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from mesolith.echem.formats import describe_gamry
from mesolith.errors import ClockError
from mesolith.io.cycler_table import CyclerTable
from mesolith.io.gamry import read_gamry, read_gamry_tables
from mesolith.io.spectrum import Spectrum
from mesolith.io.spectrum_text import (
    read_bare,
    read_dfr,
    read_i2b,
    read_ivium,
    read_p00,
    read_z60w,
)
from mesolith.io.zplot import read_zplot

Measured = Callable[[str], Path]
Reader = Callable[[Path], Spectrum | CyclerTable]
# relative error of the digits that each format prints
ONE_SPECTRUM: dict[str, tuple[Reader, float]] = {
    "data.dfr": (read_dfr, 1e-12),
    "data.i2b": (read_i2b, 1e-12),
    "data.dta": (lambda path: read_gamry(path), 1e-12),
    "data.idf": (read_ivium, 6e-6),
    "data.z": (read_zplot, 6e-7),
    "data.P00": (read_p00, 5e-4),
}


@pytest.mark.parametrize("name", ONE_SPECTRUM)
def test_one_spectrum(measured: Measured, name: str) -> None:
    read, digits = ONE_SPECTRUM[name]
    found = read(measured(f"echem/pyimpspec/{name}"))
    exact = read_i2b(measured("echem/pyimpspec/data.i2b"))
    assert len(found.frequency) == 29
    # printed digits of size and angle move the smaller part by those of the larger
    size = np.hypot(exact.real, exact.imaginary)
    assert found.frequency == pytest.approx(exact.frequency, rel=max(digits, 1e-12))
    assert np.all(np.abs(found.real - exact.real) <= digits * size)
    assert np.all(np.abs(found.imaginary - exact.imaginary) <= digits * size)
    assert found.real.min() == pytest.approx(109.009, abs=5e-4 + 109 * digits)
    assert found.real.max() == pytest.approx(645.479, abs=5e-4 + 645 * digits)
    assert (-found.imaginary).max() == pytest.approx(120.399, abs=5e-4 + 120 * digits)


def test_gamry(measured: Measured) -> None:
    path = measured("echem/impedance.py/exampleDataGamry.DTA")
    found = read_gamry(path)
    assert len(found.frequency) == 72
    assert found.real.min() == pytest.approx(825.9, abs=0.05)
    assert found.real.max() == pytest.approx(17007, abs=0.5)
    assert found.start == datetime(2018, 4, 23, 16, 43, 15)
    assert found.voltage[0] == pytest.approx(-0.3413299)
    assert found.current[0] == pytest.approx(-5.89286e-6)
    tables, _ = read_gamry_tables(path)
    assert [(table.name, len(table.body)) for table in tables] == [
        ("OCVCURVE", 387),
        ("ZCURVE", 72),
    ]
    assert "OCVCURVE (387 rows) is not used" in found.findings[0].text
    assert (
        describe_gamry(path).start == "2018-04-23T16:43:16"
    )  # the first point was taken 1 s later


def test_gamry_with_a_correction_of_drift(measured: Measured) -> None:
    """Decimal commas, latin-1, and the measured columns rather than the corrected ones."""
    found = read_gamry(measured("echem/pyimpspec/drift-corrected-data.dta"))
    assert len(found.frequency) == 55
    assert found.real[0] == 691.6887
    assert found.imaginary[1] == -50.27626
    assert found.start is None  # the text says DD-M-YYYY


def test_gamry_variants(measured: Measured, tmp_path: Path) -> None:
    source = measured("echem/pyimpspec/data.dta")
    exact = read_gamry(source)
    text = source.read_bytes().decode("utf-8")
    for k, (content, encoding) in enumerate(
        [(text, "latin-1"), (text, "utf-16"), (text.replace(",", "."), "utf-8")]
    ):
        path = tmp_path / f"{k}.dta"
        path.write_bytes(content.encode(encoding))
        again = read_gamry(path)
        assert np.array_equal(again.real, exact.real)
        assert np.array_equal(again.frequency, exact.frequency)
    path.write_text(text.replace("01-01-2022", "03-04-2022"))
    with pytest.raises(ClockError, match="can be 4 March 2022 or 3 April 2022"):
        read_gamry(path)


def test_autolab(measured: Measured) -> None:
    found = read_z60w(measured("echem/impedance.py/exampleDataAutolab.txt"))
    assert len(found.frequency) == 41
    assert found.frequency[0] == 10000.0
    assert found.real[0] == 0.013785863964281
    assert found.imaginary[0] == 0.007191946305823


def test_rows_without_names(measured: Measured) -> None:
    found = read_bare(measured("echem/impedance.py/exampleData.csv"))
    assert len(found.frequency) == 66
    assert found.frequency[0] == 0.0031623
    assert found.imaginary[0] == -0.02043869854441892481


@pytest.mark.parametrize("name", ["Circuit1_EIS_1.z", "Circuit2_EIS_1.z", "Circuit3_EIS_1.z"])
def test_spectra_of_known_circuits(measured: Measured, name: str) -> None:
    found = read_zplot(measured(f"echem/impedance.py/{name}"))
    assert len(found.frequency) >= 48
    assert np.all(found.real > 0.0)
