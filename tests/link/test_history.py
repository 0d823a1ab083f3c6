"""Charge history: from files, from the protocol, and where they contradict each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesolith.errors import ClockError, ContradictionError, InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.link.history import StateRecord, compute, history_from_records, record_of_state
from mesolith.link.protocol import Passed, charge_from_protocol
from mesolith.pipeline.work import Remark, Source, Work, read_remarks
from mesolith.records.cycling import Cycling, HalfCycles, Impedance
from mesolith.records.history import History

NAN = float("nan")
AREA = 2e-6  # m2
HALF = {"half_cycles": 1, "current_ma_cm2": 0.1, "duration_h": 3.75}  # 13.5 kC/m2
AREAL = 1.0 * 3.75 * 3600.0


def history_of(
    records: list[StateRecord],
    after: list[dict[str, Any] | None],
    *,
    area: float | None = AREA,
    measured_at: list[float] | None = None,
) -> tuple[History, list[Remark]]:
    names = [f"state {k}" for k in range(len(records))]
    times = np.array(measured_at or [NAN] * len(records))
    remarks: list[Remark] = []
    found = history_from_records(names, records, list(after), times, area, remarks)
    return found, remarks


def run(net: float, *, start: float = NAN, **more: float) -> StateRecord:
    return StateRecord(Passed(net, abs(net), 1), start=start, **more)


class TestProtocol:
    def test_half_cycle(self) -> None:
        assert charge_from_protocol(HALF, state="s") == Passed(AREAL, AREAL, 1)

    def test_one_current_alternates(self) -> None:
        found = charge_from_protocol({**HALF, "half_cycles": 3}, state="s")
        assert found == Passed(pytest.approx(AREAL), pytest.approx(3 * AREAL), 3)

    def test_a_list_gives_each_its_own(self) -> None:
        table = {"half_cycles": 2, "current_ma_cm2": [0.1, 0.2], "duration_h": [1.0, 2.0]}
        found = charge_from_protocol(table, state="s")
        assert found == Passed(pytest.approx(18000.0), pytest.approx(18000.0), 2)

    def test_cycles_pass_no_net_charge(self) -> None:
        """Shen's 16 cycles in 24 h at 3.34 uA/cm2."""
        table = {"cycles": 16, "current_ma_cm2": 3.34e-3, "duration_h": 1.5}
        found = charge_from_protocol(table, state="s")
        assert found.net == 0.0
        assert found.total == pytest.approx(3.34e-2 * 24 * 3600)
        assert found.half_cycles == 32

    def test_list_of_another_length(self) -> None:
        table = {"half_cycles": 3, "current_ma_cm2": [0.1, 0.2], "duration_h": 1.0}
        with pytest.raises(InvalidValueError, match="lists 2 values for 3"):
            charge_from_protocol(table, state="plating 1")


def test_files_and_protocol_tell_the_same_story() -> None:
    """The demo's way: pristine, then half cycles with files, some with the protocol alone."""
    charge = AREAL * AREA
    records = [StateRecord(None), run(charge), StateRecord(None), run(charge)]
    strip = {**HALF, "current_ma_cm2": -0.1}
    found, remarks = history_of(records, [None, HALF, strip, HALF])
    assert found.source == ("nothing", "files", "protocol", "files")
    assert found.net_charge == pytest.approx(charge * np.array([0, 1, 0, 1]))
    assert found.cumulative_charge == pytest.approx(charge * np.array([0, 1, 2, 3]))
    assert found.net_areal_charge == pytest.approx(AREAL * np.array([0, 1, 0, 1]))
    assert found.cumulative_areal_charge == pytest.approx(AREAL * np.array([0, 1, 2, 3]))
    assert found.half_cycles.tolist() == [0, 1, 2, 3]
    assert remarks == []


def test_first_state_counts_what_its_own_files_pass() -> None:
    found, _ = history_of([run(1.0), run(-1.0)], [None, None])
    assert found.net_charge.tolist() == [1.0, 0.0]
    assert found.cumulative_charge.tolist() == [1.0, 2.0]


def test_without_area_areal_charge_of_files_is_unknown_and_said() -> None:
    found, remarks = history_of([StateRecord(None), run(0.027)], [None, HALF], area=None)
    assert found.net_charge[1] == pytest.approx(0.027)
    assert np.isnan(found.net_areal_charge[1])
    assert "cell.area_mm2 is not given" in remarks[0].text
    assert "2 mm2, which is not used" in remarks[0].text


