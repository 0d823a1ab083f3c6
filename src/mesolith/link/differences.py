"""What differs between cells: each quantity of one against the other's, corrected together.

A difference between two cells is one between two pellets. What made it - conditions, powder, or
the scatter from pellet to pellet - two cells cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

from mesolith.link.findings import DIRECTION, LEVEL
from mesolith.link.mean_von_mises import mean_von_mises
from mesolith.link.spread import sample_error, true_spread
from mesolith.numerics.spatial import holm_p_values
from mesolith.records.cell import Cell
from mesolith.records.extremes import ExtremeGrains, StressExtremes
from mesolith.records.findings import Findings
from mesolith.records.grains import GrainMap
from mesolith.records.plating import CriticalCurrent
from mesolith.units import from_internal

SPREAD, EXTREMES, VON_MISES = "spread of the true stress", "extremes", "von Mises stress"
CRITICAL = "critical current"
DIFFER, INDICATED, NO_EVIDENCE, UNTOLD = "differ", "indicated", "no evidence", "cannot be told"
_SIXTY_EIGHT = 0.9944578832097532
_MANY = 1_000
_GUMBEL = float(np.pi / np.sqrt(6.0))  # standard deviation of a largest value, in mean excesses
# extremes of unlike numbers of grains do not compare: more grains, more extreme
_LIKE_COUNTS = 0.1
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Value:
    """One number of one cell with its standard error, and on how much it stands.

    ``se`` and ``freedom`` are NaN where the cell does not tell them.
    """

    value: float
    se: float
    unit: str
    grains: int
    freedom: float


@dataclass(frozen=True, slots=True)
class Difference:
    """``other`` less ``first`` in one quantity, with a 68 % interval.

    ``p`` is two-sided for the question alone (Welch); ``p_family`` is corrected for the questions
    of its subject, ``p_page`` for all (Holm). ``verdict``: "differ" (p_page below 5 %),
    "indicated" (only p_family is), "no evidence", or "cannot be told", where no error is known or
    the numbers of grains are too unlike for extremes to compare.
    """

    subject: str
    question: str
    first: str
    other: str
    of_first: Value
    of_other: Value
    difference: float
    low: float
    high: float
    p: float
    p_family: float = _NAN
    p_page: float = _NAN
    verdict: str = UNTOLD


def differences(cells: Sequence[Cell]) -> list[Difference]:
    """Every quantity that two cells both have: each other cell against the first.

    States are matched by name, and by their order where no name occurs in both.
    """
    first = cells[0]
    own = _values(first, {state.name: state.name for state in first.states})
    found = []
    for other in cells[1:]:
        theirs = _values(other, matched_names(first, other))
        for key in own:
            if key in theirs:
                found.append(_difference(key, first.name, other.name, own[key], theirs[key]))
    return _corrected(found)


def _corrected(found: Sequence[Difference]) -> list[Difference]:
    p = np.array([d.p for d in found])
    subjects = np.array([d.subject for d in found])
    family = np.full(len(found), _NAN)
    for subject in dict.fromkeys(subjects.tolist()):
        family[subjects == subject] = holm_p_values(p[subjects == subject])
    page = holm_p_values(p) if len(found) else family
    return [
        replace(d, p_family=float(f), p_page=float(w), verdict=_verdict(float(f), float(w)))
        for d, f, w in zip(found, family, page, strict=True)
    ]


def _verdict(family: float, page: float) -> str:
    if not np.isfinite(page):
        return UNTOLD
    if page < LEVEL:
        return DIFFER
    return INDICATED if family < LEVEL else NO_EVIDENCE


def _difference(
    key: tuple[str, str], first: str, other: str, own: Value, theirs: Value
) -> Difference:
    change = theirs.value - own.value
    se = float(np.hypot(own.se, theirs.se))
    parts = own.se**4 / own.freedom + theirs.se**4 / theirs.freedom
    freedom = se**4 / parts if parts > 0.0 else _NAN
    half = (float(stdtrit(freedom, 0.84)) if np.isfinite(freedom) else _SIXTY_EIGHT) * se
    p = 2.0 * float(stdtr(freedom, -abs(change) / se)) if np.isfinite(freedom) else _NAN
    if key[0] == EXTREMES:
        most = max(own.grains, theirs.grains)
        if abs(own.grains - theirs.grains) > _LIKE_COUNTS * most:
            p = _NAN
    return Difference(*key, first, other, own, theirs, change, change - half, change + half, p)


def matched_names(first: Cell, other: Cell) -> dict[str, str]:
    """What the first cell calls each of the other's states."""
    names = {state.name for state in first.states}
    shared = {state.name: state.name for state in other.states if state.name in names}
    if shared:
        return shared
    pairs = zip(other.states, first.states, strict=False)
    return {theirs.name: own.name for theirs, own in pairs}


