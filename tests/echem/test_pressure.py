"""The pressure on the stack: a column, a log of its own, and what cannot stand beside a voltage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.echem.figure_pressure import draw
from mesolith.echem.formats import describe_delimited, recognise_delimited
from mesolith.echem.join import Gauge, between_readings
from mesolith.errors import InvalidValueError, UnitError
from mesolith.io.bdf_write import write_bdf
from mesolith.io.cycler_columns import columns_by_role
from mesolith.io.delimited import read_delimited
from mesolith.pipeline.work import Remark
from mesolith.records.cell import Cell, State
from mesolith.records.cycling import Cycling
from tests.echem.protocols import protocol
from tests.echem.test_read import cycling_of

BEGIN = 1.7e9


def cycler_file(path: Path, *, pressure: bool = False) -> Path:
    """A half cycle of 1000 s with a reading every 10 s."""
    time = BEGIN + 10.0 * np.arange(101)
    current = np.full(101, 1e-3)
    write_bdf(
        path,
        time=time,
        voltage=50.0 * current,
        current=current,
        step=np.ones(101, dtype=np.int64),
        pressure=np.linspace(5.0, 5.2, 101) if pressure else None,
    )
    return path


def log_file(path: Path, *, unit: str = "MPa", factor: float = 1.0, after: float = 0.0) -> Path:
    """A log every 7 s over 1200 s from 100 s before the cycler starts; it rises by 1 kPa/s."""
    time = BEGIN - 100.0 + after + 7.0 * np.arange(172)
    value = (5.0 + 1e-3 * (time - BEGIN)) * factor
    rows = [f"{t:.1f};{p:.9g}".replace(".", ",") for t, p in zip(time, value, strict=True)]
    path.write_text("\n".join([f"Unix time/s;Stack pressure/{unit}", *rows]) + "\n")
    return path


def run(folder: Path, *paths: Path) -> tuple[Cycling, list[Remark]]:
    settings: dict[str, Any] = {"clock.cycler": {"zone": "UTC", "offset_s": 0.0}}
    return cycling_of(folder, *paths, **settings)


def test_a_column_beside_the_voltage(tmp_path: Path) -> None:
    found, remarks = run(tmp_path, cycler_file(tmp_path / "run.csv", pressure=True))
    assert found.pressure is not None
    assert found.pressure == pytest.approx(np.linspace(5.0, 5.2, 101), rel=1e-14)
    assert remarks == []
    assert "pressure_mpa" in found.columns()
    plain, _ = run(tmp_path, cycler_file(tmp_path / "plain.csv"))
    assert plain.pressure is None


@pytest.mark.parametrize(
    ("unit", "factor"), [("MPa", 1.0), ("kPa", 1e3), ("bar", 10.0), ("Pa", 1e6)]
)
def test_a_log_of_its_own_is_interpolated(tmp_path: Path, unit: str, factor: float) -> None:
    log = log_file(tmp_path / "pressure.csv", unit=unit, factor=factor)
    assert recognise_delimited(log, log.read_bytes()) > 0.4
    assert read_delimited(log).pressure_only
    assert describe_delimited(log).rows == 172
    found, remarks = run(tmp_path, log, cycler_file(tmp_path / "run.csv"))
    assert found.pressure is not None
    assert found.pressure == pytest.approx(5.0 + 1e-3 * (found.time - BEGIN), abs=1e-6)
    assert found.half_cycles is not None
    assert remarks == []


def test_a_column_counts_before_a_log(tmp_path: Path) -> None:
    own = cycler_file(tmp_path / "run.csv", pressure=True)
    found, _ = run(tmp_path, own, log_file(tmp_path / "pressure.csv"))
    assert found.pressure is not None
    assert found.pressure[-1] == pytest.approx(5.2)


def test_a_log_of_another_day_is_told(tmp_path: Path) -> None:
    late = log_file(tmp_path / "pressure.csv", after=86400.0)
    found, remarks = run(tmp_path, late, cycler_file(tmp_path / "run.csv"))
    assert found.pressure is not None
    assert np.isnan(found.pressure).all()
    assert [(r.level, r.where) for r in remarks] == [("warning", "pressure.csv")]
    assert "no reading of the pressure falls into the cycler's record" in remarks[0].text


def test_a_log_without_a_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="no file of this state a voltage"):
        run(tmp_path, log_file(tmp_path / "pressure.csv"))


@pytest.mark.parametrize("name", ["Stack pressure", "Stack pressure/mPa", "Pressure [N]"])
def test_a_pressure_needs_its_unit(tmp_path: Path, name: str) -> None:
    """Neither none, nor that of a force, nor millipascal, which can only be a slip of the pen."""
    with pytest.raises(UnitError, match=r"states (no unit|the unit '(mPa|N)')"):
        columns_by_role(["time/s", name], tmp_path, line=1)


@pytest.mark.parametrize(
    "name", ["Applied Pressure / Pa", "applied_pressure_pa", "applied_pressure_pascal"]
)
def test_names_of_the_battery_data_format(tmp_path: Path, name: str) -> None:
    found = columns_by_role(["Test Time / s", name], tmp_path, line=1)
    assert found["pressure"].factor == pytest.approx(1e-6)
    ambient = columns_by_role(["Test Time / s", "Ambient Pressure / Pa"], tmp_path, line=1)
    assert "pressure" not in ambient


def test_gaps_of_a_log_stay_gaps() -> None:
    time = np.concatenate([np.arange(0.0, 100.0, 5.0), np.arange(400.0, 500.0, 5.0)])
    gauge = Gauge(time, 5.0 + 0.01 * time)
    found = between_readings(gauge, np.array([-1.0, 2.5, 95.0, 200.0, 399.0, 402.5, 600.0]))
    assert found == pytest.approx([np.nan, 5.025, 5.95, np.nan, np.nan, 9.025, np.nan], nan_ok=True)
    assert np.isnan(between_readings(Gauge(time[:1], time[:1]), time)).all()


def pressed_cell(pressure: np.ndarray | None) -> Cell:
    record = protocol(np.random.default_rng(3), np.array([2.0, 4.0]))
    record = replace(record, pressure=pressure)
    return Cell("c", {}, (State("cycled", 0, {}, {Cycling: lambda: record}),))


def test_change_over_each_half_cycle_is_recovered() -> None:
    rows = 480
    rng = np.random.default_rng(8)
    swing = np.tile(np.linspace(0.0, 0.03, 120), 4) * np.repeat([1.0, -1.0, 1.0, -1.0], 120)
    drawing = draw(pressed_cell(5.0 + swing + 1e-3 * rng.standard_normal(rows)))
    assert drawing is not None
    table = drawing.table
    assert table["half_cycle"].tolist() == [1, 2, 3, 4]
    error = (table["change_mpa"] - 0.03 * np.array([1.0, -1.0, 1.0, -1.0])) / table["change_mpa_se"]
    assert np.all(np.abs(error) < 3.0)
    assert "n = 480 rows" in drawing.caption
    assert "MPa (68 %)" in drawing.caption


def test_without_a_pressure_there_is_no_figure() -> None:
    assert draw(pressed_cell(None)) is None
    assert draw(pressed_cell(np.full(480, np.nan))) is None
    few = np.full(480, np.nan)
    few[:5] = 5.0
    drawing = draw(pressed_cell(few))
    assert drawing is not None
    assert drawing.table == {}
    assert "No half cycle has readings enough" in drawing.caption
