"""The cycler's record: the charge of the protocol, arcs that add up, and a short at the end."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.electrochemistry import Circuit, CyclerRun, circuit_of, cycler_runs
from mesolith.virtual.planted import Planted
from mesolith.virtual.stepped import stepped_run


@pytest.fixture(scope="module")
def cell() -> VirtualCell:
    return VirtualCell.draw(12, "tiny")


@pytest.fixture(scope="module")
def runs(cell: VirtualCell) -> tuple[CyclerRun, ...]:
    return cycler_runs(cell)


def half_cycle(run: CyclerRun) -> np.ndarray:
    (number,) = [k for k, step in enumerate(run.steps) if step.kind == "CC"]
    return run.step == number


def test_each_half_cycle_passes_the_charge_of_the_protocol(
    cell: VirtualCell, runs: tuple[CyclerRun, ...]
) -> None:
    area_cm2 = math.pi / 4.0 * 0.038**2
    expected = 0.1e-3 * area_cm2 * 3.75 * 3600.0
    for run, sign in zip(runs[1:], (1, -1, 1, -1), strict=True):
        rows = half_cycle(run)
        charge = np.trapezoid(run.current[rows], run.time[rows])
        assert charge == pytest.approx(sign * expected, rel=1e-3)
        assert charge != sign * expected
        assert np.ptp(run.time[rows]) == 3.75 * 3600.0


def test_the_pristine_cell_has_no_half_cycle(runs: tuple[CyclerRun, ...]) -> None:
    assert [step.kind for step in runs[0].steps] == ["Rest", "PEIS"]
    assert not runs[0].current.any()


def test_voltage_has_the_sign_of_the_current_and_the_size_of_the_impedance(
    cell: VirtualCell, runs: tuple[CyclerRun, ...]
) -> None:
    for state, run in enumerate(runs[1:4], 1):
        rows = np.flatnonzero(half_cycle(run))[20:]
        resistance = run.voltage[rows] / run.current[rows]
        low, high = circuit_of(cell, state - 1).direct, circuit_of(cell, state).direct
        assert 0.9 * low < resistance.mean() < 1.1 * high


def test_voltage_grows_restless_and_collapses_in_the_last_half_cycle(
    cell: VirtualCell, runs: tuple[CyclerRun, ...]
) -> None:
    spread = []
    for run in runs[1:4]:
        rows = np.flatnonzero(half_cycle(run))[20:]
        trend = np.polyval(np.polyfit(run.time[rows], run.voltage[rows], 2), run.time[rows])
        spread.append((run.voltage[rows] - trend).std())
    assert spread[0] < spread[1] < spread[2]
    last = np.flatnonzero(half_cycle(runs[4]))
    assert np.abs(runs[4].voltage[last[-20:]]).max() < 0.1 * np.abs(runs[4].voltage[last]).max()
    assert circuit_of(cell, 4).direct < 0.05 * circuit_of(cell, 3).direct


def test_impedance_ends_at_its_resistances() -> None:
    circuit = Circuit((100.0, 50.0, 200.0), (1e-10, 1e-8, 1e-5))
    far = circuit.impedance(np.array([1e-6, 1e12]))
    assert far[0].real == pytest.approx(350.0, rel=1e-3)
    assert abs(far[1]) < 0.1
    assert circuit.impedance(np.array([1e3]))[0].imag < 0.0
    shorted = Circuit((100.0, 50.0, 200.0), (1e-10, 1e-8, 1e-5), short=10.0)
    assert shorted.direct == pytest.approx(1.0 / (1.0 / 350.0 + 0.1))


def test_a_single_arc_is_a_half_circle() -> None:
    circuit = Circuit((80.0, 0.0, 0.0), (1e-6, 1e-6, 1e-6))
    impedance = circuit.impedance(np.logspace(0.0, 6.0, 40))
    assert np.allclose(np.abs(impedance - 40.0), 40.0)
    top = circuit.impedance(np.array([1.0 / (2.0 * math.pi * 80.0 * 1e-6)]))[0]
    assert top == pytest.approx(40.0 - 40.0j)


def test_sweeps_and_times(runs: tuple[CyclerRun, ...]) -> None:
    for before, after in itertools.pairwise(runs):
        assert before.started < before.ended < before.scanned < after.started
    for run in runs:
        assert (np.diff(run.time) >= 0.0).all()
        assert (np.diff(run.step) >= 0).all()
        assert run.sweep.stop == len(run.time)
        frequency = run.frequency[run.sweep]
        assert frequency[0] == pytest.approx(1e6)
        assert frequency[-1] == pytest.approx(0.1)
        assert not run.frequency[: run.sweep.start].any()


def test_the_record_repeats(cell: VirtualCell, runs: tuple[CyclerRun, ...]) -> None:
    again = cycler_runs(VirtualCell.draw(12, "tiny"))
    assert all(np.array_equal(a.voltage, b.voltage) for a, b in zip(again, runs, strict=True))


def resistance(run: CyclerRun) -> np.ndarray:
    rows = np.flatnonzero(half_cycle(run))[20:]
    return np.asarray(run.voltage[rows] / run.current[rows])


def test_a_planted_soft_short_takes_its_share_and_stays() -> None:
    soft = Planted(soft_short=2, soft_short_left=0.7)
    cell = VirtualCell.draw(12, "tiny", planted=soft, hard_short=False)
    plain = VirtualCell.draw(12, "tiny", hard_short=False)
    pairs = zip(cycler_runs(cell)[1:], cycler_runs(plain)[1:], strict=True)
    shares = [resistance(a) / resistance(b) for a, b in pairs]
    assert shares[0] == pytest.approx(1.0, rel=1e-12)
    half = len(shares[1]) // 2
    # the 20 uV of the voltmeter are the same in both, and no part of the share
    assert shares[1][: half - 20] == pytest.approx(1.0, rel=1e-12)
    assert shares[1][half + 20 :] == pytest.approx(0.7, rel=6e-3)
    assert shares[2] == pytest.approx(0.7, rel=6e-3)
    assert shares[3] == pytest.approx(0.7, rel=6e-3)
    direct = [circuit_of(cell, k).direct / circuit_of(plain, k).direct for k in range(5)]
    assert direct == pytest.approx([1.0, 1.0, 0.7, 0.7, 0.7])


def test_without_the_hard_short_the_last_half_cycle_ends_as_it_began() -> None:
    runs = cycler_runs(VirtualCell.draw(12, "tiny", hard_short=False))
    last = resistance(runs[4])
    assert last[-20:].mean() == pytest.approx(last[:100].mean(), rel=0.3)


def test_planted_scatter_has_its_size_and_leaves_the_rest_alone(
    runs: tuple[CyclerRun, ...],
) -> None:
    planted = Planted(overpotential_scatter=0.02)
    noisy = cycler_runs(VirtualCell.draw(12, "tiny", planted=planted))
    for loud, still in zip(noisy[1:4], runs[1:4], strict=True):
        assert np.array_equal(loud.current, still.current)
        share = resistance(loud) / resistance(still)
        assert share.mean() == pytest.approx(1.0, abs=0.005)
        assert share.std() == pytest.approx(0.02, rel=0.15)
        resting = ~half_cycle(loud)
        assert np.array_equal(loud.voltage[resting], still.voltage[resting])
        assert np.array_equal(loud.real, still.real)


def test_twice_the_current_passes_twice_the_charge(runs: tuple[CyclerRun, ...]) -> None:
    doubled = cycler_runs(VirtualCell.draw(12, "tiny", current_ma_cm2=0.2))
    for twice, once in zip(doubled[1:], runs[1:], strict=True):
        assert twice.current == pytest.approx(2.0 * once.current)
        rows = half_cycle(once)
        assert np.abs(twice.voltage[rows] - 2.0 * once.voltage[rows]).max() < 2e-4


@pytest.mark.parametrize(("left", "critical"), [(0.05, 0.32), (0.7, 0.57)])
def test_a_stepped_protocol_shorts_above_its_critical_current(
    cell: VirtualCell, left: float, critical: float
) -> None:
    run = stepped_run(cell, critical_ma_cm2=critical, left=left)
    intact = circuit_of(cell, 0).direct
    ampere = cell.plan.area_mm2 * 1e-5
    for number, step in enumerate(run.steps):
        if step.kind != "CC":
            continue
        rows = np.flatnonzero(run.step == number)[15:]
        share = run.voltage[rows] / run.current[rows] / intact
        density = abs(step.current) / ampere
        first = step.current > 0.0 and critical < density <= critical + 0.05
        assert np.median(share[:5]) == pytest.approx(
            1.0 if density <= critical or first else left, rel=0.05
        )
        assert np.median(share[-5:]) == pytest.approx(
            1.0 if density <= critical else left, rel=0.05
        )
    assert len(run.steps) == 1 + 40 + 1
    assert (np.diff(run.time) >= 0.0).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"critical_ma_cm2": 0.0}, "currents of a stepped protocol must be positive"),
        ({"critical_ma_cm2": 0.3, "left": 1.0}, "share of the resistance within 0 and 1"),
    ],
)
def test_impossible_protocols_are_refused(
    cell: VirtualCell, values: dict[str, float], message: str
) -> None:
    with pytest.raises(InvalidValueError, match=message):
        stepped_run(cell, **values)
