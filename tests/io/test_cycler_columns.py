"""Columns of cyclers by the words and units of their header."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesolith.errors import UnitError
from mesolith.io.cycler_columns import columns_by_role, roles_of_names

HEADERS = {
    "EC-Lab": ["mode", "Ns changes", "Ns", "time/s", "control/V/mA", "Ewe/V", "I/mA", "freq/Hz"],
    "EC-Lab means": ["time/s", "<Ewe>/V", "<I>/mA", "cycle number"],
    "EC-Lab two electrodes": ["time/s", "Ewe-Ece/V", "I/µA"],
    "Arbin": ["Data_Point", "Test_Time(s)", "Step_Index", "Current(A)", "Voltage(V)"],
    "Neware": ["Step Index", "Total Time(h)", "Current(mA)", "Voltage(V)"],
    "BaSyTec": ["~Time[h]", "U[V]", "I[A]", "Line"],
    "Battery Data Format": ["Test Time / s", "Voltage / V", "Current / A", "Step Index / 1"],
    "Battery Data Format, notation": ["test_time_second", "voltage_volt", "current_ampere"],
    "German": ["Zeit [s]", "Spannung [mV]", "Strom [mA]", "Schritt"],
}
FACTORS = {"EC-Lab means": 1e-3, "EC-Lab two electrodes": 1e-6, "German": 1e-3, "EC-Lab": 1e-3}


@pytest.mark.parametrize("program", HEADERS)
def test_programs(program: str) -> None:
    found = columns_by_role(HEADERS[program], Path("f"), line=1)
    assert {"time", "voltage", "current"} <= set(found)
    current = {"Neware": 1e-3}.get(program, FACTORS.get(program, 1.0))
    assert found["current"].factor == pytest.approx(current)
    hours = program in ("Neware", "BaSyTec")
    assert found["time"].factor == pytest.approx(3600.0 if hours else 1.0)
    assert found["voltage"].factor == pytest.approx(1e-3 if program == "German" else 1.0)


def test_impedance_signs_and_units() -> None:
    names = ["freq/kHz", "Re(Z)/kOhm", "-Im(Z)/Ohm"]
    found = columns_by_role(names, Path("f"), line=1)
    assert found["frequency"].factor == pytest.approx(1e3)
    assert found["real"].factor == pytest.approx(1e3)
    assert found["imaginary"].factor == pytest.approx(-1.0)
    plain = columns_by_role(["Freq(Hz)", "Z'(ohm)", "Z''(ohm)"], Path("f"), line=1)
    assert plain["imaginary"].factor == pytest.approx(1.0)
    mega, milli = (
        columns_by_role([f"freq/{unit}"], Path("f"), line=1)["frequency"].factor
        for unit in ("MHz", "mHz")
    )
    assert (mega, milli) == (pytest.approx(1e6), pytest.approx(1e-3))


def test_best_name_wins_and_times_within_steps_are_no_times() -> None:
    names = ["step time/s", "time/s", "control/V", "Ewe/V", "control/mA", "I/mA"]
    found = columns_by_role(names, Path("f"), line=1)
    assert found["time"].position == 1
    assert found["voltage"].position == 3
    assert found["current"].position == 5
    assert found["set"].position == 4


def test_row_of_units() -> None:
    found = columns_by_role(
        ["Time", "Voltage", "Current"], Path("f"), line=1, units=["h", "V", "uA"]
    )
    assert found["current"].factor == pytest.approx(1e-6)
    assert found["time"].factor == pytest.approx(3600.0)


@pytest.mark.parametrize(
    ("name", "words"),
    [("Current", "states no unit"), ("Voltage (s)", "not one of V"), ("I/mA.cm-2", "mA.cm-2")],
)
def test_units_that_are_missing_or_wrong(name: str, words: str) -> None:
    with pytest.raises(UnitError, match=words) as caught:
        columns_by_role(["time/s", name], Path("f"), line=4)
    assert caught.value.where == "f, line 4"


def test_prose_names_no_columns() -> None:
    assert roles_of_names(["Comments : none", "User", "Safety Limits :"]) == set()
