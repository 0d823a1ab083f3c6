"""Voltages of half cycles in table and story, and the charge that passed after a short."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from mesolith.records.cell import Cell, State
from mesolith.records.cycling import Cycling, HalfCycles
from mesolith.records.direct_current import under_direct_current
from mesolith.report.failure import charge_after, first_collapse
from mesolith.report.half_cycle_voltage import half_cycle_voltage
from mesolith.report.state_table import state_table
from mesolith.report.story import story

HALF = 200


def _alternating(count: int = 8, volt: float = 3.75e-3) -> Cycling:
    """Half cycles of both signs, a rest before each."""
    rng = np.random.default_rng(2)
    sign = np.where(np.arange(count) % 2, -1.0, 1.0)
    current = np.concatenate([[*np.zeros(20), *np.full(HALF, 2.8e-6 * s)] for s in sign])
    voltage = np.concatenate([[*np.full(20, 1e-4), *np.full(HALF, volt * s)] for s in sign])
    voltage = voltage + rng.normal(scale=1e-5, size=len(voltage))
    first = np.arange(count) * (HALF + 20) + 20
    error = np.full(count, 2e-5)
    return Cycling(
        time=1.7e9 + 10.0 * np.arange(len(current)),
        current=current,
        voltage=voltage,
        step=np.repeat(np.arange(2 * count), np.tile([20, HALF], count)),
        half_cycles=HalfCycles(
            step=2 * np.arange(count) + 1,
            first_row=first,
            rows=np.full(count, HALF),
            start=1.7e9 + 10.0 * first,
            duration=np.full(count, 10.0 * HALF),
            current=2.8e-6 * sign,
            charge=2.8e-6 * 10.0 * HALF * sign,
            overpotential=volt * sign,
            overpotential_se=error,
            overpotential_std=error,
        ),
    )


def _one(cycling: Cycling) -> Cell:
    state = State("cycled", 0, handles={Cycling: lambda: cycling})
    return Cell("cyc", {"cell.area_mm2": 28.27}, (state,))


def test_half_cycles_of_both_signs_are_averaged_by_magnitude() -> None:
    cell = _one(_alternating())
    table = re.sub(r"<[^>]+>", "", state_table(cell)).replace("&nbsp;", " ")
    assert "3.7500 ± 0.0071 (8)" in table
    assert "Pairs" not in table
    told = " ".join(story(cell))
    assert "8 half cycles of 0.0099 mA/cm² were recorded" in told
    assert "no evidence of an asymmetry" in told
    assert "grain" not in told


def test_a_collapsed_half_cycle_counts_up_to_the_collapse(cell: Cell) -> None:
    state = cell.states[4]
    found = half_cycle_voltage(state)
    collapse = first_collapse(cell)
    assert found is not None
    assert collapse is not None
    assert found.cut
    half = state[Cycling].half_cycles
    assert half is not None
    before = np.abs(state[Cycling].voltage[int(half.first_row[0]) : collapse.row])
    assert found.magnitude[0] == pytest.approx(before.mean())
    assert found.magnitude[0] > 1.05 * abs(half.overpotential[0])
    assert "†: only up to the collapse" in state_table(cell)


def test_charge_after_the_collapse(cell: Cell) -> None:
    collapse = first_collapse(cell)
    assert collapse is not None
    half = cell.states[4][Cycling].half_cycles
    assert half is not None
    after = charge_after(cell, collapse)
    assert after == pytest.approx(0.14 * abs(float(half.charge[0])), rel=0.15)
    assert "probably not lithium" in " ".join(story(cell))
    assert charge_after(dataclasses.replace(cell, handles={}), collapse) is None


def test_rest_is_no_voltage_under_direct_current() -> None:
    shown = under_direct_current(_alternating(2))
    assert shown.tolist() == [*[False] * 20, *[True] * HALF] * 2