def test_without_area_the_protocol_gives_areal_charge_alone() -> None:
    found, remarks = history_of([StateRecord(None)] * 2, [None, HALF], area=None)
    assert found.net_areal_charge.tolist() == [0.0, pytest.approx(AREAL)]
    assert found.net_charge[0] == 0.0
    assert np.isnan(found.net_charge[1])
    assert [remark.level for remark in remarks] == ["warning"]


def test_state_that_nothing_tells_of_is_a_gap() -> None:
    found, remarks = history_of([StateRecord(None)] * 3, [None, None, HALF])
    assert found.source == ("nothing", "nothing", "protocol")
    assert found.net_areal_charge[0] == 0.0
    assert np.isnan(found.net_areal_charge[1:]).all()
    assert [(remark.level, "'state 1'" in remark.text) for remark in remarks] == [("gap", True)]


def test_record_without_a_half_cycle_leaves_the_charge_to_the_protocol() -> None:
    quiet = StateRecord(Passed(0.0, 0.0, 0), start=0.0, end=10.0)
    found, remarks = history_of([StateRecord(None), quiet], [None, HALF])
    assert found.source[1] == "protocol"
    assert found.net_areal_charge[1] == pytest.approx(AREAL)
    assert "no half cycle" in remarks[0].text


@pytest.mark.parametrize(("ratio", "told"), [(1.04, 0), (0.96, 0), (1.2, 1), (0.6, 1)])
def test_difference_to_the_protocol_is_told(ratio: float, told: int) -> None:
    records = [StateRecord(None), run(ratio * AREAL * AREA)]
    found, remarks = history_of(records, [None, HALF])
    assert len(remarks) == told
    assert found.net_charge[1] == pytest.approx(ratio * AREAL * AREA)  # the files count
    if told:
        assert "a ratio of" in remarks[0].text


@pytest.mark.parametrize("ratio", [0.01, 100.0])
def test_another_area_or_unit_is_refused(ratio: float) -> None:
    with pytest.raises(ContradictionError, match="a ratio of") as caught:
        history_of([StateRecord(None), run(ratio * AREAL * AREA)], [None, HALF])
    assert "'state 1'" in str(caught.value.where)
    assert "cell.area_mm2" in str(caught.value.remedy)


def test_charge_against_a_protocol_without_current_is_refused() -> None:
    idle = {**HALF, "current_ma_cm2": 0.0}
    with pytest.raises(ContradictionError, match="no current flowed") as caught:
        history_of([StateRecord(None), run(AREAL * AREA)], [None, idle])
    assert "after.current_ma_cm2" in str(caught.value.remedy)


def test_opposite_directions_are_refused() -> None:
    with pytest.raises(ContradictionError, match="its cycler files strip, `after` plate") as caught:
        history_of([StateRecord(None), run(-AREAL * AREA)], [None, HALF], area=None)
    assert "plates_under_positive_current" in str(caught.value.remedy)


@given(charges=st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=6))
def test_sums(charges: list[float]) -> None:
    found, _ = history_of([run(charge) for charge in charges], [None] * len(charges))
    assert found.net_charge == pytest.approx(np.cumsum(charges))
    assert found.cumulative_charge == pytest.approx(np.cumsum(np.abs(charges)))
    assert found.net_areal_charge == pytest.approx(np.cumsum(charges) / AREA)
    assert np.all(np.abs(found.net_charge) <= found.cumulative_charge + 1e-9)


class TestClocks:
    """Half cycles at 1000-2000 and 5000-6000 s; scans in the rests after them."""

    RECORDS = (
        StateRecord(None),
        StateRecord(Passed(1.0, 1.0, 1), 900.0, 2500.0, 1000.0, 2000.0),
        StateRecord(Passed(-1.0, 1.0, 1), 4900.0, 6500.0, 5000.0, 6000.0),
    )

    def remarks(self, *measured_at: float) -> list[Remark]:
        found = history_of(list(self.RECORDS), [None] * 3, measured_at=list(measured_at))
        return [remark for remark in found[1] if remark.where == "clock"]

    def test_scans_in_rests_say_nothing(self) -> None:
        assert self.remarks(500.0, 3000.0, 7000.0) == []
        assert self.remarks(NAN, NAN, 7000.0) == []

    def test_offset_is_offered_and_not_applied(self) -> None:
        remarks = self.remarks(-2900.0, -400.0, 3500.0)
        assert [remark.level for remark in remarks] == ["warning"]
        assert "+2500 s added" in remarks[0].text
        assert "beamline = { offset_s = 2500 }" in remarks[0].text
        assert "nothing was changed" in remarks[0].text
        found, _ = history_of(list(self.RECORDS), [None] * 3, measured_at=[-2900.0, -400.0, 3500.0])
        assert found.measured_at.tolist() == [-2900.0, -400.0, 3500.0]

    def test_no_single_offset(self) -> None:
        remarks = self.remarks(2500.0, 3000.0, 4500.0)
        assert "no single offset" in remarks[0].text


