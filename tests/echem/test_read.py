"""Step echem.read: clocks, signs and several files as one record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.echem.read import compute
from mesolith.errors import ClockError, ContradictionError, SettingsError
from mesolith.io.biologic_write import MptStep, write_mpt
from mesolith.io.record_file import read_record
from mesolith.io.zplot import write_z
from mesolith.pipeline.work import Remark, Source, Work, read_remarks
from mesolith.records.cycling import Cycling

STARTED = datetime(2024, 5, 13, 9, 0)


def cycling_of(folder: Path, *paths: Path, **settings: Any) -> tuple[Cycling, list[Remark]]:
    defaults: dict[str, Any] = {
        "state.cycling": {},
        "clock.cycler": {"zone": "Europe/Berlin", "offset_s": 0.0},
        "cell.plates_under_positive_current": "working",
        "echem.current_share": 0.9,
    }
    sources = tuple(Source("plating 1", path) for path in paths)
    place = folder / "out"
    place.mkdir(exist_ok=True)
    compute(Work("echem.read", "plating 1", defaults | settings, {"raw": sources}, place))
    return read_record(place / "record.h5", Cycling), read_remarks(place)


def run_file(path: Path, *, started: datetime = STARTED, sign: float = 1.0) -> Path:
    """Rest, half cycle of 1 mA for 1000 s, rest, sweep of three frequencies."""
    step = np.repeat([0, 1, 2, 3], [5, 101, 5, 3])
    current = np.where(step == 1, 1e-3, 0.0)
    write_mpt(
        path,
        started=started,
        steps=[MptStep("Rest"), MptStep("CC", 1e-3), MptStep("Rest"), MptStep("PEIS")],
        step=step,
        time=10.0 * np.arange(len(step)),
        voltage=sign * 50.0 * current,
        current=current,
        frequency=np.where(step == 3, 10.0 ** (3 - np.arange(len(step)) % 3), 0.0),
        real=np.where(step == 3, 50.0, 0.0),
        imaginary=np.where(step == 3, -5.0, 0.0),
    )
    return path


def test_times_are_utc_and_the_offset_is_added(tmp_path: Path) -> None:
    path = run_file(tmp_path / "run.mpt")
    plain, _ = cycling_of(tmp_path, path)
    assert plain.time[0] == datetime(2024, 5, 13, 7, 0, tzinfo=UTC).timestamp()
    clock = {"zone": "Europe/Berlin", "offset_s": -90.0}
    moved, _ = cycling_of(tmp_path, path, **{"clock.cycler": clock})
    assert moved.time == pytest.approx(plain.time - 90.0)
    assert plain.half_cycles is not None
    assert plain.half_cycles.start[0] == pytest.approx(plain.time[5])


@pytest.mark.parametrize(("plates", "sign"), [("working", 1.0), ("counter", -1.0)])
def test_current_and_voltage_turn_together(tmp_path: Path, plates: str, sign: float) -> None:
    key = "cell.plates_under_positive_current"
    found, remarks = cycling_of(tmp_path, run_file(tmp_path / "run.mpt"), **{key: plates})
    assert found.half_cycles is not None
    assert found.half_cycles.current == pytest.approx([sign * 1e-3])
    assert found.half_cycles.overpotential == pytest.approx([sign * 0.05])
    assert found.half_cycles.charge == pytest.approx([sign * 1.0], rel=0.02)
    assert found.impedance is not None
    assert found.impedance.real == pytest.approx([50.0] * 3)
    assert remarks == []


def test_convention_of_the_format_is_an_assumption(tmp_path: Path) -> None:
    key = "cell.plates_under_positive_current"
    found, remarks = cycling_of(tmp_path, run_file(tmp_path / "run.mpt"), **{key: None})
    assert found.half_cycles is not None
    assert found.half_cycles.current[0] < 0.0  # EC-Lab: oxidation of the working electrode
    assert [remark.level for remark in remarks] == ["assumed"]
    bare = tmp_path / "run.csv"
    bare.write_text("Unix Time / s,Voltage / V,Current / A\n0,0,0\n1,0,0\n")
    with pytest.raises(SettingsError, match="on which electrode lithium plates"):
        cycling_of(tmp_path, bare, **{key: None})


def test_opposite_signs_of_voltage_and_current_are_warned_of(tmp_path: Path) -> None:
    _, remarks = cycling_of(tmp_path, run_file(tmp_path / "run.mpt", sign=-1.0))
    assert [remark.level for remark in remarks] == ["warning"]
    assert "opposite signs in 1 of 1 half cycles" in remarks[0].text


def test_several_files_in_the_order_of_time(tmp_path: Path) -> None:
    late = run_file(tmp_path / "a.mpt", started=STARTED + timedelta(hours=3))
    early = run_file(tmp_path / "b.mpt")
    spectrum = tmp_path / "c.z"
    z = np.array([100.0, 10.0])
    write_z(
        spectrum,
        started=STARTED + timedelta(hours=6),
        time=np.array([0.0, 5.0]),
        frequency=z,
        real=z,
        imaginary=-z,
    )
    found, _ = cycling_of(tmp_path, late, spectrum, early)
    assert np.all(np.diff(found.time) > 0.0)
    assert found.half_cycles is not None
    assert found.impedance is not None
    assert found.half_cycles.first_row.tolist() == [6, 120]
    assert found.current[found.half_cycles.first_row] == pytest.approx([1e-3, 1e-3])
    assert found.impedance.sweep.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert np.all(np.diff(found.impedance.time) > 0.0)


def test_overlapping_files_are_refused(tmp_path: Path) -> None:
    one = run_file(tmp_path / "a.mpt")
    two = run_file(tmp_path / "b.mpt", started=STARTED + timedelta(seconds=600))
    with pytest.raises(ContradictionError, match=r"before a\.mpt ends"):
        cycling_of(tmp_path, one, two)


def test_spectra_alone_have_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text("freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm\n0,0,0\n")
    text = "freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm\n100,5,1\n10,6,2\n1,7,nan\n"
    path.write_text(text)
    found, remarks = cycling_of(tmp_path, path)
    assert len(found.time) == 0
    assert found.half_cycles is None
    assert found.impedance is not None
    assert found.impedance.imaginary.tolist() == [-1.0, -2.0]
    assert np.isnan(found.impedance.time).all()
    assert [remark.level for remark in remarks] == ["note", "gap"]


def test_rows_of_frequency_zero_are_no_impedance(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text(
        "time/s,Ewe/V,I/mA,freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm\n"
        "0,0.1,0,0,0,0\n1,0.1,0,100,5,1\n2,0.1,0,10,6,2\n"
    )
    started = {"started": "2024-05-13T09:00:00+02:00"}
    found, remarks = cycling_of(tmp_path, path, **{"state.cycling": started})
    assert len(found.time) == 3
    assert found.impedance is not None
    assert found.impedance.frequency.tolist() == [100.0, 10.0]
    assert "1 rows with frequency 0" in remarks[0].text
    assert found.time[0] == datetime(2024, 5, 13, 7, tzinfo=UTC).timestamp()


def test_local_dates_across_summer_time_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("Date,Ewe/V,I/mA\n2024-10-26 12:00:00,0,0\n2024-10-28 12:00:00,0,0\n")
    with pytest.raises(ClockError, match="change of summer time"):
        cycling_of(tmp_path, path)


def test_stated_date_order_is_used(tmp_path: Path) -> None:
    path = run_file(tmp_path / "run.mpt", started=datetime(2024, 1, 10, 12))
    found, _ = cycling_of(tmp_path, path, **{"state.cycling": {"date_order": "month-first"}})
    assert found.time[0] == datetime(2024, 1, 10, 11, tzinfo=UTC).timestamp()
    with pytest.raises(ClockError, match="10 January 2024 or 1 October 2024"):
        cycling_of(tmp_path, path)


def test_same_input_same_bytes(tmp_path: Path) -> None:
    path = run_file(tmp_path / "run.mpt")
    cycling_of(tmp_path, path)
    first = (tmp_path / "out/record.h5").read_bytes()
    cycling_of(tmp_path, path)
    assert (tmp_path / "out/record.h5").read_bytes() == first


def test_measured_lithium_cell(measured: Callable[[str], Path], tmp_path: Path) -> None:
    key = "cell.plates_under_positive_current"
    found, remarks = cycling_of(tmp_path, measured("echem/yadg/mb.mpt"), **{key: "counter"})
    assert len(found.time) == 1588
    assert found.half_cycles is not None
    assert found.impedance is not None
    assert 1e3 * found.half_cycles.overpotential[1] == pytest.approx(3.7365, abs=5e-5)
    assert len(found.impedance.frequency) == 560
    assert found.impedance.sweep[-1] == 7
    assert remarks == []


def test_measured_sweeps_under_current(measured: Callable[[str], Path], tmp_path: Path) -> None:
    """Mean voltage of each sweep rises to 0.42 V, and then the cell fails."""
    found, remarks = cycling_of(tmp_path, measured("echem/yadg/geis.mpt"))
    assert found.impedance is not None
    assert found.impedance.sweep[-1] == 60
    assert "29 rows with frequency 0" in remarks[0].text
    sweep = np.full(len(found.time), -1)
    sweep[np.isin(found.time, found.impedance.time)] = found.impedance.sweep
    mean = [found.voltage[sweep == k].mean() for k in range(60)]
    assert np.all(np.diff(mean) > 0.0)
    assert mean[0] == pytest.approx(0.067, abs=1e-3)
    assert mean[59] == pytest.approx(0.420, abs=1e-3)
