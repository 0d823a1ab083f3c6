"""Cycler files that others measured, and the numbers their authors report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from mesolith.echem.formats import describe_mpt, describe_zplot
from mesolith.echem.half_cycles import Points, half_cycles_from_points
from mesolith.echem.sweeps import sweep_numbers
from mesolith.errors import ClockError, FileFormatError, MissingColumnError
from mesolith.io.biologic_text import read_mpt
from mesolith.io.cycler_table import CyclerTable
from mesolith.io.delimited import read_delimited
from mesolith.io.zplot import read_zplot
from mesolith.records.cycling import HalfCycles

Measured = Callable[[str], Path]
CELL = "echem/yadg/mb.mpt"


def half_cycles(table: CyclerTable) -> HalfCycles:
    points = Points(
        time=table.time,
        current=table.current,
        voltage=table.voltage,
        step=table.step,
        switched=table.step_changes,
        set_current=table.set_current,
        sweep=table.frequency > 0.0,
    )
    return half_cycles_from_points(points)


def test_lithium_cell(measured: Measured) -> None:
    table = read_mpt(measured(CELL))
    assert len(table.time) == 1588
    assert table.start == datetime(2021, 8, 23, 11, 44, 40, 646000)
    found = half_cycles(table)
    assert found.step.tolist() == [3, 4] * 4
    assert found.rows.tolist() == [120] * 8
    # EC-Lab's own sign; its half cycle 1 is the first negative one
    millivolt = 1e3 * found.overpotential
    assert millivolt[1] == pytest.approx(-3.7365, abs=5e-5)
    assert 1e3 * found.overpotential_std[1] == pytest.approx(0.1280, abs=5e-5)
    negative = np.concatenate(
        [table.voltage[a : a + n] for a, n in zip(found.first_row, found.rows, strict=True)][1::2]
    )
    assert len(negative) == 480
    assert 1e3 * negative.mean() == pytest.approx(-3.7471, abs=5e-5)
    assert 1e3 * negative.std(ddof=1) == pytest.approx(0.1244, abs=5e-5)
    assert found.duration == pytest.approx(np.full(8, 3600.0), abs=0.01)
    assert found.charge == pytest.approx(2.8e-6 * 3600.0 * np.array([1, -1] * 4), rel=1.5e-3)
    # four half cycles of each sign repeat to within what their standard errors allow
    for sign in (slice(0, None, 2), slice(1, None, 2)):
        repeat = found.overpotential[sign].std(ddof=1)
        assert 0.3 * repeat < np.median(found.overpotential_se[sign]) < 5.0 * repeat


def test_lithium_cell_naively_cut_is_wrong(measured: Measured) -> None:
    """The first row of a step still charges the double layer: kept, it makes the spread 0.27."""
    table = read_mpt(measured(CELL))
    assert (table.step == 4).sum() == 4 * 121
    first = int(np.argmax(table.step == 4))
    voltage = 1e3 * table.voltage[first : first + 121]
    assert voltage.mean() == pytest.approx(-3.7148, abs=5e-5)
    assert voltage.std(ddof=1) == pytest.approx(0.27, abs=5e-3)


def test_half_cycles_of_ec_lab_mix_in_rows_of_another_step(measured: Measured) -> None:
    """One row of step 4 in EC-Lab's half cycle 0 makes its spread 0.45; no share of the current
    would have removed it."""
    path = measured(CELL)
    lines = path.read_bytes().decode("latin-1").splitlines()
    names = lines[90].split("\t")
    counted = np.array([float(line.split("\t")[names.index("half cycle")]) for line in lines[91:]])
    table = read_mpt(path)
    first = (counted == 0) & np.isin(table.step, (3, 4))
    assert (table.step[first] == 4).sum() == 1
    kept = first & ((table.step_changes != 1) | (table.step == 4))
    assert 1e3 * table.voltage[kept].std(ddof=1) == pytest.approx(0.45, abs=5e-3)
    driven = np.isin(table.step, (3, 4))
    small = np.abs(table.current[driven]) <= 0.9 * 2.8e-6
    assert not small.any()


def test_impedance_of_the_lithium_cell(measured: Measured) -> None:
    table = read_mpt(measured(CELL))
    low = np.abs(table.frequency - 0.1) < 1e-3
    assert low.sum() == 8
    assert table.real[low].min() == pytest.approx(1108.8, abs=0.05)
    assert table.real[low].max() == pytest.approx(1146.2, abs=0.05)
    assert np.all(table.imaginary[low] < 0.0)


def test_sweeps_on_a_lithium_polymer_cell(measured: Measured) -> None:
    table = read_mpt(measured("echem/yadg/geis.mpt"))
    assert len(table.time) == 2528
    assert (table.frequency == 0.0).sum() == 29
    rows = np.flatnonzero(table.frequency > 0.0)
    sweeps = sweep_numbers(table.frequency[rows], rows, table.cycle[rows])
    assert np.bincount(sweeps).tolist() == [41] * 60 + [39]
    assert not table.spectra_only
    mean = [table.voltage[table.cycle == turn].mean() for turn in range(1, 61)]
    assert np.all(np.diff(mean) > 0.0)
    assert mean[0] == pytest.approx(0.064, abs=5e-4)
    assert mean[-1] == pytest.approx(0.420, abs=5e-4)


@pytest.mark.parametrize("name", ["data.mpt", "data-metadata.mpt", "data.z"])
def test_one_spectrum_in_two_formats(measured: Measured, name: str) -> None:
    path = measured(f"echem/pyimpspec/{name}")
    found = read_zplot(path) if name.endswith(".z") else read_mpt(path)
    assert len(found.frequency) == 29
    assert found.real.min() == pytest.approx(109.009, abs=5e-4)
    assert found.real.max() == pytest.approx(645.479, abs=5e-4)
    assert (-found.imaginary).max() == pytest.approx(120.399, abs=5e-4)
    assert found.start is None  # the text says DD/MM/YYYY


def test_spectrum_of_zplot(measured: Measured) -> None:
    path = measured("echem/impedance.py/exampleDataZPlot.z")
    found = read_zplot(path)
    assert len(found.frequency) == 21
    assert found.real.min() == pytest.approx(147.8, abs=0.05)
    assert found.real.max() == pytest.approx(613.7, abs=0.05)
    assert found.start is not None
    assert found.start.ambiguous
    assert describe_zplot(path).needs[0][0] == "date_order"


def test_spectrum_of_ec_lab(measured: Measured) -> None:
    path = measured("echem/impedance.py/exampleDataBioLogic.mpt")
    with pytest.raises(ClockError, match="4 February 2018 or 2 April 2018"):
        read_mpt(path)
    found = read_mpt(path, date_order="day-first")
    assert found.spectra_only
    assert len(found.frequency) == 43
    assert found.start == datetime(2018, 4, 2, 10, 2, 46)


def test_decimal_comma_of_version_11_50(measured: Measured) -> None:
    """The same run, once with comma and once with point; names and ids of EC-Lab 11.50."""
    path = measured("echem/yadg/gcpl.issue_149.mpt")
    assert describe_mpt(path).needs[0][0] == "date_order"
    found = read_mpt(path, date_order="month-first")
    assert len(found.time) == 132
    assert found.time[0] == pytest.approx(30.15299923827115)
    assert found.voltage[0] == pytest.approx(3.4228721)
    cycles = half_cycles(found)
    assert np.abs(cycles.current) == pytest.approx(np.full(len(cycles.step), 30e-6), rel=2e-3)
    assert set(cycles.step.tolist()) == {1, 2}
    points = read_mpt(measured("echem/yadg/geis.issue_149.mpt"), date_order="month-first")
    assert len(points.frequency) == 84
    assert points.spectra_only


def test_spectra_of_csv_with_a_header(measured: Measured, tmp_path: Path) -> None:
    text = measured("echem/impedance.py/exampleData.csv").read_text()
    bare, named = tmp_path / "bare.csv", tmp_path / "named.csv"
    bare.write_text(text)
    with pytest.raises(FileFormatError, match="no line of column names"):
        read_delimited(bare)
    named.write_text("freq/Hz,Re(Z)/Ohm,Im(Z)/Ohm\n" + text)
    assert len(read_delimited(named).frequency) == 66


def test_spectrum_of_ch_instruments(measured: Measured) -> None:
    found = read_delimited(measured("echem/impedance.py/exampleDataCHInstruments.txt"))
    assert len(found.frequency) == 73
    assert found.frequency[0] == 99610.0
    assert found.imaginary[0] == -2.748


def test_export_without_current_is_named(measured: Measured) -> None:
    name = "jr862_11_08_23_insitu-impedance-LiLi_1MLiTFSI_TEGDME-1mA_03_GCPL_C05.txt"
    with pytest.raises(MissingColumnError, match="no column of current"):
        read_delimited(measured(f"echem/datalab_LiLi_TEGDME/{name}"))


class TestVariantsOfAMeasuredFile:
    """The same record with other marks, delimiters and encodings gives equal numbers."""

    FIELDS = ("time", "voltage", "current", "frequency", "real", "imaginary", "step")

    def same(self, one: CyclerTable, two: CyclerTable) -> None:
        for field in self.FIELDS:
            assert np.array_equal(getattr(one, field), getattr(two, field), equal_nan=True), field
        assert np.array_equal(half_cycles(one).overpotential, half_cycles(two).overpotential)

    def test_decimal_comma(self, measured: Measured, tmp_path: Path) -> None:
        path = tmp_path / "comma.mpt"
        lines = measured(CELL).read_bytes().decode("latin-1").split("\n")
        lines[91:] = [line.replace(".", ",") for line in lines[91:]]
        path.write_bytes("\n".join(lines).encode("latin-1"))
        self.same(read_mpt(path), read_mpt(measured(CELL)))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_encoding(self, measured: Measured, tmp_path: Path, encoding: str) -> None:
        path = tmp_path / "encoded.mpt"
        path.write_bytes(measured(CELL).read_bytes().decode("latin-1").encode(encoding))
        self.same(read_mpt(path), read_mpt(measured(CELL)))

    @pytest.mark.parametrize(
        ("delimiter", "comma", "encoding", "quoted"),
        [
            (",", False, "utf-8", False),
            (";", True, "latin-1", False),
            (";", True, "utf-8-sig", False),
            ("\t", True, "utf-16", False),
            (";", False, "latin-1", False),
            (",", True, "utf-8", True),
        ],
    )
    def test_delimited(
        self,
        measured: Measured,
        tmp_path: Path,
        delimiter: str,
        comma: bool,
        encoding: str,
        quoted: bool,
    ) -> None:
        path = tmp_path / "record.csv"
        lines = measured(CELL).read_bytes().decode("latin-1").splitlines()[90:]
        rows = [line.rstrip("\t").split("\t") for line in lines]
        if comma:
            rows[1:] = [[cell.replace(".", ",") for cell in row] for row in rows[1:]]
        if quoted:
            rows = [[f'"{cell}"' for cell in row] for row in rows]
        text = "\n".join(delimiter.join(row) for row in rows)
        path.write_bytes(f"Comment: µA\n{text}\n".encode(encoding))
        table = read_delimited(path)
        self.same(table, read_mpt(measured(CELL)))
        assert table.start is None