def cycling(*, start: float, charge: float) -> Cycling:
    one = np.ones(1)
    return Cycling(
        time=np.array([start - 100.0, start, start + 3600.0, start + 4000.0]),
        current=np.zeros(4),
        voltage=np.zeros(4),
        step=np.zeros(4, dtype=np.int64),
        half_cycles=HalfCycles(
            step=np.ones(1, dtype=np.int64),
            first_row=np.ones(1, dtype=np.int64),
            rows=np.ones(1, dtype=np.int64),
            start=start * one,
            duration=3600.0 * one,
            current=charge / 3600.0 * one,
            charge=charge * one,
            overpotential=one,
            overpotential_se=one,
            overpotential_std=one,
        ),
    )


def test_record_of_a_state() -> None:
    found = record_of_state(cycling(start=1000.0, charge=-2.0))
    assert found == StateRecord(Passed(-2.0, 2.0, 1), 900.0, 5000.0, 1000.0, 4600.0)


def test_spectra_alone_tell_nothing_of_charge() -> None:
    one, nothing = np.ones(1), np.empty(0)
    spectra = Cycling(
        time=nothing,
        current=nothing,
        voltage=nothing,
        step=nothing.astype(np.int64),
        impedance=Impedance(
            sweep=np.zeros(1, dtype=np.int64), time=one, frequency=one, real=one, imaginary=one
        ),
    )
    assert record_of_state(spectra).passed is None


def work_on(folder: Path, **settings: Any) -> Work:
    names = ["pristine", "plating 1"]
    place = folder / "plating"
    place.mkdir()
    write_record(place / "record.h5", cycling(start=1000.0, charge=AREAL * AREA))
    values: dict[str, Any] = {
        "state.after": [{"state": names[0], "value": None}, {"state": names[1], "value": HALF}],
        "state.measured_at": [
            {"state": names[0], "value": "1970-01-01T00:05:00+00:00"},
            {"state": names[1], "value": "1970-01-01T03:00:00+01:00"},
        ],
        "cell.area_mm2": 1e6 * AREA,
        "clock.beamline": {"zone": None, "offset_s": 2.0},
    }
    sources = {"echem.read": (Source("plating 1", place),)}
    return Work("link.history", "cell", values | settings, sources, folder)


def test_step(tmp_path: Path) -> None:
    work = work_on(tmp_path)
    compute(work)
    found = read_record(tmp_path / "record.h5", History)
    assert found.state == ("pristine", "plating 1")
    assert found.source == ("nothing", "files")
    assert found.net_areal_charge == pytest.approx([0.0, AREAL])
    assert found.measured_at.tolist() == [302.0, 7202.0]
    assert found.record_start[1] == 900.0
    assert np.isnan(found.record_start[0])
    assert read_remarks(tmp_path) == []


def test_naive_time_of_measurement_is_refused(tmp_path: Path) -> None:
    moments = [{"state": "pristine", "value": "1970-01-01T00:05:00"}]
    with pytest.raises(ClockError, match="no offset from UTC"):
        compute(work_on(tmp_path, **{"state.measured_at": moments}))


def test_cell_without_a_cycler(tmp_path: Path) -> None:
    settings = {
        "state.after": [{"state": "only", "value": None}],
        "state.measured_at": [{"state": "only", "value": None}],
        "cell.area_mm2": None,
        "clock.beamline": None,
    }
    compute(Work("link.history", "cell", settings, {"echem.read": ()}, tmp_path))
    found = read_record(tmp_path / "record.h5", History)
    assert found.net_areal_charge.tolist() == [0.0]
    assert read_remarks(tmp_path) == []
