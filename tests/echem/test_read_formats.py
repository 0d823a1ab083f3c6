"""Step echem.read on binary records and on sweeps of several programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.echem.formats import describe_mpr
from mesolith.echem.read import compute
from mesolith.echem.spectrum_formats import READERS
from mesolith.io.record_file import read_record
from mesolith.pipeline.technique import Format, load
from mesolith.pipeline.work import Remark, Source, Work, read_remarks
from mesolith.records.cycling import Cycling
from tests.io.binary_record import write_record_mpr

Measured = Callable[[str], Path]


def read(folder: Path, *paths: Path, **settings: Any) -> tuple[Cycling, list[Remark]]:
    defaults: dict[str, Any] = {
        "state.cycling": {},
        "clock.cycler": {"zone": "Europe/Berlin", "offset_s": 0.0},
        "cell.plates_under_positive_current": "working",
        "echem.current_share": 0.9,
    }
    place = folder / "out"
    place.mkdir(exist_ok=True)
    sources = {"raw": tuple(Source("s", path) for path in paths)}
    compute(Work("echem.read", "s", defaults | settings, sources, place))
    return read_record(place / "record.h5", Cycling), read_remarks(place)


def test_binary_record(tmp_path: Path) -> None:
    path = write_record_mpr(tmp_path / "run.mpr", rows=20, version=11)
    found, _ = read(tmp_path, path)
    assert found.half_cycles is not None
    assert found.half_cycles.rows.tolist() == [9, 9]  # flagged first rows left out
    assert found.half_cycles.current == pytest.approx([1e-3, -1e-3])
    assert found.half_cycles.charge == pytest.approx([0.09, -0.09])
    # 13 May 2024, noon in Berlin
    assert found.time[0] == 1715594400.0
    described = describe_mpr(path)
    assert described.start == "2024-05-13T12:00:00"
    assert described.rows == 20
    turned, remarks = read(tmp_path, path, **{"cell.plates_under_positive_current": None})
    assert np.array_equal(turned.current, -found.current)
    assert "plate on the counter electrode" in remarks[0].text


def test_the_measured_record_from_its_binary_and_its_text(
    measured: Measured, tmp_path: Path
) -> None:
    binary, _ = read(tmp_path, measured("echem/yadg/mb.mpr"))
    text, _ = read(tmp_path, measured("echem/yadg/mb.mpt"))
    assert binary.half_cycles is not None
    assert text.half_cycles is not None
    for field in ("rows", "first_row", "step"):
        assert np.array_equal(getattr(binary.half_cycles, field), getattr(text.half_cycles, field))
    for field in ("current", "charge", "overpotential", "overpotential_std", "start"):
        assert getattr(binary.half_cycles, field) == pytest.approx(
            getattr(text.half_cycles, field), rel=1e-7
        )
    assert binary.impedance is not None
    assert text.impedance is not None
    assert np.array_equal(binary.impedance.sweep, text.impedance.sweep)
    assert binary.impedance.real == pytest.approx(text.impedance.real, rel=1.2e-7)


@pytest.mark.parametrize(
    ("file", "points"),
    [
        ("pyimpspec/data.dfr", 29),
        ("pyimpspec/data.idf", 29),
        ("pyimpspec/data.P00", 29),
        ("pyimpspec/data.i2b", 29),
        ("pyimpspec/data.dta", 29),
        ("impedance.py/exampleDataAutolab.txt", 41),
        ("impedance.py/exampleDataGamry.DTA", 72),
    ],
)
def test_measured_sweeps(measured: Measured, tmp_path: Path, file: str, points: int) -> None:
    found, _ = read(tmp_path, measured(f"echem/{file}"))
    assert found.impedance is not None
    assert len(found.impedance.frequency) == points
    assert len(found.time) == 0


def test_rows_without_names_are_read_by_name_only(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text("100,5,-1\n10,6,-2\n")
    found, remarks = read(tmp_path, path, **{"state.cycling": {"format": "bare-spectrum"}})
    assert found.impedance is not None
    assert found.impedance.imaginary.tolist() == [-1.0, -2.0]
    assert "none is named" in remarks[0].text


@pytest.mark.parametrize("name", READERS)
def test_each_sweep_format_is_registered(name: str) -> None:
    from mesolith.echem import TECHNIQUE

    known: dict[str, Format] = {form.name: form for form in map(load, TECHNIQUE.formats)}
    assert callable(load(known[name].recognise))
    assert load(known[name].describe).__doc__


def test_descriptions_of_sweeps(measured: Measured) -> None:
    from mesolith.echem import TECHNIQUE

    known = {form.name: form for form in map(load, TECHNIQUE.formats)}
    for name, file in (
        ("dfr", "pyimpspec/data.dfr"),
        ("ivium", "pyimpspec/data.idf"),
        ("p00", "pyimpspec/data.P00"),
        ("i2b", "pyimpspec/data.i2b"),
        ("z60w", "impedance.py/exampleDataAutolab.txt"),
        ("bare-spectrum", "impedance.py/exampleData.csv"),
    ):
        described = load(known[name].describe)(measured(f"echem/{file}"))
        assert described.format == name
        assert described.rows in (29, 41, 66)
