"""EC-Lab text and ZPlot spectra: what is written is read again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesolith.errors import InvalidValueError
from mesolith.io.biologic_text import read_mpt
from mesolith.io.biologic_write import MptStep, write_mpt
from mesolith.io.zplot import read_zplot, write_z

STARTED = datetime(2024, 5, 13, 9, 30, 15, 250000)
STEPS = [MptStep("Rest", duration=60.0), MptStep("CC", 2.8e-6, 3600.0), MptStep("PEIS")]


@given(seed=st.integers(0, 10_000), n=st.integers(1, 60))
def test_round_trip_of_a_record(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int
) -> None:
    rng = np.random.default_rng(seed)
    step = np.sort(rng.integers(0, 3, size=n))
    sweep = step == 2
    time = np.cumsum(rng.uniform(0.1, 30.0, size=n))
    voltage, current = rng.normal(size=n), np.where(step == 1, 2.8e-6, 0.0)
    frequency = np.where(sweep, 10.0 ** rng.uniform(-2, 6, size=n), 0.0)
    real, imaginary = np.where(sweep, rng.normal(1e3, 10.0, size=(2, n)), 0.0)
    path = tmp_path_factory.mktemp("mpt") / "run.mpt"
    write_mpt(
        path,
        started=STARTED,
        steps=STEPS,
        step=step,
        time=time,
        voltage=voltage,
        current=current,
        frequency=frequency,
        real=real,
        imaginary=imaginary,
    )
    found = read_mpt(path)
    assert found.start == STARTED
    assert np.array_equal(found.step, step)
    assert found.time == pytest.approx(time, rel=1e-14)
    assert found.voltage == pytest.approx(voltage, rel=1e-7)
    assert found.current == pytest.approx(current, rel=1e-7)
    assert found.frequency == pytest.approx(frequency, rel=1e-7)
    assert found.real == pytest.approx(real, rel=1e-7)
    assert found.imaginary == pytest.approx(imaginary, rel=1e-7)
    assert found.set_current[step == 1] == pytest.approx(2.8e-6)
    assert np.isnan(found.set_current[step != 1]).all()
    assert found.step_changes is not None
    assert (
        np.flatnonzero(found.step_changes).tolist() == (np.flatnonzero(np.diff(step)) + 1).tolist()
    )


@given(seed=st.integers(0, 10_000), n=st.integers(1, 40))
def test_round_trip_of_a_spectrum(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int
) -> None:
    rng = np.random.default_rng(seed)
    values = 10.0 ** rng.uniform(-2, 6, size=(4, n))
    values[0].sort()
    time, frequency, real, imaginary = values
    path = tmp_path_factory.mktemp("z") / "sweep.z"
    write_z(path, started=STARTED, time=time, frequency=frequency, real=real, imaginary=-imaginary)
    found = read_zplot(path)
    assert found.start is not None
    assert found.start.resolve(None, where="") == STARTED.replace(microsecond=0)
    for one, two in (
        (found.time, time),
        (found.frequency, frequency),
        (found.real, real),
        (found.imaginary, -imaginary),
    ):
        assert one == pytest.approx(two, rel=1e-6)


def test_columns_are_those_of_a_measured_file_in_its_order(
    measured: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "run.mpt"
    write_plain(path)
    mine, theirs = (
        next(
            line for line in p.read_bytes().decode("latin-1").splitlines() if line[:5] == "mode\t"
        ).split("\t")
        for p in (path, measured("echem/yadg/mb.mpt"))
    )
    assert [name for name in theirs if name in mine] == mine


def test_number_of_header_lines_is_right(tmp_path: Path) -> None:
    path = tmp_path / "run.mpt"
    write_plain(path)
    lines = path.read_bytes().decode("latin-1").splitlines()
    count = int(lines[1].split(":")[1])
    assert lines[count - 1].startswith("mode\t")
    assert len(lines) == count + 3


def test_counters_of_half_cycles_and_sweeps(tmp_path: Path) -> None:
    path = tmp_path / "run.mpt"
    steps = [MptStep("CC", 1e-6), MptStep("PEIS"), MptStep("CC", -1e-6), MptStep("PEIS")]
    step = np.repeat([0, 1, 2, 3], 4)
    sweep = step % 2 == 1
    write_mpt(
        path,
        started=STARTED,
        steps=steps,
        step=step,
        time=np.arange(16.0),
        voltage=np.zeros(16),
        current=np.where(step == 0, 1e-6, np.where(step == 2, -1e-6, 0.0)),
        frequency=np.where(sweep, 10.0, 0.0),
        real=np.ones(16),
        imaginary=np.ones(16),
    )
    text = path.read_bytes().decode("latin-1").splitlines()
    at = next(k for k, line in enumerate(text) if line.startswith("mode\t"))
    names = text[at].split("\t")
    rows = [dict(zip(names, line.split("\t"), strict=False)) for line in text[at + 1 :]]
    assert [row["half cycle"] for row in rows[::4]] == ["0", "0", "1", "1"]
    assert [row["z cycle"] for row in rows[::4]] == ["0", "0", "0", "1"]
    # 1 uA for 3 s, the first row's current counting from the row before
    assert float(rows[3]["(Q-Qo)/mA.h"]) == pytest.approx(1e-3 * 3 / 3600)


def test_times_with_a_zone_and_unequal_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="states no time zone"):
        write_plain(tmp_path / "run.mpt", started=STARTED.replace(tzinfo=UTC))
    with pytest.raises(InvalidValueError, match="voltage has 2 values, time has 3"):
        write_plain(tmp_path / "run.mpt", voltage=np.zeros(2))


def write_plain(
    path: Path, *, started: datetime = STARTED, voltage: np.ndarray | None = None
) -> None:
    write_mpt(
        path,
        started=started,
        steps=STEPS,
        step=np.array([0, 1, 1]),
        time=np.array([0.0, 60.0, 90.0]),
        voltage=np.zeros(3) if voltage is None else voltage,
        current=np.array([0.0, 2.8e-6, 2.8e-6]),
    )
