"""Virtual draws for the intervals of circuit elements and of the critical current.

`intervals.py` asks for the outcomes of each seed. Started by itself, this file prints the share
of intervals that hold the truth, for seeds to develop on.

Spectra come from the virtual cell's own circuit (depressed arcs by resistance, capacitance and
exponent), protocols from a formula of this file: neither shares code with the analysis.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from _harness import HERE

from mesolith.axes import FloatArray
from mesolith.echem.critical_current import critical_current, critical_current_interval
from mesolith.echem.half_cycles import Points, half_cycles_from_points
from mesolith.echem.impedance import fits_of_impedance
from mesolith.records.cycling import Cycling, Impedance
from mesolith.virtual.electrochemistry import Circuit

DRAWS = ("nominal", "wide", "misspecified")
CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)"
ELEMENTS = ("R0", "R1", "CPE1_Q", "CPE1_n", "R2", "CPE2_Q", "CPE2_n")
# all as relative errors: less the true value, over it
OUTCOMES = ("value", "lower end 68", "upper end 68", "lower end 95", "upper end 95")
_AREA = 1e-4
_EVERY = 30.0
_HARD_LEFT = 0.03
# far outside any window: a resistance without an arc
_NO_ARC = 1e-18


def circuit_outcomes(seed: int, draw: str) -> FloatArray:
    """One spectrum fitted: for each of `ELEMENTS` the five `OUTCOMES`, shape (7, 5).

    The circuit is known to the analysis. Errors are relative to the true value.
    """
    rng = np.random.default_rng([seed, 0xC14C])
    value = _values(rng, "impedance", draw)
    r1, r2 = value["resistance"], value["resistance"] * value["ratio"]
    tau1 = value["fast"]
    tau2 = tau1 * 10.0 ** value["apart"]
    n1, n2 = value["exponent_fast"], value["exponent_slow"]
    virtual = Circuit(
        resistance=(value["series"], r1, r2),
        capacitance=(_NO_ARC, tau1 / r1, tau2 / r2),
        exponent=(1.0, n1, n2),
    )
    decades = value["highest"] - value["lowest"]
    count = 1 + round(decades * value["points_per_decade"])
    frequency = np.logspace(value["highest"], value["lowest"], count)
    z = virtual.impedance(frequency)
    noise = _noise(rng, (2, count), value["tail_freedom"])
    z = z + value["noise"] * np.abs(z) * (noise[0] + 1j * noise[1])
    spectra = Impedance(
        sweep=np.zeros(count, dtype=np.int64),
        time=np.arange(count, dtype=float),
        frequency=frequency,
        real=z.real,
        imaginary=z.imag,
    )
    found = fits_of_impedance(spectra, circuit=CIRCUIT)
    truth = np.array([value["series"], r1, tau1**n1 / r1, n1, r2, tau2**n2 / r2, n2])
    return _outcomes(
        truth,
        found.element_value,
        (found.element_low68, found.element_high68),
        (found.element_low95, found.element_high95),
    )


def critical_current_outcomes(seed: int, draw: str) -> FloatArray:
    """One stepped protocol judged: the five `OUTCOMES` of its critical current, shape (1, 5).

    A short that is not found, or found elsewhere, is a miss: its interval holds nothing.
    """
    rng = np.random.default_rng([seed, 0xCCD])
    value = _values(rng, "stepped_protocol", draw)
    densities = value["first"] + value["step"] * np.arange(round(value["steps"]))
    critical = float(rng.uniform(densities[0], densities[-1]))
    kind = ("hard", "soft")[int(rng.integers(2))]
    cycling = _protocol(rng, value, densities, critical, kind)
    believed = _AREA * (1.0 + value["area_error"] * float(rng.standard_normal()))
    found = critical_current(cycling, area_m2=believed, area_se_m2=value["area_error"] * believed)
    ends = [critical_current_interval(found, level) for level in (0.68, 0.95)]
    one = [tuple(np.array([end]) for end in pair) for pair in ends]
    return _outcomes(np.array([critical]), np.array([found.value]), one[0], one[1])


def _protocol(
    rng: np.random.Generator,
    value: Mapping[str, float],
    densities: FloatArray,
    critical: float,
    kind: str,
) -> Cycling:
    """Plating and stripping at each density; above the critical one the cell shorts."""
    rows = round(value["rows"])
    share = np.arange(rows) / rows
    shorted, begin, parts = False, 0.0, []
    for k, density in enumerate(np.repeat(densities, 2)):
        current = density * _AREA * (1.0 if k % 2 == 0 else -1.0)
        left, flicker = np.ones(rows), np.zeros(rows)
        if shorted or density > critical:
            at = 0 if shorted else int(rng.integers(round(0.1 * rows), round(0.85 * rows)))
            left[at:] = _HARD_LEFT if kind == "hard" else value["left_soft"]
            flicker[at:] = value["flicker"] if kind == "soft" else 0.0
            shorted = True
        course = 1.0 + value["drift"] * share - 0.02 * np.exp(-share * 20.0)
        level = current * value["resistance"]
        voltage = level * left * course * (1.0 + flicker * rng.standard_normal(rows))
        voltage += (1e-4 + value["noise"] * abs(level)) * _remembering(rng, rows, value)
        time = begin + _EVERY * np.arange(rows)
        begin = float(time[-1]) + 600.0
        parts.append((time, np.full(rows, current), voltage, np.full(rows, k)))
    time, flows, voltage, step = (np.concatenate(part) for part in zip(*parts, strict=True))
    points = Points(
        time=time,
        current=flows,
        voltage=voltage,
        step=step,
        switched=None,
        set_current=np.full(len(time), np.nan),
        sweep=np.zeros(len(time), dtype=np.bool_),
    )
    return Cycling(time, flows, voltage, step, half_cycles_from_points(points))


def _remembering(rng: np.random.Generator, rows: int, value: Mapping[str, float]) -> FloatArray:
    """Noise of unit variance whose neighbours are correlated."""
    fresh = _noise(rng, (rows,), value["tail_freedom"])
    kick = np.sqrt(1.0 - value["memory"] ** 2)
    found = np.empty(rows)
    found[0] = fresh[0]
    for row in range(1, rows):
        found[row] = value["memory"] * found[row - 1] + kick * fresh[row]
    return found


def _outcomes(
    truth: FloatArray,
    value: FloatArray,
    at68: tuple[FloatArray, ...],
    at95: tuple[FloatArray, ...],
) -> FloatArray:
    return np.stack([column / truth - 1.0 for column in (value, *at68, *at95)], axis=1)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], freedom: float) -> FloatArray:
    """Numbers of variance one: normal, or Student's t of that freedom."""
    if freedom == 0:
        return rng.standard_normal(shape)
    return rng.standard_t(freedom, shape) / np.sqrt(freedom / (freedom - 2.0))


