"""Sentences on what the questions to the grains found, what they indicate, and what is open."""

from __future__ import annotations

from collections import Counter

from mesolith.records.cell import Cell
from mesolith.records.findings import FOUND, INDICATED, NOT_FOUND, UNTOLD, Findings
from mesolith.report.intervals import interval_known
from mesolith.report.lettering import chance, thousands

_EXAMPLES = 2


def findings_sentences(cell: Cell) -> list[str]:
    """At most three sentences; none where nothing was asked."""
    if Findings not in cell or not len(cell[Findings].question):
        return []
    findings = cell[Findings]
    return [
        _found_sentence(findings),
        *_indicated_sentence(findings),
        *_open_sentence(findings),
    ]


def _rows(findings: Findings, verdict: str) -> list[int]:
    """Rows of a verdict, the surest first."""
    rows = [k for k, own in enumerate(findings.verdict) if own == verdict]
    return sorted(
        rows, key=lambda k: (findings.p_report[k], findings.p_family[k], -_size(findings, k))
    )


def _size(findings: Findings, row: int) -> float:
    """Estimate in half widths of its interval, 0 without one: what tells equal p apart."""
    if not interval_known(findings, row):
        return 0.0
    width = float(findings.high[row] - findings.low[row])
    return 2.0 * abs(float(findings.estimate[row])) / width


def _found_sentence(findings: Findings) -> str:
    count = len(findings.question)
    grains = thousands(findings.grains.max())
    rows = _rows(findings, FOUND)
    asked = f"Of {count} question{'' if count == 1 else 's'} put to {grains} followed grains"
    if not rows:
        return f"{asked}, none is answered beyond chance at 5 %, corrected for all {count}."
    return (
        f"{asked}, {len(rows)} "
        f"{'is' if len(rows) == 1 else 'are'} answered beyond chance (5 %, corrected for all "
        f"{count}): {_counts(findings, rows)}. {_examples(findings, rows)}."
    )


def _indicated_sentence(findings: Findings) -> list[str]:
    rows = _rows(findings, INDICATED)
    if not rows:
        return []
    verb = "is" if len(rows) == 1 else "are"
    text = (
        f"{len(rows)} more {verb} only indicated (below 5 % within the subject, not over all): "
        f"{_counts(findings, rows)}. {_examples(findings, rows)}."
    )
    return [text]


def _open_sentence(findings: Findings) -> list[str]:
    nothing, untold = _rows(findings, NOT_FOUND), _rows(findings, UNTOLD)
    parts = []
    if nothing:
        parts.append(f"in {len(nothing)} nothing is found, and nothing is claimed of them")
    if untold:
        parts.append(
            f"{len(untold)} cannot be told, however large the effect: too few parts of the pellet "
            f"or transitions are independent ({_counts(findings, untold)})"
        )
    text = "; ".join(parts)
    return [f"{text[0].upper()}{text[1:]}."] if parts else []


def _counts(findings: Findings, rows: list[int]) -> str:
    """ "trend 3, pathways 1"."""
    counted = Counter(findings.subject[k] for k in rows)
    return ", ".join(f"{subject} {count}" for subject, count in counted.items())


def _examples(findings: Findings, rows: list[int]) -> str:
    """The surest answer of some subjects, each with estimate, interval, grains and p."""
    best: dict[str, int] = {}
    for k in rows:
        best.setdefault(findings.subject[k], k)
    chosen = list(best.values())[:_EXAMPLES]
    return "Most surely: " + "; ".join(_told(findings, k) for k in chosen)


def _told(findings: Findings, row: int) -> str:
    unit = "" if findings.unit[row] == "1" else f" {findings.unit[row]}"
    low, high = float(findings.low[row]), float(findings.high[row])
    estimate = float(findings.estimate[row])
    interval = (
        f"68 %: {_number(low)} to {_number(high)}"
        if interval_known(findings, row)
        else "no interval"
    )
    p = chance(float(findings.p_report[row]))
    if findings.verdict[row] == INDICATED:
        p = f"{chance(float(findings.p_family[row]))} within the subject, {p} over all"
    return (
        f"{findings.question[row]} {_number(estimate)}{unit} ({interval}; "
        f"{findings.grains[row]:,} grains; {p})"
    )


def _number(value: float) -> str:
    """Three digits, without a power of ten where a table would print none."""
    text = f"{value:.3g}" if 1e-4 <= abs(value) < 1e4 else f"{value:.0f}"
    return text.replace("-", "−")
