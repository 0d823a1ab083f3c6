"""Impedance sweeps among the rows of a cycler record."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, IntArray


def sweep_numbers(frequency: FloatArray, row: IntArray, mark: FloatArray) -> IntArray:
    """Number of the sweep that each impedance row belongs to, from 0.

    Parameters
    ----------
    frequency
        Hz of the impedance rows, in the order of the file, shape (n,).
    row
        Their row numbers in the file: a gap between two means that other rows lie between.
    mark
        A number that changes from sweep to sweep where the file counts them (cycle, step), else
        constant.

    A sweep also ends where the frequency turns back.
    """
    numbers = np.zeros(len(frequency), dtype=np.int64)
    direction = 0.0
    for k in range(1, len(frequency)):
        turn = np.sign(frequency[k] - frequency[k - 1])
        new = row[k] != row[k - 1] + 1 or mark[k] != mark[k - 1]
        if not new and turn != 0.0 and direction != 0.0 and turn != direction:
            new = True
        if new:
            direction = 0.0
        elif turn != 0.0:
            direction = turn
        numbers[k] = numbers[k - 1] + int(new)
    return numbers