def _values(cell: Cell, names: dict[str, str]) -> dict[tuple[str, str], Value]:
    """Quantities of a cell by subject and question, in the first cell's names of states."""
    found: dict[tuple[str, str], Value] = {}
    for state, grains in cell.having(GrainMap):
        if state.name not in names or grains.stress_hydrostatic is None:
            continue
        name = names[state.name]
        spread = true_spread(grains)
        found[SPREAD, f"{name}: standard deviation of the hydrostatic stress"] = Value(
            spread.value, spread.se, "MPa", spread.grains, max(spread.blocks - 1.0, 1.0)
        )
        if grains.stress_von_mises is not None and grains.stress is not None:
            found[VON_MISES, f"{name}: mean, net of noise"] = _mean_von_mises(state.name, grains)
    found.update(_extremes(cell, names))
    found.update(_effects(cell, names))
    if CriticalCurrent in cell:
        record = cell[CriticalCurrent]
        value, se = (float(from_internal(x, "mA/cm2")) for x in (record.value, record.value_se))
        found[CRITICAL, "critical current density"] = Value(value, se, "mA/cm2", 0, _MANY)
    return found


def _mean_von_mises(state: str, grains: GrainMap) -> Value:
    """The mean with the error of a sample, to which the noise of the grains belongs.

    The scatter of the grains, each with its own bias taken off, holds their noise; what the
    deconvolution adds to that is added.
    """
    found = mean_von_mises(grains, state=state)
    known = np.isfinite(np.asarray(grains.stress_von_mises))
    parts = found.weight * (found.net - found.weight @ found.net)
    error, blocks = sample_error(parts, grains.position[known], grains.radius[known])
    held = float(found.weight**2 @ found.along**2)
    added = max(found.noise**2 - held, 0.0)
    se = float(np.sqrt(error**2 + added + found.common**2))
    return Value(found.mean, se, "MPa", found.grains, max(blocks - 1.0, 1.0))


def _extremes(cell: Cell, names: dict[str, str]) -> Iterator[tuple[tuple[str, str], Value]]:
    """Extremes with the error of a sample: another pellet of the kind has other grains.

    The interval in the record is about the very grains that were found. The largest of many
    scatters by 1.28 mean excesses (Gumbel), which the next highest grains tell.
    """
    if StressExtremes not in cell:
        return
    record = cell[StressExtremes]
    for state, own in zip(record.state, record.extremes, strict=True):
        if state not in names:
            continue
        for end in ("highest", "lowest"):
            low, high = getattr(own, f"{end}_low"), getattr(own, f"{end}_high")
            se = float(np.hypot((high - low) / (2.0 * _SIXTY_EIGHT), _sampling(own, end)))
            question = f"{names[state]}: {end} true hydrostatic stress"
            yield (EXTREMES, question), Value(getattr(own, end), se, "MPa", own.grains, _MANY)


def _sampling(own: ExtremeGrains, end: str) -> float:
    half = len(own.estimate) // 2
    ranked = own.estimate[:half] if end == "highest" else -own.estimate[half:]
    return _GUMBEL * float(np.mean(ranked[:-1] - ranked[-1])) if half > 1 else _NAN


def _effects(cell: Cell, names: dict[str, str]) -> Iterator[tuple[tuple[str, str], Value]]:
    """Effect sizes of the cell's findings; half an interval is taken for one standard error.

    Where few units are independent that is more than one, so the test errs on the safe side.
    """
    if Findings not in cell:
        return
    record = cell[Findings]
    for k, (subject, question) in enumerate(zip(record.subject, record.question, strict=True)):
        se = float(record.high[k] - record.low[k]) / (2.0 * _SIXTY_EIGHT)
        freedom = float(record.independent[k]) - (2.0 if subject == DIRECTION else 1.0)
        # an error of none is no error
        if not se > 0.0:
            freedom = _NAN
        yield (
            (subject, _renamed(question, names)),
            Value(
                float(record.estimate[k]),
                se if se > 0.0 else _NAN,
                record.unit[k],
                int(record.grains[k]),
                max(freedom, 1.0) if np.isfinite(freedom) else _NAN,
            ),
        )


def _renamed(question: str, names: dict[str, str]) -> str:
    """The question with the other cell's names of states replaced, longest first."""
    changed = {a: b for a, b in names.items() if a != b}
    for k, theirs in enumerate(sorted(changed, key=len, reverse=True)):
        question = question.replace(theirs, f"\0{k}\0")
    for k, theirs in enumerate(sorted(changed, key=len, reverse=True)):
        question = question.replace(f"\0{k}\0", changed[theirs])
    return question
