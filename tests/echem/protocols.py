"""Cycler records of stepped protocols with known truth: when the cell shorts, and how."""

from __future__ import annotations

import numpy as np

from mesolith.echem.half_cycles import Points, half_cycles_from_points
from mesolith.records.cycling import Cycling
from tests.echem.spectra import draws

AREA_M2 = 1e-4
RESISTANCE = 60.0
_ROWS, _EVERY = 120, 30.0
_LEFT = {"hard": 0.03, "soft": 0.75, "none": 1.0}


def protocol(
    rng: np.random.Generator,
    densities: np.ndarray,
    *,
    critical: float = np.inf,
    kind: str = "none",
    tails: int | None = None,
    noise: float = 0.002,
    improvement: float = 0.0,
) -> Cycling:
    """Two half cycles (plating, stripping) at each density (A/m2), of an hour each.

    In the first half cycle above ``critical`` the cell shorts at some row, and stays so; a soft
    short leaves 75 % of the resistance and a voltage that flickers by 3 %. The resistance falls
    by the share ``improvement`` from half cycle to half cycle. Noise is a first-order process.
    """
    columns: list[tuple[np.ndarray, ...]] = []
    begin, shorted = 0.0, False
    for k, density in enumerate(np.repeat(densities, 2)):
        current = density * AREA_M2 * (-1.0) ** k
        left, flicker = np.ones(_ROWS), np.zeros(_ROWS)
        if kind != "none" and (shorted or density > critical):
            at = 0 if shorted else int(rng.integers(10, _ROWS - 15))
            left[at:] = _LEFT[kind]
            flicker[at:] = 0.03 if kind == "soft" else 0.0
            shorted = True
        row = np.arange(_ROWS)
        course = 1.0 + 0.05 * row / _ROWS - 0.02 * np.exp(-row / 5.0)
        voltage = current * RESISTANCE * (1.0 - improvement) ** k * left * course
        voltage *= 1.0 + flicker * rng.standard_normal(_ROWS)
        fresh = draws(rng, _ROWS, tails)
        error = np.zeros(_ROWS)
        for r in range(1, _ROWS):
            error[r] = 0.6 * error[r - 1] + 0.8 * fresh[r]
        voltage += (2e-4 + noise * abs(current) * RESISTANCE) * error
        time = begin + _EVERY * row
        begin = time[-1] + 600.0
        columns.append((time, np.full(_ROWS, current), voltage, np.full(_ROWS, k)))
    time, flow, voltage, step = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    points = Points(
        time=time,
        current=flow,
        voltage=voltage,
        step=step,
        switched=None,
        set_current=np.full(len(time), np.nan),
        sweep=np.zeros(len(time), dtype=bool),
    )
    return Cycling(time, flow, voltage, step, half_cycles_from_points(points))
