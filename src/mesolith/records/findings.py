"""Every question that was put to a cell's grains, with its answer: one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity

FOUND, INDICATED, NOT_FOUND, UNTOLD = "found", "indicated", "not found", "cannot be told"


@dataclass(frozen=True, slots=True)
class Findings(Record):
    """Questions of all statistics of one cell, one row each.

    ``estimate`` with ``low`` and ``high`` (68 %) is in ``unit``. ``p`` stands for the question
    alone, ``p_family`` is corrected for the questions of its subject, ``p_report`` for all rows
    of this table (Holm). ``verdict``: "found" (p_report below 5 %), "indicated" (only p_family
    is), "not found", or "cannot be told", where so few independent units cannot give 5 %
    however large the effect. ``detectable`` is the size seen with a power of 80 %, NaN where not
    computed.
    """

    plot: ClassVar[tuple[str, str] | None] = None

    subject: tuple[str, ...] = quantity("subject", shape=("question",), dtype="str")
    question: tuple[str, ...] = quantity("question", shape=("question",), dtype="str")
    estimate: FloatArray = quantity("estimate", shape=("question",))
    low: FloatArray = quantity("lower end of the 68 % interval", shape=("question",))
    high: FloatArray = quantity("upper end of the 68 % interval", shape=("question",))
    unit: tuple[str, ...] = quantity("unit of the estimate", shape=("question",), dtype="str")
    detectable: FloatArray = quantity("size seen with a power of 80 %", shape=("question",))
    grains: IntArray = quantity("grains it stands on", shape=("question",), dtype="int64")
    independent: IntArray = quantity(
        "units that count as independent: blocks of grains, or transitions",
        shape=("question",),
        dtype="int64",
    )
    p: FloatArray = quantity("p-value", shape=("question",))
    p_family: FloatArray = quantity("p-value, corrected within its subject", shape=("question",))
    p_report: FloatArray = quantity("p-value, corrected for the whole table", shape=("question",))
    verdict: tuple[str, ...] = quantity("verdict", shape=("question",), dtype="str")

    def rows(self, subject: str) -> list[int]:
        """Rows of one subject."""
        return [int(k) for k in np.flatnonzero([own == subject for own in self.subject])]

    def answer(self, subject: str, question: str) -> str:
        """Verdict on one question; "not asked" where the table lacks it."""
        for own, asked, verdict in zip(self.subject, self.question, self.verdict, strict=True):
            if (own, asked) == (subject, question):
                return verdict
        return "not asked"
