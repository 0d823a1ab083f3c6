"""The steps of a whole cell: half cycles of all states, with area and without, one and none."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.echem.impedance import Geometry, fits_of_impedance
from mesolith.echem.ohmic import ohmic_of_half_cycles
from mesolith.echem.whole_cell import cycling_of_states
from mesolith.io.record_file import read_record, write_record
from mesolith.io.tables import record_tables
from mesolith.pipeline.work import Remark, Source, Work, read_remarks
from mesolith.records.cycling import Cycling
from mesolith.records.field import Record
from mesolith.records.plating import CriticalCurrent, HalfCycleResistance, PlatedCapacity
from mesolith.records.spectra import ImpedanceFits
from tests.echem.protocols import AREA_M2, RESISTANCE, protocol
from tests.echem.spectra import noisy
from tests.echem.test_impedance import impedance_of

AREA_MM2 = 1e6 * AREA_M2
NAMES = ("pristine", "plating", "failed")
SETTINGS: dict[str, Any] = {
    "cell.area_mm2": AREA_MM2,
    "cell.area_se_mm2": 0.02 * AREA_MM2,
    "conditions.lithium_thickness_um": 20.0,
    "echem.current_gain_se": 0.0,
    "state.after": [{"state": name, "value": None} for name in NAMES],
}
NOTHING = np.empty(0)
EMPTY = Cycling(NOTHING, NOTHING, NOTHING, NOTHING.astype(np.int64))


def moved(record: Cycling, by: float) -> Cycling:
    """The record some seconds later."""
    half = record.half_cycles
    assert half is not None
    return replace(record, time=record.time + by, half_cycles=replace(half, start=half.start + by))


def stepped() -> dict[str, Cycling]:
    """Two states: rising currents, then more of them with a soft short."""
    rng = np.random.default_rng(4)
    first = protocol(rng, np.array([1.0, 2.0]))
    second = moved(protocol(rng, np.array([3.0, 4.0]), critical=3.5, kind="soft"), 1e5)
    return {"pristine": EMPTY, "plating": first, "failed": second}


def spectra() -> dict[str, ImpedanceFits]:
    """A valid spectrum before anything, and one that fails after the first state."""
    rng = np.random.default_rng(5)
    good, wrong = noisy(rng, 0.002), noisy(rng, 0.002)
    wrong = wrong.real + 1j * np.roll(wrong.imag, 9)
    earlier, later = impedance_of(good), impedance_of(wrong)
    known: dict[str, Any] = {"geometry": Geometry(1000.0, AREA_MM2), "area_m2": AREA_M2}
    return {
        "pristine": fits_of_impedance(replace(earlier, time=earlier.time - 1e4), **known),
        "plating": fits_of_impedance(replace(later, time=later.time + 5e4), **known),
        "failed": fits_of_impedance(None),
    }


def run(
    folder: Path,
    step: str,
    kind: type[Record],
    records: dict[str, Cycling],
    fits: dict[str, ImpedanceFits] | None = None,
    failure: CriticalCurrent | None = None,
    **settings: Any,
) -> tuple[Any, list[Remark]]:
    """The record a step leaves, and its remarks."""
    inputs: dict[str, tuple[Source, ...]] = {}
    for name, found in (("echem.read", records), ("echem.impedance", fits or {})):
        sources = []
        for state, record in found.items():
            place = folder / f"{name}-{state}"
            place.mkdir(exist_ok=True)
            write_record(place / "record.h5", record)
            sources.append(Source(state, place))
        inputs[name] = tuple(sources)
    if failure is not None:
        place = folder / "failure"
        place.mkdir(exist_ok=True)
        write_record(place / "record.h5", failure)
        inputs["echem.critical_current"] = (Source("cell", place),)
    out = folder / f"out-{step}"
    out.mkdir()
    compute = importlib.import_module(f"mesolith.echem.{step}").compute
    compute(Work(f"echem.{step}", "cell", SETTINGS | settings, inputs, out))
    return read_record(out / "record.h5", kind), read_remarks(out)


def critical(folder: Path, records: dict[str, Cycling], **settings: Any) -> Any:
    return run(folder, "critical_current", CriticalCurrent, records, **settings)


def test_half_cycles_of_all_states_in_the_order_of_time() -> None:
    records = stepped()
    # states handed over in another order than their times
    whole = cycling_of_states([(n, records[n]) for n in ("failed", "pristine", "plating")])
    assert whole.state == ("plating",) * 4 + ("failed",) * 4
    half = whole.cycling.half_cycles
    assert half is not None
    assert np.all(np.diff(half.start) > 0.0)
    assert np.allclose(whole.cycling.current[half.first_row], half.current)
    assert np.allclose(np.abs(half.current) / AREA_M2, [1, 1, 2, 2, 3, 3, 4, 4])


def test_critical_current_over_all_states(tmp_path: Path) -> None:
    found, remarks = critical(tmp_path, stepped())
    assert (found.kind, found.half_cycle) == ("soft", 6)
    assert (found.lower, found.upper) == pytest.approx((3.0, 4.0))
    assert found.common_modes[0].derivatives["value"] == pytest.approx(-3.5)
    signs = found.signs
    assert signs.state == ("plating",) * 4 + ("failed",) * 4
    assert signs.kind[:6] == ("none",) * 6
    assert signs.kind[6] == "soft"
    assert np.isnan(signs.left[:2]).all()
    assert np.allclose(signs.left[2:6], 1.0, atol=0.05)
    assert signs.words[6] == "; ".join(e.removeprefix("half cycle 7: ") for e in found.evidence)
    assert remarks == []


def test_what_cannot_be_told_is_warned_of(tmp_path: Path) -> None:
    better = protocol(np.random.default_rng(5), np.arange(1.0, 6.0), improvement=0.09)
    found, remarks = critical(tmp_path, {"plating": better})
    assert found.kind == "unclear"
    assert [remark.level for remark in remarks] == ["warning"]
    assert "nothing tells a soft short from a better contact" in remarks[0].text


def test_without_an_area_there_is_no_density(tmp_path: Path) -> None:
    records = stepped()
    found, _ = critical(tmp_path, records, **{"cell.area_mm2": None, "cell.area_se_mm2": None})
    assert (found.kind, found.half_cycle) == ("soft", 6)
    assert np.isnan([found.lower, found.upper, found.value]).all()
    capacity, remarks = run(
        tmp_path, "capacity", PlatedCapacity, records, failure=found, **{"cell.area_mm2": None}
    )
    assert np.isnan(capacity.areal).all()
    assert np.isnan(capacity.before_failure)
    assert capacity.charge_before_failure == pytest.approx(found.charge)
    assert capacity.targets.verdict == ("open",) * 4
    assert "nothing is stated per area" in remarks[0].text
    resistance, remarks = run(
        tmp_path, "resistance", HalfCycleResistance, records, **{"cell.area_mm2": None}
    )
    assert np.isnan(resistance.areal_resistance).all()
    assert np.isfinite(resistance.resistance).all()
    assert [remark.level for remark in remarks] == ["warning", "note"]


def test_capacity_and_targets(tmp_path: Path) -> None:
    records = stepped()
    failure, _ = critical(tmp_path, records)
    found, remarks = run(tmp_path, "capacity", PlatedCapacity, records, failure=failure)
    charge = np.concatenate([np.abs(r.half_cycles.charge) for r in records.values() if len(r.time)])
    assert np.allclose(found.areal, charge / AREA_M2)
    assert found.failed_in == 6
    assert found.cumulative[5] < found.before_failure < found.cumulative[6]
    assert found.relative_se == pytest.approx(0.02)
    assert found.state[-1] == "failed"
    assert found.targets.verdict == ("not met",) * 4
    assert found.targets.reached_se == pytest.approx(0.02 * found.targets.reached)
    assert remarks == []
    tables = record_tables(found, "capacity")
    assert "areal_c_m2_common_se" in tables["capacity"]
    assert len(tables["capacity_targets"]["name"]) == 4


def test_the_ohmic_part_is_of_the_last_valid_spectrum_before(tmp_path: Path) -> None:
    found, remarks = run(tmp_path, "resistance", HalfCycleResistance, stepped(), spectra())
    assert set(found.ohmic_source) == {"series + grain boundary, sweep 1 of pristine"}
    assert np.allclose(found.ohmic, 320.0, rtol=0.02)
    rest = found.resistance * found.current - found.ohmic * found.current
    assert np.allclose(found.remaining_overpotential, rest)
    assert np.all(np.abs(found.resistance[:4] / RESISTANCE - 1.0) < 0.05)
    assert np.allclose(found.common_modes[0].derivatives["current_density"], -found.current_density)
    assert remarks == []


def test_without_a_valid_spectrum_there_is_no_ohmic_part(tmp_path: Path) -> None:
    fits = spectra()
    fits["pristine"] = fits_of_impedance(None)
    assert fits["plating"].verdict == ("violated",)
    found, remarks = run(tmp_path, "resistance", HalfCycleResistance, stepped(), fits)
    assert np.isnan(found.ohmic).all()
    assert np.isnan(found.remaining_overpotential_se).all()
    assert remarks[0].text.startswith("no valid spectrum tells an ohmic resistance for 8 of 8")


def test_sweeps_without_a_time_count_by_their_state() -> None:
    """Measured at the end of their state: before the next state's half cycles, else after."""
    rng = np.random.default_rng(5)
    spectra = impedance_of(noisy(rng, 0.002))
    untimed = replace(spectra, time=np.full(56, np.nan))
    fits = fits_of_impedance(untimed, geometry=Geometry(1000.0, AREA_MM2))
    asked: dict[str, Any] = {"order": NAMES, "start": np.array([10.0, 20.0])}
    found = ohmic_of_half_cycles([("plating", fits)], states=("plating", "failed"), **asked)
    assert found.source == ("series + grain boundary, sweep 1 of plating",) * 2
    both = [("pristine", fits), ("plating", fits)]
    found = ohmic_of_half_cycles(both, states=("plating", "failed"), **asked)
    assert [words.rpartition(" ")[2] for words in found.source] == ["pristine", "plating"]
    none = ohmic_of_half_cycles([], states=("plating", "failed"), **asked)
    assert np.isnan(none.resistance).all()


