"""The story of a cell in sentences, each with its numbers and their intervals."""

from __future__ import annotations

from itertools import pairwise
from statistics import NormalDist

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference
from mesolith.records.tracking import Tracking
from mesolith.report.charge import charge_in_words, charges_of
from mesolith.report.failure import charge_after, first_collapse, impedance_change
from mesolith.report.state_stress import StateStress, mean_change, state_stresses
from mesolith.report.story_cycling import capacity_sentences, cycling_sentences
from mesolith.report.story_findings import findings_sentences
from mesolith.report.story_tension import LEVEL, chance_text, tension_sentences

_MOST_STRESSED = 0.01
_FALLEN = 0.5
# an error of a detector's distance that a remount makes, and the distance, in metres
_OFF, _AWAY = 50e-6, 2.2


def story(cell: Cell) -> list[str]:
    """What happened, in order: grains, stress, charge; only what the records hold."""
    sentences = []
    stresses = state_stresses(cell)
    grains = [(state.name, len(found)) for state, found in cell.having(GrainMap)]
    if grains:
        low, high = min(n for _, n in grains), max(n for _, n in grains)
        count = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        sentences.append(
            f"{count} grains were found in {_plural(len(grains), 'state')}{_tracked(cell)}."
        )
    if len(stresses) > 1:
        sentences += [_mean_sentence(cell, stresses), _extremes_sentence(stresses)]
        sentences += tension_sentences(cell)
    elif stresses:
        only = stresses[0]
        sentences.append(
            f"The mean hydrostatic stress is {_signed(only.mean)} ± {only.mean_se:.1f} MPa (68 %)."
        )
    phase = _phase_sentence(cell)
    if phase:
        sentences.append(phase)
    sentences += findings_sentences(cell)
    if not grains:
        sentences += cycling_sentences(cell)
    return sentences + _charge_sentences(cell) + capacity_sentences(cell)


def _charge_sentences(cell: Cell) -> list[str]:
    charges = charges_of(cell)
    if charges is None:
        return []
    net, passed = (charges.text(values[-1]) for values in (charges.net, charges.passed))
    sentence = (
        f"{passed} {charges.unit} passed in all, counting both directions; the net charge at "
        f"the end is {net} {charges.unit}, plating positive."
    )
    collapse = first_collapse(cell)
    after = None if collapse is None else charge_after(cell, collapse)
    if after:
        sentence += (
            f" Of it, {charge_in_words(cell, after)} passed after the voltage had collapsed and "
            "is probably not lithium, so the net charge of lithium is uncertain by as much."
        )
    return [sentence]


def failure(cell: Cell) -> list[str]:
    """When the cell failed and what tells it; one honest sentence where nothing does."""
    if not any(Cycling in state for state in cell.states):
        return ["No cycler record is given, so nothing here can tell whether the cell failed."]
    if not failed(cell):
        return ["The cycler's records show no collapse of the voltage under current."]
    collapse, change = first_collapse(cell), impedance_change(cell)
    sentences = []
    if collapse is not None:
        sentences.append(
            f"The cell failed in the half cycle before “{collapse.state}”, "
            f"{collapse.hours:.2f} h after it began ({charge_in_words(cell, collapse.charge)} "
            f"into it): under the same current the voltage fell from "
            f"{collapse.before * 1e3:.0f} to {collapse.after * 1e3:.1f} mV and stayed there. That "
            "is the mark of an electronic short."
        )
    if change is not None and change.last < _FALLEN * change.first:
        sentences.append(
            f"The impedance {'agrees' if collapse else 'points to a short'}: its largest real "
            f"part is {change.first:,.0f} Ω in “{change.first_state}” and {change.last:,.0f} Ω in "
            f"“{change.last_state}”."
        )
    elif change is not None:
        sentences.append(
            f"The impedance does not confirm it: its largest real part went from "
            f"{change.first:,.0f} to {change.last:,.0f} Ω."
        )
    if any(GrainMap in state for state in cell.states):
        sentences.append(
            "Where in the pellet: grain stresses and voltages alone cannot show the path of the "
            "lithium. Grains that carry the largest stress are candidates, no more; the 3-D view "
            "shows them."
        )
    return sentences


def failed(cell: Cell) -> bool:
    """Whether the voltage collapsed under current, or the impedance fell below half."""
    change = impedance_change(cell)
    fallen = change is not None and change.last < _FALLEN * change.first
    return fallen or first_collapse(cell) is not None


def _mean_sentence(cell: Cell, stresses: list[StateStress]) -> str:
    if Reference in cell and cell[Reference].mode == "state":
        return (
            "Each state has a strain-free reference of its own, so the mean stresses are equal "
            "by construction and no result."
        )
    changes = [(mean_change(cell, a, b), a, b) for a, b in pairwise(stresses)]
    (change, error), before, after = max(changes, key=lambda entry: abs(entry[0][0]))
    low, high = min(s.mean for s in stresses), max(s.mean for s in stresses)
    return (
        f"The mean hydrostatic stress lies between {_signed(low)} and {_signed(high)} MPa; its "
        f"largest change is {_signed(change)} ± {error:.1f} MPa (68 %), from “{before.state}” "
        f"to “{after.state}”, {_verdict(cell, before, after, len(changes))}."
    )


