"""Sentences on grains that came under unusual tension; none where chance alone can make them."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.report.tension import HotGrains, tension

LEVEL = 0.01
_FEWEST_PLACED = 3


def tension_sentences(cell: Cell) -> list[str]:
    """Counts by state and place of the new ones, where any state differs from the first."""
    found = tension(cell)
    if found is None:
        return []
    first, *later = found.states
    limit = LEVEL / len(later)
    told = [state for state in later if state.chance < limit]
    if not told:
        return []
    counts = ", ".join(f"{s.count} ± {np.sqrt(max(s.count, 1)):.0f}" for s in found.states)
    worst = min(told, key=lambda state: state.chance)
    names = ", ".join(f"“{state.state}”" for state in told)
    counted = (
        f"More grains came under tension: {counts} (Poisson, 68 %) of the grains in the "
        f"{len(found.states)} states lie more than {found.threshold:.0f} MPa above the mean of "
        "their state, a threshold that is the 99.5 % point of the first state or four standard "
        f"errors, whichever is more. In {names} they are more than chance makes of “{first.state}” "
        f"(binomial test, p = {chance_text(worst.chance)}, "
        f"{len(later)} {'states' if len(later) > 1 else 'state'} compared)."
    )
    sentences = [counted]
    if worst.newly >= _FEWEST_PLACED:
        sentences.append(_place(worst))
    return sentences


def _place(state: HotGrains) -> str:
    who = " that were not so in the first state" if state.followed else ""
    return (
        f"The {state.newly} of “{state.state}”{who} lie about "
        f"(x, y, z) = ({_numbers(state.centre)}) ± ({_numbers(state.centre_se)}) µm (68 %) and "
        f"scatter by ({_numbers(state.spread)}) µm, all grains by ({_numbers(state.body)}) µm."
    )


def _numbers(values: FloatArray) -> str:
    return ", ".join(f"{value:.0f}".replace("-", "−") for value in values + 0.0)


def chance_text(value: float) -> str:
    """A probability for a reader: two digits, or a power of ten below a thousandth."""
    if value >= 1e-3:
        return f"{value:.2g}"
    if value <= 0.0:
        return "0"
    digit, power = f"{value:.0e}".split("e")
    return f"{digit} × 10{str(int(power)).translate(_RAISED)}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
