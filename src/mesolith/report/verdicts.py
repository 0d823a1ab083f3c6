"""What a page may say of an answer in the table of findings."""

from __future__ import annotations

from mesolith.records.findings import NOT_FOUND, UNTOLD, Findings
from mesolith.report.intervals import has_interval


def interval_known(findings: Findings, row: int) -> bool:
    """Whether the estimate of a row has an interval."""
    low, high = float(findings.low[row]), float(findings.high[row])
    return has_interval(low, high, float(findings.estimate[row]))


def verdict_of(findings: Findings, row: int) -> str:
    """The verdict, but "cannot be told" where nothing could have been found.

    Grains that are all alike make one independent block: its signs turned give p = 1 and no
    interval, whatever the effect.
    """
    verdict = findings.verdict[row]
    blind = findings.p[row] >= 1.0 and not interval_known(findings, row)
    return UNTOLD if verdict == NOT_FOUND and blind else verdict


def doubtful(findings: Findings, row: int) -> bool:
    """Whether an answer is never to be told as a finding: cold spots of von Mises stress.

    That stress is never negative, so that noise on a small one is neither normal nor centred,
    as the correction for regression to the mean takes it to be.
    """
    question = findings.question[row]
    return question.startswith("von Mises stress, chosen") and ", cold: " in question