def test_an_area_without_error_is_an_assumption(tmp_path: Path) -> None:
    records = {"plating": stepped()["plating"]}
    missing = {"cell.area_se_mm2": None, "conditions.lithium_thickness_um": None}
    failure, _ = critical(tmp_path, records, **missing)
    found, remarks = run(tmp_path, "capacity", PlatedCapacity, records, failure=failure, **missing)
    assert found.common_modes == ()
    assert np.isnan(found.fraction_passed).all()
    assert [remark.level for remark in remarks] == ["assumed", "note"]
    assert "the area counts as exact" in remarks[0].text
    assert "no lithium reservoir" in remarks[1].text


@pytest.mark.parametrize("records", [{}, {"pristine": EMPTY}], ids=["no state", "no rows"])
def test_no_half_cycle_is_no_failure(tmp_path: Path, records: dict[str, Cycling]) -> None:
    failure, remarks = critical(tmp_path, records)
    assert (failure.kind, failure.evidence) == ("none", ("no half cycle was recorded",))
    assert remarks == []
    capacity, remarks = run(tmp_path, "capacity", PlatedCapacity, records, failure=failure)
    assert (len(capacity.areal), capacity.failed_in, remarks) == (0, -1, [])
    found, remarks = run(tmp_path, "resistance", HalfCycleResistance, records)
    assert (len(found.resistance), remarks) == (0, [])


def test_one_half_cycle_is_enough(tmp_path: Path) -> None:
    whole = stepped()["plating"]
    half = whole.half_cycles
    assert half is not None
    rows = slice(0, 120)
    one = Cycling(
        whole.time[rows],
        whole.current[rows],
        whole.voltage[rows],
        whole.step[rows],
        replace(
            half,
            **{name: getattr(half, name)[:1] for name in type(half).__slots__},
        ),
    )
    failure, _ = critical(tmp_path, {"plating": one})
    assert failure.kind == "none"
    assert (failure.lower, failure.upper) == (pytest.approx(1.0), np.inf)
    capacity, _ = run(tmp_path, "capacity", PlatedCapacity, {"plating": one}, failure=failure)
    assert capacity.before_failure == pytest.approx(float(capacity.areal[0]))
    found, _ = run(tmp_path, "resistance", HalfCycleResistance, {"plating": one})
    assert np.isfinite([found.spread[0], found.spread_se[0], found.slope_se[0]]).all()
