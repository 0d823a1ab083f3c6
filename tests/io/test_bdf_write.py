"""Battery Data Format: what is written is read back to the last bit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.io.bdf_write import write_bdf
from mesolith.io.delimited import read_delimited


def test_there_and_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    n = 20
    time = 1.7155908e9 + np.cumsum(rng.uniform(0.1, 9.0, n))
    voltage, current = rng.normal(size=n), 1e-3 * rng.normal(size=n)
    voltage[3] = np.nan
    step = np.arange(n) // 7
    path = tmp_path / "run.csv"
    write_bdf(path, time=time, voltage=voltage, current=current, step=step)
    found = read_delimited(path)
    assert found.start == datetime(1970, 1, 1, tzinfo=UTC)
    assert np.array_equal(found.time, time)
    assert np.array_equal(found.voltage, voltage, equal_nan=True)
    assert np.array_equal(found.current, current)
    assert np.array_equal(found.step, step)
    first = path.read_text().splitlines()[0]
    assert first == "Test Time / s,Voltage / V,Current / A,Unix Time / s,Step Index / 1"
    write_bdf(path, time=time, voltage=voltage, current=current)
    assert set(read_delimited(path).step.tolist()) == {-1}


def test_rows_need_a_time(tmp_path: Path) -> None:
    one = np.ones(1)
    for time in (np.array([np.nan]), np.zeros(0)):
        with pytest.raises(InvalidValueError, match="rows without a time"):
            write_bdf(tmp_path / "run.csv", time=time, voltage=one, current=one)


LABELS = (
    *("Test Time / s", "Voltage / V", "Current / A", "Unix Time / s", "Cycle Count / 1"),
    *("Step Count / 1", "Ambient Temperature / degC", "Step Index / 1", "Frequency / Hz"),
    *("Real Impedance / ohm", "Imaginary Impedance / ohm", "Charging Capacity / Ah"),
)
NOTATION = (
    *("test_time_second", "voltage_volt", "current_ampere", "unix_time_second", "cycle_count"),
    *("step_count", "ambient_temperature_celsius", "step_index", "frequency_hertz"),
    *("real_impedance_ohm", "imaginary_impedance_ohm", "charging_capacity_ah"),
)


@pytest.mark.parametrize("names", [LABELS, NOTATION])
def test_all_names_of_the_format(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = tmp_path / "run.csv"
    rows = (
        "1,3.5,-0.001,1715590801,2,9,25,4,100,12,-3,0.5\n2,3.6,-0.001,1715590802,2,9,25,4,0,,,0.6\n"
    )
    path.write_text(",".join(names) + "\n" + rows)
    found = read_delimited(path)
    assert found.time.tolist() == [1715590801.0, 1715590802.0]
    assert found.voltage.tolist() == [3.5, 3.6]
    assert found.current.tolist() == [-0.001, -0.001]
    assert found.step.tolist() == [4, 4]
    assert found.cycle.tolist() == [2.0, 2.0]
    assert found.frequency.tolist() == [100.0, 0.0]
    assert (found.real[0], found.imaginary[0]) == (12.0, -3.0)
