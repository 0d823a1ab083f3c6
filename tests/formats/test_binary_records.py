"""BioLogic .mpr against EC-Lab's own text export (.mpt) of the same run, column by column."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.echem.half_cycles import Points, half_cycles_from_points
from mesolith.io.biologic_binary import read_mpr, read_mpr_columns
from mesolith.io.biologic_text import header_of_mpt, read_loops, read_mpt
from mesolith.io.cycler_table import CyclerTable
from mesolith.io.delimited import read_delimited
from mesolith.io.numbers import text_lines

Measured = Callable[[str], Path]
PAIRS = {
    "mb": ("2021-08-23T11:44:40.646", 1588),
    "geis": ("2021-03-03T20:40:41", 2528),
    "peis": ("2021-03-02T16:17:59", 32),
    "zir": ("2018-03-26T12:10:53", 1),
    "gcpl.issue_149": ("2024-01-10T11:02:29.886", 132),
    "geis.issue_149": ("2024-01-10T11:02:29.886", 84),
    "peis.issue_149": ("2024-01-10T11:02:29.886", 84),
}
# the export calls the power of an impedance by another name
RENAMED = {"P/W": "Pwe/W"}
DISTORTION = re.compile(r"THD|NSD|NSR|\|\w+ h\d\|")
FIELDS = (
    *("time", "voltage", "current", "step", "set_current", "frequency", "real", "imaginary"),
    "cycle",
)
DATALAB = "echem/datalab_LiLi_TEGDME/jr862_11_08_23_insitu-impedance-LiLi_1MLiTFSI_TEGDME-1mA"


def exported(path: Path) -> dict[str, FloatArray]:
    """All columns of an .mpt as numbers."""
    lines = text_lines(path)
    count, _ = header_of_mpt(lines, path)
    names = lines[count - 1].rstrip("\t").split("\t")
    rows = [line.replace(",", ".").split("\t")[: len(names)] for line in lines[count:] if line]
    return dict(zip(names, np.array(rows, dtype=np.float64).T, strict=True))


@pytest.mark.parametrize("name", PAIRS)
def test_each_stored_column_equals_the_text(measured: Measured, name: str) -> None:
    """To the digits printed: 8 of a single, 16 of a double, all of a whole number."""
    found = read_mpr_columns(measured(f"echem/yadg/{name}.mpr"))
    texts = exported(measured(f"echem/yadg/{name}.mpt"))
    assert found.unknown == ()
    assert found.missing == 0
    for column, values in found.columns.items():
        printed = texts[column if column in texts else RENAMED[column]]
        assert len(values) == len(printed) == PAIRS[name][1]
        digits = {"float32": 6e-8, "float64": 6e-16}.get(str(values.dtype), 0.0)
        off = np.abs(values.astype(np.float64) - printed) > digits * np.abs(printed)
        if DISTORTION.match(column):
            # the export prints -1 or 0 for the points whose distortion it holds for no result
            off &= ~np.isin(printed, (-1.0, 0.0))
            assert (~np.isin(printed, (-1.0, 0.0))).sum() in (0, 76)
        assert not off.any(), column


@pytest.mark.parametrize("name", PAIRS)
def test_the_record_equals_that_of_the_text(measured: Measured, name: str) -> None:
    """Also where the text's columns were computed: Z from size and phase, I from charge."""
    binary = read_mpr(measured(f"echem/yadg/{name}.mpr"))
    text = read_mpt(measured(f"echem/yadg/{name}.mpt"), date_order="month-first")
    assert binary.start == text.start == datetime.fromisoformat(PAIRS[name][0])
    assert binary.spectra_only == text.spectra_only
    assert binary.positive_plates == text.positive_plates
    for field in FIELDS:
        one, two = getattr(binary, field), getattr(text, field)
        # EC-Lab computes Z from size and phase in single precision
        assert one == pytest.approx(two, rel=1.2e-7, nan_ok=True), field
    if text.step_changes is None:
        assert binary.step_changes is None
    else:
        assert np.array_equal(np.array(binary.step_changes), text.step_changes)


def millivolts(table: CyclerTable) -> tuple[FloatArray, FloatArray]:
    points = Points(
        time=table.time,
        current=table.current,
        voltage=table.voltage,
        step=table.step,
        switched=table.step_changes,
        set_current=table.set_current,
        sweep=table.frequency > 0.0,
    )
    found = half_cycles_from_points(points)
    return 1e3 * found.overpotential, 1e3 * found.overpotential_std


def test_lithium_cell_gives_its_published_numbers(measured: Measured) -> None:
    table = read_mpr(measured("echem/yadg/mb.mpr"))
    mean, spread = millivolts(table)
    assert len(mean) == 8
    assert mean[1] == pytest.approx(-3.7365, abs=5e-5)
    assert spread[1] == pytest.approx(0.1280, abs=5e-5)
    low = np.abs(table.frequency - 0.1) < 1e-3
    assert table.real[low].min() == pytest.approx(1108.8, abs=0.05)
    assert table.real[low].max() == pytest.approx(1146.2, abs=0.05)


def test_version_11_50_needs_no_order_of_dates(measured: Measured) -> None:
    """Its text says 01/10/2024; its binary has a day number."""
    assert read_mpr(measured("echem/yadg/gcpl.issue_149.mpr")).start == datetime(
        2024, 1, 10, 11, 2, 29, 886000
    )
    found = read_mpr_columns(measured("echem/yadg/gcpl.issue_149.mpr"))
    assert found.loops.tolist() == [0, 33, 66, 99]


@pytest.mark.parametrize(
    ("name", "rows", "loops"),
    [("-prerun_C05", 15, 0), ("_01_GCPL_C05", 109, 1), ("_02_GEIS_C05", 405, 45)],
)
def test_lithium_in_liquid_electrolyte(
    measured: Measured, name: str, rows: int, loops: int
) -> None:
    path = measured(f"{DATALAB}{name}.mpr")
    table = read_mpr(path)
    assert len(table.time) == rows
    assert table.start is not None
    assert table.start.date().isoformat() == "2023-08-11"
    found = read_mpr_columns(path)
    assert len(found.loops) == loops
    if loops:
        listed = read_loops(measured(f"{DATALAB}{name}_LOOP.txt"))
        assert np.array_equal(listed[:loops], found.loops)


def test_record_whose_binary_is_missing(measured: Measured) -> None:
    """45 loops; the second has a mean of 78.9 mV and a spread of 8.55 mV."""
    path = measured(f"{DATALAB}_03_GCPL_C05.txt")
    first = read_loops(measured(f"{DATALAB}_03_GCPL_C05_LOOP.txt"))
    assert len(first) == 45
    table = read_delimited(path, allow_partial=True)
    assert len(table.time) == 76807
    assert np.isnan(table.current).all()
    assert [finding.level for finding in table.findings] == ["gap"]
    assert "no column of current" in table.findings[0].text
    loop = 1e3 * table.voltage[first[1] : first[2]]
    assert loop.mean() == pytest.approx(78.9, abs=0.05)
    assert loop.std(ddof=1) == pytest.approx(8.55, abs=0.005)


def test_chronoamperometry_without_a_text(measured: Measured) -> None:
    table = read_mpr(measured("echem/yadg/ca.mpr"))
    assert len(table.time) == 721
    assert table.start == datetime(2019, 4, 29, 15, 43, 7)
    assert np.isnan(table.set_current).all()
    assert np.all(np.diff(table.time) >= 0.0)
