"""The table of states on the first page: one row a state, from what its records hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from mesolith.records.cell import Cell, State
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking
from mesolith.report.charge import WHOLE, Charges, charge_in_words, charges_of
from mesolith.report.failure import charge_after, first_collapse
from mesolith.report.half_cycle_voltage import half_cycle_voltage
from mesolith.report.state_stress import state_stresses

_FEW = 4
_BEFORE, _LATER, _SHORTED = "†", "‡", "§"


def state_table(cell: Cell) -> str:
    """HTML table; columns without any value in any state are left out."""
    charges = charges_of(cell)
    unit = WHOLE if charges is None else charges.unit
    voltages = _voltages(cell)
    columns = {
        "state": [escape(state.name) for state in cell.states],
        "before it": [_protocol(state) for state in cell.states],
        f"charge passed ({unit})": _charges(cell, charges, "passed"),
        f"net charge ({unit})": _charges(cell, charges, "net"),
        "mean |V| of half cycles (mV)": voltages,
        "grains": [_grains(state) for state in cell.states],
        "mean hydrostatic stress (MPa)": _stresses(cell, "mean"),
        "0.5 to 99.5 % point (MPa)": _stresses(cell, "extremes"),
    }
    columns["followed from before"] = tracked = _tracked(cell)
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    head = "".join(f'<th scope="col">{name}</th>' for name in shown)
    rows = []
    for first, *rest in zip(*shown.values(), strict=True):
        cells = "".join(f"<td>{text or '–'}</td>" for text in rest)
        rows.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    return (
        '<div class="wide"><table class="states"><caption>States in order. '
        f'<span class="key">{_notes(cell, voltages, tracked)}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _protocol(state: State) -> str:
    after: Any = state.protocol.get("after", state.protocol)
    if not isinstance(after, Mapping):
        return ""
    parts = []
    for key, one, many in (
        ("half_cycles", "half cycle", "half cycles"),
        ("cycles", "cycle", "cycles"),
    ):
        count = after.get(key)
        if count:
            parts.append(f"{count:g} {one if count == 1 else many}")
    for key, form, unit in (("current_ma_cm2", "g", "mA/cm²"), ("duration_h", ".3g", "h")):
        if after.get(key) is not None:
            parts.append(f"{_one_or_each(after[key], form)} {unit}")
    return ", ".join(f"<span class=whole>{escape(part)}</span>" for part in parts)


def _one_or_each(value: float | Sequence[float], form: str) -> str:
    """One value, a few of them in order, or the span of many."""
    if isinstance(value, int | float):
        return _number(value, form)
    if len(value) <= _FEW:
        return ", ".join(_number(number, form) for number in value)
    return f"{_number(min(value), form)} to {_number(max(value), form)}"


def _notes(cell: Cell, voltages: list[str], tracked: list[str]) -> str:
    """What the marks of the table mean, of those that it has."""
    notes = ["± one standard error (68 %)."]
    if any(voltages):
        notes.append("Voltages: mean of the half cycles' mean |V|, their number in brackets.")
    if any(_BEFORE in text for text in voltages):
        notes.append(f"{_BEFORE}: only up to the collapse of the voltage.")
    if any(_LATER in text for text in voltages):
        notes.append(f"{_LATER}: after the collapse of the voltage.")
    if any(tracked):
        notes.append("Pairs: in brackets the share expected to be right.")
    collapse = first_collapse(cell)
    after = None if collapse is None else charge_after(cell, collapse)
    if after:
        notes.append(
            f"{_SHORTED}: of it, {charge_in_words(cell, after)} up to the last state passed after "
            "the collapse and is probably not lithium."
        )
    return " ".join(notes)


def _since_collapse(cell: Cell) -> set[str]:
    """States whose charge holds what passed after the collapse."""
    collapse = first_collapse(cell)
    if collapse is None:
        return set()
    index = cell.state(collapse.state).index
    return {state.name for state in cell.states if state.index >= index}


def _charges(cell: Cell, charges: Charges | None, which: str) -> list[str]:
    if charges is None:
        return ["" for _ in cell.states]
    shorted = _since_collapse(cell)
    values = dict(zip(charges.states, getattr(charges, which), strict=True))
    known = {name: charges.text(value) for name, value in values.items() if np.isfinite(value)}
    return [
        known[state.name] + (_SHORTED if state.name in shorted else "")
        if state.name in known
        else ""
        for state in cell.states
    ]


def _voltages(cell: Cell) -> list[str]:
    texts, collapsed = [], False
    for state in cell.states:
        voltage = half_cycle_voltage(state)
        if voltage is None:
            texts.append("")
            continue
        value, error, n = voltage.mean()
        mark = _LATER if collapsed else _BEFORE if voltage.cut else ""
        texts.append(f"{_with_error(value * 1e3, error * 1e3)}&nbsp;({n}){mark}")
        collapsed = collapsed or voltage.cut
    return texts


def _grains(state: State) -> str:
    return f"{len(state[GrainMap]):,}" if GrainMap in state else ""


def _stresses(cell: Cell, which: str) -> list[str]:
    found = {s.state: s for s in state_stresses(cell)}
    texts = []
    for state in cell.states:
        stress = found.get(state.name)
        if stress is None:
            texts.append("")
        elif which == "mean":
            texts.append(_with_error(stress.mean, stress.mean_se))
        else:
            low, high = stress.robust_low[0], stress.robust_high[0]
            texts.append(f"{_number(low, '.0f')}&nbsp;to&nbsp;{_number(high, '.0f')}")
    return texts


def _tracked(cell: Cell) -> list[str]:
    texts: list[str] = []
    previous: int | None = None
    for state in cell.states:
        tracking = None if previous is None else cell.pair(previous, Tracking)
        if tracking is not None and len(tracking.before):
            right = 100.0 * float(np.mean(tracking.probability))
            texts.append(f"{len(tracking.before):,} ({right:.1f}&nbsp;%)")
        else:
            texts.append("")
        if GrainMap in state:
            previous = state.index
    return texts


def _with_error(value: float, error: float) -> str:
    """Value and error with two digits of the error."""
    digits = 1 - int(np.floor(np.log10(error))) if error > 0.0 and np.isfinite(error) else 1
    form = f".{min(max(digits, 0), 6)}f"
    return f"{_number(value, form)}&nbsp;±&nbsp;{_number(error, form)}"


def _number(value: float, form: str) -> str:
    text = format(value, form)
    return "0" if float(text) == 0.0 else text.replace("-", "−")