def _verdict(cell: Cell, before: StateStress, after: StateStress, compared: int) -> str:
    """Whether errors alone would make the largest of so many changes as large, at 1 %.

    The level is that at which `link.balance` tells a drift, so that one page says one thing.
    Equilibrium lets the mean over the body change with the stack pressure and with nothing else,
    so that anything beyond is no load on the grains.
    """
    change, error = mean_change(cell, before, after)
    limit = NormalDist().inv_cdf(1.0 - 0.005 / compared)
    if abs(change) < limit * error:
        return (
            f"which the errors alone can make: no evidence of a change. {_distance(cell, before)}"
            "equilibrium allows none under a constant load"
        )
    more = f"more than the errors alone make (99 %, largest of {compared} changes)"
    if Reference not in cell:
        return more
    reference = cell[Reference]
    rows = [reference.row(before.state), reference.row(after.state)]
    low, high = np.trace(reference.target[rows], axis1=1, axis2=2) / 3.0
    allowed = float(high - low)
    unseen = float(np.sum(reference.mean_sampling_variance[rows]))
    if abs(change - allowed) < limit * float(np.hypot(error, np.sqrt(unseen))):
        cause = "the stack pressure" if abs(allowed) > error else "which grains were found"
        return f"{more}, and no more than {cause} explains"
    given = "the stack pressures given" if reference.pressure_source == "given" else "no pressure"
    return (
        f"{more}. Equilibrium under {given} allows {_signed(allowed)} MPa, so that what is left is "
        "no load but a drift of distance, energy or temperature, or errors larger than stated"
    )


def _extremes_sentence(stresses: list[StateStress]) -> str:
    """Widths between the extremes of the grains found, and whether noise alone makes them differ.

    Their errors are those of the noise, which is independent between states.
    """
    widths, errors = np.array([s.width for s in stresses]).T
    listed = ", ".join(f"{w:.0f} ± {e:.0f}" for w, e in zip(widths, errors, strict=True))
    sentence = (
        f"Between the 0.5 and the 99.5 % points, net of noise, lie {listed} MPa (68 %) in the "
        f"{len(widths)} states"
    )
    if np.any(errors <= 0.0):
        return f"{sentence}; too few grains tell whether they differ."
    from scipy.stats import chi2

    middle = np.sum(widths / errors**2) / np.sum(1.0 / errors**2)
    square = float(np.sum(((widths - middle) / errors) ** 2))
    chance = float(chi2.sf(square, len(widths) - 1))
    told = f"χ² = {square:.1f} for {len(widths) - 1} degrees of freedom, p = {chance_text(chance)}"
    if chance < LEVEL:
        return f"{sentence}: the extremes change by more than noise ({told})."
    return f"{sentence}: no evidence that the extremes change ({told})."


def _distance(cell: Cell, state: StateStress) -> str:
    """What a detector distance off by 50 um makes of the mean stress, as the start of a clause."""
    if Reference not in cell:
        return "And "
    reference = cell[Reference]
    made = float(reference.stiffness_bulk[reference.row(state.state)]) * _OFF / _AWAY
    return f"A detector distance off by 50 µm (of {_AWAY:.1f} m) would make {made:.0f} MPa, and "


def _tracked(cell: Cell) -> str:
    states = [(state, grains) for state, grains in cell.having(GrainMap)]
    shares = []
    for (before, grains), (_, later) in pairwise(states):
        tracking = cell.pair(before.index, Tracking)
        if tracking is not None and len(grains):
            shares.append(len(tracking.before) / min(len(grains), max(len(later), 1)))
    if not shares:
        return ""
    low, high = 100.0 * min(shares), 100.0 * max(shares)
    first, last = f"{low:.0f}", f"{high:.0f}"
    text = first if first == last else f"{first} to {last}"
    return f"; {text} % of them were followed from each state to the next"


def _phase_sentence(cell: Cell) -> str | None:
    """Whether a minority phase is common among the most stressed grains of the last state."""
    found = [g for _, g in cell.having(GrainMap) if g.stress_hydrostatic is not None]
    if not found or len(np.unique(found[-1].phase)) < 2:
        return None
    grains = found[-1]
    stress = np.abs(np.nan_to_num(np.asarray(grains.stress_hydrostatic)))
    top = np.argsort(-stress, kind="stable")[: max(1, round(_MOST_STRESSED * len(grains)))]
    counts = np.bincount(grains.phase, minlength=len(grains.phases.name))
    minority = int(np.argmin(np.where(counts > 0, counts, counts.max() + 1)))
    hits = int(np.sum(grains.phase[top] == minority))
    share = 100.0 * counts[minority] / len(grains)
    return (
        f"Of the {len(top)} grains with the largest |hydrostatic stress| in the last state, {hits} "
        f"were reduced as {grains.phases.name[minority]}, a phase that makes up {share:.1f} % of "
        "all grains. A wrong strain-free lattice for that phase would look the same."
    )


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
