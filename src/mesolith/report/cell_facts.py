"""What one cell amounts to in one row: the same facts, in the same order, for every cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mesolith.link.findings import CLUSTERING, DIRECTION, RELAXATION, SPOTS, TREND
from mesolith.link.spread import true_spread
from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling
from mesolith.records.extremes import ExtremeGrains, StressExtremes
from mesolith.records.field import Record
from mesolith.records.findings import FOUND, UNTOLD, Findings
from mesolith.records.followed import FollowedGrains
from mesolith.records.grains import GrainMap
from mesolith.records.history import History
from mesolith.records.plating import CriticalCurrent, PlatedCapacity
from mesolith.report.condition_words import value_in_words
from mesolith.report.failure import first_collapse
from mesolith.report.state_stress import StateStress, state_stresses
from mesolith.report.story import failed
from mesolith.units import from_internal

CONDITIONS = (
    "electrolyte.material",
    "conditions.stack_pressure_mpa",
    "conditions.temperature_c",
    "cell.area_mm2",
)
R = TypeVar("R", bound=Record)
_SUBJECTS = (TREND, CLUSTERING, SPOTS, DIRECTION, RELAXATION)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about one cell; ``value`` is a number, a text, or None where nobody knows.

    ``column`` names it in a table, with its unit; ``label`` says it in words. A number has its
    standard error ``se``, or the ends of its 68 % interval. ``short`` heads the column in the
    terminal, None: not shown there. ``words`` stand on a page instead of the value, "" for a
    fact that others there hold already.
    """

    column: str
    label: str
    value: float | int | str | None
    se: float | None = None
    interval: tuple[float, float] | None = None
    form: str = ".3g"
    short: str | None = None
    words: str | None = None

    @property
    def text(self) -> str:
        """Value with its error or interval, a dash where it is unknown."""
        value = self.value
        if self.words is not None:
            return self.words
        if value is None or (isinstance(value, float) and not np.isfinite(value)):
            return "–"
        if isinstance(value, str):
            return value
        text = _signed(value, self.form)
        if self.se is not None and np.isfinite(self.se):
            text += f" ± {self.se:{self.form}}"
        if self.interval is not None:
            low, high = (_signed(end, self.form) for end in self.interval)
            text += f" ({low} to {high})"
        return text


def facts(cell: Cell) -> list[Fact]:
    """All facts of a cell, None where it lacks what they need."""
    return [
        Fact("cell", "cell", cell.name, short="cell"),
        Fact("states", "states", len(cell.states), form="d", short="states"),
        *_grain_facts(cell),
        *_stress_facts(cell),
        *_extreme_facts(cell),
        *_finding_facts(cell),
        *_charge_facts(cell),
        *_condition_facts(cell),
    ]


def columns_of_facts(rows: Sequence[Sequence[Fact]]) -> dict[str, NDArray[Any]]:
    """One row a cell as columns: numbers with their errors behind them, NaN where unknown."""
    columns: dict[str, NDArray[Any]] = {}
    for own in zip(*rows, strict=True):
        values = [fact.value for fact in own]
        name = own[0].column
        if any(isinstance(value, str) for value in values):
            columns[name] = np.array(["" if v is None else str(v) for v in values])
            continue
        columns[name] = _numbers(values)
        if any(fact.se is not None for fact in own):
            columns[f"{name}_se"] = _numbers([fact.se for fact in own])
        if any(fact.interval is not None for fact in own):
            for k, tail in enumerate(("lower68", "upper68")):
                ends = [None if f.interval is None else f.interval[k] for f in own]
                columns[f"{name}_{tail}"] = _numbers(ends)
    return columns


def _numbers(values: Sequence[Any]) -> NDArray[Any]:
    if all(isinstance(value, int) for value in values):
        return np.array(values, dtype=np.int64)
    return np.array([np.nan if value is None else float(value) for value in values])


def _signed(value: float, form: str) -> str:
    text = format(value, form)
    return text.lstrip("-") if not float(text.replace(",", "")) else text.replace("-", "−")


def _held(cell: Cell, kind: type[R]) -> R | None:
    """The cell's record of that type, or None."""
    if kind not in cell:
        return None
    return cell[kind]


def _grain_facts(cell: Cell) -> Iterator[Fact]:
    counts = [len(grains) for _, grains in cell.having(GrainMap)]
    fewest = min(counts) if counts else None
    yield Fact("grains_fewest", "grains, fewest of a state", fewest, form=",", short="grains")
    held = _held(cell, FollowedGrains)
    followed = None if held is None else len(held)
    yield Fact("grains_followed", "grains followed through all states", followed, form=",")


def _stress_facts(cell: Cell) -> Iterator[Fact]:
    """Means and spread of the first and of the last state with stress."""
    hydrostatic = state_stresses(cell)
    shear = {s.state: s for s in state_stresses(cell, "von_mises")}
    for word, place, short in (("first", 0, None), ("last", -1, "last")):
        own = hydrostatic[place] if hydrostatic else None
        yield _mean_fact(
            f"stress_hydrostatic_mean_{word}_mpa",
            f"mean hydrostatic stress, {word} state (MPa)",
            own,
            short and f"mean {short}",
        )
        spread = None if own is None else true_spread(cell.state(own.state)[GrainMap])
        yield Fact(
            f"stress_hydrostatic_spread_{word}_mpa",
            f"spread of the true hydrostatic stress, {word} state (MPa)",
            None if spread is None else spread.value,
            se=None if spread is None else spread.se,
            form=".1f",
            short=short and f"spread {short}",
        )
        twin = None if own is None else shear.get(own.state)
        yield _mean_fact(
            f"stress_von_mises_mean_{word}_mpa",
            f"mean von Mises stress net of noise, {word} state (MPa)",
            twin,
            None,
        )


