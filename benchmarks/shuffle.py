"""Do the conclusions of the report change when the raw files do, and only as they must?

Virtual cells with planted effects are written as a beamline's and a cycler's files. The files are
altered (`_altered.py`) and `mesolith.run` analyses original and altered ones alike; what is
compared are the verdicts and estimates in result/cell.nxs.

    cell                         planted, MPa
    changes     2,400 grains x 5 trend 40 over the height; neighbourhoods of the 20 hottest up 40
    relaxation  4,800 grains x 5 stress falls by 90 within 90 um of 110 hottest, in all states
    direction     300 grains x 17  neighbourhoods of 5 hot and 5 cold spots up 30 with each plating
    stepped     no grains        hard short above 0.62 mA/cm2, in steps of 0.05

As written, each planted effect must be found. Four transitions can tell no direction, whatever is
planted: the cell "changes" must say so. What must happen then:

- Stresses shuffled over positions. A grain keeps what it lives through and lives it elsewhere.
  Trend, clustering of the change and relaxation are statements of place: they are lost. So are
  the neighbours in hot-spot change and direction; but the spot itself still changes, and is one
  of the grains of its neighbourhood. Less than half of the estimate may be left, and a verdict
  on that rest is no mistake. The extremes are statements of grains: they stay, within their
  intervals.
- Change between states zeroed. Trend and clustering of the change, hot-spot change and direction
  are lost. Relaxation is planted in every state and is kept. The extremes of the last state
  become those of the first.
- Current doubled, in the cycler files and in what cell.toml says of the protocol. Charge, plated
  capacity, current density, capacity before failure and critical current double, the resistance
  is halved (the voltages are as they were), the verdict on the short stays. Nothing of stress may
  move by a bit.

A finding is there where the report's table of findings says "found" or "indicated". It is kept
where it still says so and more than half of the estimate is left; lost where it does not say
"found" (which chance alone makes it say in at most 5 % of tables) and less than half is left,
within two standard errors of what is left. The bar is that all of it holds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from _altered import changes_zeroed, current_doubled, set_in_section, stresses_shuffled
from _harness import calibration_seconds, fresh_seed, write_result

import mesolith
from mesolith.io.biologic_write import write_mpt
from mesolith.records.cell import Cell
from mesolith.records.extremes import StressExtremes
from mesolith.records.findings import FOUND, INDICATED, UNTOLD, Findings
from mesolith.records.grains import GrainMap
from mesolith.records.history import History
from mesolith.records.plating import CriticalCurrent, HalfCycleResistance, PlatedCapacity
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.demo import write_demo
from mesolith.virtual.electrochemistry import ZONE
from mesolith.virtual.plan import alternating_states
from mesolith.virtual.planted import NO_ORDER, Planted
from mesolith.virtual.stepped import stepped_run

WORKERS = 2
SIGMA_STRAIN = 6e-5  # what write_demo measures with, and states in cell.toml
CRITICAL = 0.62
CHANGE = "hydrostatic stress, pristine to stripping {}"
TREND = ("trend", CHANGE.format(2) + ": slope along z (p: any direction)")
CLUSTERING = ("clustering", CHANGE.format(2) + ": Moran's index of neighbours")
HOT = (
    "hot and cold spots",
    "hydrostatic stress, chosen fixed, hot: pristine to plating 1: change against the pellet",
)
DIRECTION = (
    "direction of the current",
    "hot and cold, hydrostatic: change under direction 1 less direction 2",
)
RELAXATION = ("pathways", "to a minimum, cell: relaxation along z beyond that of the starts")
OF_SPOTS = (HOT, DIRECTION)  # of neighbourhoods: a spot is one of the grains of its own
KEPT, LOST = "kept", "lost"
Question = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """A cell with planted effects: its plan, lines of [hedm], and what each question must do."""

    name: str
    preset: str
    plan: dict[str, Any]
    settings: tuple[str, ...]
    if_zeroed: dict[Question, str]


CASES = (
    Case(
        "changes",
        "demo",
        {
            "planted": Planted(trend_mpa=40.0, hot_spot_mpa=40.0, spots=20, spot_um=57.0),
            "minority_share": 0.08,  # hot grains that stand out: those planted are those chosen
            **NO_ORDER,
        },
        ("spots = 20",),
        {TREND: LOST, CLUSTERING: LOST, HOT: LOST},
    ),
    Case(
        "relaxation",
        "demo",
        {
            "planted": Planted(relaxation_mpa=90.0, relaxation_um=90.0, relaxation_spots=110),
            "diameter_um": 1200.0,
            **NO_ORDER,
        },
        ("paths = 110",),
        {RELAXATION: KEPT},
    ),
    Case(
        "direction",
        "tiny",
        {
            "planted": Planted(direction_mpa=30.0, spots=5, spot_um=57.0),
            "minority_share": 0.08,
            "states": alternating_states(16),
            "stack_pressure_mpa": (5.0,) * 17,
            **NO_ORDER,
        },
        ("spots = 5",),
        {DIRECTION: LOST},
    ),
)


class Ledger:
    """What must hold and whether it does; each line is printed as it is judged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bool]] = []

    def judge(self, text: str, good: bool) -> None:
        """Note and print one statement."""
        self.lines.append((text, bool(good)))
        print(f"{text}{'' if good else '   NOT as it must'}", flush=True)

    @property
    def good(self) -> bool:
        """Whether everything holds."""
        return all(good for _, good in self.lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", type=int, help="seeds to develop on")
    parser.add_argument(
        "--case", choices=[*(case.name for case in CASES), "stepped"], help="one cell only"
    )
    given = parser.parse_args()
    family = fresh_seed("shuffle") if given.family is None else given.family
    seeds = np.random.SeedSequence(family).generate_state(len(CASES) + 1).tolist()
    start = time.perf_counter()
    ledger = Ledger()
    with TemporaryDirectory(prefix="mesolith-shuffle-") as folder:
        for case, seed in zip(CASES, seeds, strict=False):
            if given.case in (None, case.name):
                judge_case(case, seed, Path(folder) / case.name, ledger)
        if given.case in (None, "stepped"):
            judge_stepped(seeds[-1], Path(folder) / "stepped", ledger)
    seconds = time.perf_counter() - start
    if given.case is None and given.family is None:
        result: dict[str, Any] = {
            "seed": family,
            "calibration_seconds": calibration_seconds(),
            "seconds": seconds,
            "judged": dict(ledger.lines),
            "passed": ledger.good,
        }
        write_result("shuffle", result)
    wrong = sum(not good for _, good in ledger.lines)
    print(f"{len(ledger.lines)} statements, {wrong} not as they must be, {seconds:.0f} s")
    print(f"shuffle: {'met' if ledger.good else 'NOT met'}")
    return 0 if ledger.good else 1


def judge_case(case: Case, seed: int, folder: Path, ledger: Ledger) -> None:
    """Analyse a cell as written and altered, and judge its conclusions."""
    source = folder / "as written"
    write_demo(source, seed=seed, preset=case.preset, **case.plan)
    for line in case.settings:
        set_in_section(source, "hedm", line)
    original = analysed(source)
    for question in case.if_zeroed:
        verdict, estimate, _, p = answer(original, question)
        ledger.judge(
            f"{case.name}, as written: {question[0]} {estimate:.3g}, p {p:.4f}: {verdict}",
            verdict in (FOUND, INDICATED),
        )
    if case.name == "changes":
        verdict, _, _, _ = answer(original, DIRECTION)
        ledger.judge(f"{case.name}: direction of four transitions: {verdict}", verdict == UNTOLD)

    stresses_shuffled(source, folder / "shuffled", seed=seed)
    shuffled = analysed(folder / "shuffled")
    for question in case.if_zeroed:
        judge_change(f"{case.name}, shuffled", question, original, shuffled, LOST, ledger)
    last = len(original.states) - 1
    judge_extremes(f"{case.name}, shuffled", (original, last), (shuffled, last), ledger)

    changes_zeroed(source, folder / "zeroed", seed=seed, sigma_strain=SIGMA_STRAIN)
    zeroed = analysed(folder / "zeroed")
    for question, must in case.if_zeroed.items():
        judge_change(f"{case.name}, zeroed", question, original, zeroed, must, ledger)
    points = ("high_point", "low_point")
    judge_extremes(f"{case.name}, zeroed", (original, 0), (zeroed, last), ledger, points)

    if case.name == "changes":
        current_doubled(source, folder / "doubled")
        judge_doubled(original, analysed(folder / "doubled"), ledger)


def analysed(folder: Path) -> Cell:
    """The cell of result/cell.nxs, from the raw files below this folder."""
    mesolith.run(folder, workers=WORKERS)
    return mesolith.open(folder / "result" / "cell.nxs")


def answer(cell: Cell, question: Question) -> tuple[str, float, float, float]:
    """Verdict, estimate, its standard error and p-value of a question in the report's table."""
    findings = cell[Findings]
    asked = list(zip(findings.subject, findings.question, strict=True))
    row = asked.index(question)
    error = 0.5 * float(findings.high[row] - findings.low[row])
    return findings.verdict[row], float(findings.estimate[row]), error, float(findings.p[row])


def judge_change(
    where: str, question: Question, original: Cell, altered: Cell, must: str, ledger: Ledger
) -> None:
    """A finding that must be kept is found; one that must be lost is neither found nor large."""
    _, before, _, _ = answer(original, question)
    verdict, after, error, p = answer(altered, question)
    text = f"{where}: {question[0]} {before:.3g} -> {after:.3g}, p {p:.4f}: {verdict}"
    if must == KEPT:
        good = verdict in (FOUND, INDICATED) and after / before > 0.5
    else:
        open_verdict = question in OF_SPOTS and where.endswith("shuffled")
        small = abs(after) - 2.0 * error < 0.5 * abs(before)
        good = small and (open_verdict or verdict != FOUND)
    ledger.judge(f"{text}, must be {must}", good)


def judge_extremes(
    where: str,
    before: tuple[Cell, int],
    after: tuple[Cell, int],
    ledger: Ledger,
    sides: tuple[str, str] = ("highest", "lowest"),
) -> None:
    """These two extremes of the stress in a state of either cell agree within both intervals."""
    one, two = (cell[StressExtremes].extremes[state] for cell, state in (before, after))
    for side in sides:
        values = getattr(one, side), getattr(two, side)
        reach = sum(getattr(e, f"{side}_high") - getattr(e, f"{side}_low") for e in (one, two))
        change = f"{values[0]:.0f} -> {values[1]:.0f} MPa"
        text = f"{where}: {side.replace('_', ' ')} of stress {change}, must be kept"
        ledger.judge(text, abs(values[1] - values[0]) <= reach)


def judge_doubled(original: Cell, doubled: Cell, ledger: Ledger) -> None:
    """Charge and current double, resistance is halved, and nothing of stress moves."""
    where = "changes, current doubled"
    judge_failure(where, original, doubled, ledger)
    ratios: tuple[tuple[str, type[Any], str], ...] = (
        ("net charge of the states", History, "net_areal_charge"),
        ("cumulative charge of the states", History, "cumulative_charge"),
    )
    for text, record, field in ratios:
        judge_ratio(f"{where}: {text}", original[record], doubled[record], field, 2.0, ledger)
    pairs = zip(original.states, doubled.states, strict=True)
    untouched = {
        "findings": same(original[Findings], doubled[Findings]),
        "extremes": same(original[StressExtremes], doubled[StressExtremes]),
        "grains and their stress": all(same(a[GrainMap], b[GrainMap]) for a, b in pairs),
    }
    for name, good in untouched.items():
        ledger.judge(f"{where}: {name}, must be the same to the last bit", good)


def judge_failure(where: str, original: Cell, doubled: Cell, ledger: Ledger) -> None:
    """What the cycler's records say of capacity, resistance and failure."""
    ratios: tuple[tuple[type[Any], str, float], ...] = (
        (PlatedCapacity, "areal", 2.0),
        (PlatedCapacity, "cumulative", 2.0),
        (PlatedCapacity, "current_density", 2.0),
        (PlatedCapacity, "before_failure", 2.0),
        (CriticalCurrent, "upper", 2.0),
        (HalfCycleResistance, "current_density", 2.0),
        (HalfCycleResistance, "areal_resistance", 0.5),
    )
    for record, field, ratio in ratios:
        text = f"{where}: {field} ({record.__name__})"
        judge_ratio(text, original[record], doubled[record], field, ratio, ledger)
    one, two = original[CriticalCurrent], doubled[CriticalCurrent]
    text = f"{where}: {one.kind} short in half cycle {one.half_cycle + 1}"
    ledger.judge(
        f"{text} -> {two.kind} in {two.half_cycle + 1}, must be kept",
        one.kind == "hard" and (one.kind, one.half_cycle) == (two.kind, two.half_cycle),
    )


def judge_ratio(
    text: str, before: Any, after: Any, field: str, ratio: float, ledger: Ledger
) -> None:
    """A field of a record is multiplied by so much; zeros stay zero."""
    one, two = np.asarray(getattr(before, field)), np.asarray(getattr(after, field))
    good = bool(np.allclose(two, ratio * one, rtol=1e-6, atol=0.0)) and bool(np.any(one))
    largest = int(np.argmax(np.abs(np.atleast_1d(one))))
    values = np.atleast_1d(one)[largest], np.atleast_1d(two)[largest]
    ledger.judge(f"{text}: {values[0]:.5g} -> {values[1]:.5g}, must be times {ratio:g}", good)


def judge_stepped(seed: int, folder: Path, ledger: Ledger) -> None:
    """A stepped protocol: the planted critical current is found, and doubles."""
    source = folder / "as written"
    write_stepped(source, seed)
    original = analysed(source)
    found = original[CriticalCurrent]
    low, high = 0.1 * found.lower, 0.1 * found.upper  # A/m2 in mA/cm2
    ledger.judge(
        f"stepped, as written: critical current in {low:.2f} to {high:.2f} mA/cm2, planted "
        f"{CRITICAL}: {found.kind}",
        found.kind == "hard" and low <= CRITICAL <= high and high - low < 0.051,
    )
    current_doubled(source, folder / "doubled")
    doubled = analysed(folder / "doubled")
    judge_failure("stepped, current doubled", original, doubled, ledger)
    for field in ("lower", "value", "value_se"):
        text = f"stepped, current doubled: {field} (CriticalCurrent)"
        judge_ratio(text, found, doubled[CriticalCurrent], field, 2.0, ledger)


def write_stepped(folder: Path, seed: int) -> None:
    """Raw file and cell.toml of a cell that only a cycler saw."""
    cell = VirtualCell.draw(seed, "tiny")
    run = stepped_run(cell, critical_ma_cm2=CRITICAL)
    (folder / "raw").mkdir(parents=True)
    steps: Any = run.steps  # of the same form as the writer's own
    write_mpt(
        folder / "raw" / "stepped.mpt",
        started=run.started,
        steps=steps,
        step=run.step,
        time=run.time,
        voltage=run.voltage,
        current=run.current,
        frequency=run.frequency,
        real=run.real,
        imaginary=run.imaginary,
    )
    text = f"""\
[cell]
name = "stepped"
stack = "Li|LLZO|Li"
thickness_um = {cell.plan.thickness_um}
area_mm2 = {cell.plan.area_mm2:.6f}
plates_under_positive_current = "working"

[conditions]
lithium_thickness_um = {cell.plan.lithium_um}

[clock]
cycler = {{ zone = "{ZONE}", offset_s = 0.0 }}

[[state]]
name = "stepped"
cycling = {{ files = ["raw/stepped.mpt"] }}
"""
    (folder / "cell.toml").write_text(text, encoding="utf-8", newline="\n")


def same(one: Any, two: Any) -> bool:
    """Whether two records, or what they hold, are equal to the last bit; NaN equals NaN."""
    if type(one) is not type(two):
        return False
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(two, f.name)) for f in fields(one))
    if isinstance(one, Mapping):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two, strict=True))
    values = np.asarray(one), np.asarray(two)
    return bool(np.array_equal(*values, equal_nan=values[0].dtype.kind == "f"))


if __name__ == "__main__":
    sys.exit(main())
