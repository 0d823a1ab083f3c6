"""Sweeps among impedance rows."""

from __future__ import annotations

import numpy as np

from mesolith.echem.sweeps import sweep_numbers

DOWN = 10.0 ** np.arange(5.0, -1.0, -1.0)


def numbers(frequency: np.ndarray, row: np.ndarray | None = None, mark: object = None) -> list[int]:
    n = len(frequency)
    rows = np.arange(n) if row is None else row
    marks = np.zeros(n) if mark is None else np.asarray(mark, dtype=float)
    return sweep_numbers(frequency, rows, marks).tolist()


def test_one_sweep() -> None:
    assert numbers(DOWN) == [0] * 6
    assert numbers(DOWN[::-1]) == [0] * 6
    assert numbers(DOWN[:1]) == [0]
    assert numbers(DOWN[:0]) == []


def test_sweeps_one_after_the_other() -> None:
    assert numbers(np.tile(DOWN, 3)) == [0] * 6 + [1] * 6 + [2] * 6


def test_there_and_back() -> None:
    found = numbers(np.concatenate([DOWN, DOWN[::-1]]))
    assert found[:6] == [0] * 6
    assert found[6:] in ([0] + [1] * 5, [1] * 6)


def test_a_frequency_measured_twice_stays_in_its_sweep() -> None:
    assert numbers(np.array([100.0, 10.0, 10.0, 1.0])) == [0] * 4


def test_other_rows_and_counters_part_sweeps() -> None:
    assert numbers(DOWN, row=np.array([0, 1, 2, 7, 8, 9])) == [0, 0, 0, 1, 1, 1]
    assert numbers(DOWN, mark=[1, 1, 2, 2, 2, 2]) == [0, 0, 1, 1, 1, 1]
