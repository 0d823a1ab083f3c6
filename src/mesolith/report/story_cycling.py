"""Sentences on the cycler's records alone: half cycles, current, voltage, impedance."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling
from mesolith.records.plating import CriticalCurrent, PlatedCapacity
from mesolith.records.spectra import ImpedanceFits
from mesolith.report.half_cycle_voltage import HalfCycleVoltage, half_cycle_voltage
from mesolith.units import from_internal


def cycling_sentences(cell: Cell) -> list[str]:
    """What was passed and what answered; nothing where there is no half cycle and no spectrum."""
    found = [(state.name, v) for state in cell.states if (v := half_cycle_voltage(state))]
    sentences = [] if not found else [_polarisation(cell, found)]
    if found:
        sentences += _symmetry([voltages for _, voltages in found])
    return sentences + _impedance(cell)


def capacity_sentences(cell: Cell) -> list[str]:
    """What was plated against device targets, and what is known of the critical current.

    Nothing for a cell without half cycles, or without an area.
    """
    if PlatedCapacity not in cell or CriticalCurrent not in cell:
        return []
    capacity, critical = cell[PlatedCapacity], cell[CriticalCurrent]
    targets = capacity.targets
    if targets is None or not len(capacity.areal) or not np.isfinite(capacity.before_failure):
        return []
    groups = {
        word: [n for n, v in zip(targets.name, targets.verdict, strict=True) if v == word]
        for word in ("met", "not met", "open")
    }
    told = "; ".join(f"{word}: {', '.join(names)}" for word, names in groups.items() if names)
    plated = from_internal(capacity.before_failure, "mAh/cm2")
    error = plated * capacity.relative_se
    when = "before it failed" if capacity.failed_in >= 0 else "so far"
    sentence = (
        f"{with_error(plated, error)} mAh/cm² were plated {when}, both directions. Of the device "
        f"targets of Hatzell et al. (2020) - {told}."
    )
    return [sentence, _critical(critical)]


def _critical(critical: CriticalCurrent) -> str:
    def density(value: float) -> str:
        return f"{from_internal(value, 'mA/cm2'):.3g}"

    if np.isfinite(critical.value):
        return (
            f"The critical current density lies between {density(critical.lower)} and "
            f"{density(critical.upper)} mA/cm², where the cell shows a {critical.kind} short."
        )
    if critical.kind in ("hard", "soft"):
        return (
            f"The cell shows a {critical.kind} short at a current density that had passed before: "
            "its critical current is not known."
        )
    if critical.kind == "unclear":
        return (
            f"From half cycle {critical.half_cycle + 1} on the resistance falls; nothing tells a "
            "soft short from a better contact."
        )
    return (
        f"No half cycle shows a short up to {density(critical.lower)} mA/cm², the largest current "
        "density."
    )


def _polarisation(cell: Cell, found: list[tuple[str, HalfCycleVoltage]]) -> str:
    current = np.abs(np.concatenate([voltages.current for _, voltages in found]))
    voltages = _joined([v for _, v in found])
    value, error, n = voltages.mean()
    low, high = _current(cell, float(current.min())), _current(cell, float(current.max()))
    span = low if low == high else f"{low} to {high}"
    where = "" if len(cell.states) == 1 else f" in {len(found)} of {len(cell.states)} states"
    cut = ", up to the collapse of the voltage" if voltages.cut else ""
    kinds = f"{n} half cycle{'' if n == 1 else 's'}"
    return (
        f"{kinds} of {span} were recorded{where}{cut}; the mean magnitude of the voltage is "
        f"{with_error(value * 1e3, error * 1e3)} mV (68 %)."
    )


def _joined(found: list[HalfCycleVoltage]) -> HalfCycleVoltage:
    return HalfCycleVoltage(
        np.concatenate([v.magnitude for v in found]),
        np.concatenate([v.error for v in found]),
        np.concatenate([v.current for v in found]),
        any(v.cut for v in found),
    )


def _current(cell: Cell, ampere: float) -> str:
    area: Any = cell.conditions.get("cell.area_mm2")
    if area:
        return f"{ampere * 1e3 / (float(area) / 100.0):.2g} mA/cm²"
    return f"{ampere * 1e3:.2g} mA" if ampere >= 1e-3 else f"{ampere * 1e6:.2g} µA"


def _symmetry(found: list[HalfCycleVoltage]) -> list[str]:
    """Whether plating and stripping take the same voltage, where both were done."""
    voltages = _joined(found)
    plating, plating_se, n = voltages.mean(sign=1.0)
    stripping, stripping_se, m = voltages.mean(sign=-1.0)
    if not n or not m:
        return []
    change, error = 1e3 * (plating - stripping), 1e3 * float(np.hypot(plating_se, stripping_se))
    verdict = (
        "no evidence of an asymmetry" if abs(change) < 2.58 * error else "more than the errors make"
    )
    sentence = (
        f"Plating ({n}) takes {with_error(plating * 1e3, plating_se * 1e3)} mV and stripping ({m}) "
        f"{with_error(stripping * 1e3, stripping_se * 1e3)} mV: a difference of "
        f"{with_error(change, error)} mV (68 %), {verdict}."
    )
    return [sentence]


def _impedance(cell: Cell) -> list[str]:
    spectra = [(s.name, c.impedance) for s, c in cell.having(Cycling) if c.impedance is not None]
    lowest = [
        (float(spectrum.frequency[rows].min()), float(spectrum.real[rows][k]))
        for _, spectrum in spectra
        for sweep in np.unique(spectrum.sweep)
        for rows in (spectrum.sweep == sweep,)
        for k in (int(np.argmin(spectrum.frequency[rows])),)
    ]
    if not lowest:
        return []
    frequency = min(f for f, _ in lowest)
    area: Any = cell.conditions.get("cell.area_mm2")
    factor, unit = (float(area) / 100.0, "Ω cm²") if area else (1.0, "Ω")
    real = sorted(r * factor for _, r in lowest)
    span = f"{real[0]:,.4g}" if len(real) == 1 else f"{real[0]:,.4g} to {real[-1]:,.4g}"
    count = f"{len(real)} impedance sweep{'' if len(real) == 1 else 's'}"
    sentence = (
        f"At the lowest frequency ({frequency:.2g} Hz) the real part of the impedance is {span} "
        f"{unit} over {count}; single readings state no error."
    )
    return [sentence, *_validity(cell)]


def _validity(cell: Cell) -> list[str]:
    """How many sweeps the Kramers-Kronig test does not pass; nothing where it passes all."""
    verdicts = [word for _, fits in cell.having(ImpedanceFits) for word in fits.verdict]
    wrong = verdicts.count("violated")
    if not wrong:
        return []
    sentence = (
        f"{wrong} of {len(verdicts)} sweeps fail the Kramers-Kronig test: their circuit elements "
        "are no result."
    )
    return [sentence]


def with_error(value: float, error: float) -> str:
    """Value and error with two digits of the error."""
    if not (error > 0.0 and np.isfinite(error)):
        return f"{value:.3g}".replace("-", "−")
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}".replace("-", "−")