@cache
def _priors() -> dict[str, Any]:
    return tomllib.loads((HERE / "priors.toml").read_text(encoding="utf-8"))


def _values(rng: np.random.Generator, family: str, draw: str) -> dict[str, float]:
    """One value of each prior, in the order of their names (see priors.toml)."""
    return {key: _drawn(rng, prior) for key, prior in sorted(_priors()[family][draw].items())}


def _drawn(rng: np.random.Generator, prior: Any) -> float:
    if isinstance(prior, Mapping):
        spread = np.log(prior["factor"])
        return float(prior["median"] * np.exp(rng.uniform(-spread, spread)))
    if isinstance(prior, list):
        return float(rng.uniform(prior[0], prior[1]))
    return float(prior)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--family", type=int, default=1)
    given = parser.parse_args()
    seeds = np.random.SeedSequence(given.family).generate_state(given.seeds, np.uint32)
    judges: tuple[tuple[tuple[str, ...], Callable[[int, str], FloatArray]], ...] = (
        (ELEMENTS, circuit_outcomes),
        (("critical current",), critical_current_outcomes),
    )
    for draw in DRAWS:
        for names, judge in judges:
            found = np.array([judge(int(seed), draw) for seed in seeds])
            for k, name in enumerate(names):
                value, low68, high68, low95, high95 = found[:, k].T
                at68 = 100.0 * float(np.mean((low68 < 0.0) & (high68 > 0.0)))
                at95 = 100.0 * float(np.mean((low95 < 0.0) & (high95 > 0.0)))
                known = np.isfinite(value)
                size = float(np.sqrt(np.mean(value[known] ** 2)))
                stated = float(np.median(0.5 * (high68 - low68)[known])) / 0.9945
                print(
                    f"{draw:13s} {name:17s} 68 %: {at68:5.1f}  95 %: {at95:5.1f}  "
                    f"median sigma / RMS error {stated / size:5.2f}  none in {int((~known).sum())}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