def _mean_fact(column: str, label: str, own: StateStress | None, short: str | None) -> Fact:
    value, se = (None, None) if own is None else (own.mean, own.mean_se)
    return Fact(column, label, value, se=se, form=".1f", short=short)


def _extreme_facts(cell: Cell) -> Iterator[Fact]:
    """The highest and the lowest true stress of all states, and where."""
    found: list[tuple[str, ExtremeGrains]] = []
    if StressExtremes in cell:
        record = cell[StressExtremes]
        found = list(zip(record.state, record.extremes, strict=True))
    for end, pick in (("highest", max), ("lowest", min)):
        own = pick(found, key=lambda entry: getattr(entry[1], end)) if found else None
        yield Fact(
            f"stress_hydrostatic_{end}_mpa",
            f"{end} true hydrostatic stress of a grain (MPa)",
            None if own is None else getattr(own[1], end),
            interval=None
            if own is None
            else (getattr(own[1], f"{end}_low"), getattr(own[1], f"{end}_high")),
            form=".0f",
            short=end,
        )
        yield Fact(f"state_of_{end}", f"state of it ({end})", None if own is None else own[0])


def _finding_facts(cell: Cell) -> Iterator[Fact]:
    """How many questions of each subject were asked, answered, and found true."""
    record = _held(cell, Findings)
    total = [0, 0]
    for subject in _SUBJECTS:
        verdicts = [] if record is None else [record.verdict[k] for k in record.rows(subject)]
        counts = [len(verdicts), verdicts.count(FOUND), verdicts.count(UNTOLD)]
        total = [total[0] + counts[0], total[1] + counts[1]]
        slug = subject.replace(" ", "_")
        untold = f", {counts[2]} cannot be told" if counts[2] else ""
        words = {"found": f"{counts[1]} of {counts[0]} found{untold}"} if record else {}
        for word, count in zip(("asked", "found", "cannot_be_told"), counts, strict=True):
            yield Fact(
                f"findings_{slug}_{word}",
                f"questions of {subject}",
                None if record is None else count,
                form="d",
                words=words.get(word, ""),
            )
    yield Fact(
        "findings",
        "findings, of all questions",
        None if record is None else f"{total[1]} of {total[0]}",
        short="found",
    )


def _charge_facts(cell: Cell) -> Iterator[Fact]:
    passed = net = whole = None
    if History in cell:
        record = cell[History]
        passed = _last(from_internal(np.asarray(record.cumulative_areal_charge), "mAh/cm2"))
        net = _last(from_internal(np.asarray(record.net_areal_charge), "mAh/cm2"))
        whole = _last(from_internal(np.asarray(record.cumulative_charge), "mAh"))
    yield Fact(
        "charge_passed_mah_cm2",
        "charge passed, both directions (mAh/cm²)",
        passed,
        short="passed mAh/cm²",
    )
    yield Fact("charge_net_mah_cm2", "net charge, plating positive (mAh/cm²)", net, form=".2f")
    yield Fact("charge_passed_mah", "charge passed, both directions (mAh)", whole)
    yield Fact("failure", "failure by the cycler's records", _failure(cell), short="failure")
    capacity = _held(cell, PlatedCapacity)
    before = error = None
    if capacity is not None:
        before = float(from_internal(capacity.before_failure, "mAh/cm2"))
        error = before * capacity.relative_se or None
    yield Fact(
        "capacity_before_failure_mah_cm2",
        "capacity plated before failure, or so far (mAh/cm²)",
        before,
        se=error,
    )
    critical = _held(cell, CriticalCurrent)
    value = se = None
    if critical is not None:
        value, se = (float(from_internal(x, "mA/cm2")) for x in (critical.value, critical.value_se))
    yield Fact("critical_current_density_ma_cm2", "critical current density (mA/cm²)", value, se=se)
    yield Fact(
        "short_kind",
        "short in the protocol (hard, soft, unclear, none)",
        None if critical is None else critical.kind,
    )


def _last(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known[-1]) if known.size else None


def _failure(cell: Cell) -> str | None:
    if not any(Cycling in state for state in cell.states):
        return None
    collapse = first_collapse(cell)
    if collapse is not None:
        return f"before {collapse.state}"
    return "impedance fell" if failed(cell) else "none seen"


def _condition_facts(cell: Cell) -> Iterator[Fact]:
    for key in CONDITIONS:
        value = cell.conditions.get(key)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        column = key.rpartition(".")[2]
        yield Fact(
            column,
            _CONDITION_WORDS[column],
            (float(value) if number else value_in_words(value)) if value is not None else None,
            form="g",
            short=_CONDITION_SHORT.get(column),
        )
    missing = "; ".join(where for level, where, _ in cell.remarks if level == "missing")
    yield Fact("missing_conditions", "conditions nobody gave", missing or "none")


_CONDITION_WORDS = {
    "material": "electrolyte",
    "stack_pressure_mpa": "stack pressure (MPa)",
    "temperature_c": "temperature (°C)",
    "area_mm2": "area (mm²)",
}
_CONDITION_SHORT = {"stack_pressure_mpa": "MPa", "temperature_c": "°C", "material": "material"}
