"""Step link.findings: every statistical question of a cell in one table, corrected together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mesolith.io.record_file import read_record, write_record
from mesolith.numerics.spatial import holm_p_values
from mesolith.pipeline.work import Work
from mesolith.records.findings import FOUND, INDICATED, NOT_FOUND, UNTOLD, Findings
from mesolith.records.hotspots import HotSpots
from mesolith.records.pathways import Pathways
from mesolith.records.space import SpatialPattern, SpatialStatistics
from mesolith.records.transitions import DirectionSeparation, Transitions

TREND, CLUSTERING, SPOTS = "trend", "clustering", "hot and cold spots"
DIRECTION, RELAXATION = "direction of the current", "pathways"
LEVEL = 0.05
_SEEN = 1.959963984540054 + 0.8416212335729143  # 5 % two-sided with a power of 80 %
_SIXTY_EIGHT = 0.9944578832097532
_WORDS = {"hydrostatic": "hydrostatic stress", "von_mises": "von Mises stress"}
_MEASURED, _REMOVED = ", as measured", ", mean removed"


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of the table before the corrections; ``least`` is the smallest p that could be."""

    subject: str
    question: str
    estimate: float
    low: float
    high: float
    unit: str
    grains: int
    independent: int
    p: float
    detectable: float = float("nan")
    least: float = 0.0


def compute(work: Work) -> None:
    """Findings of the cell."""
    space = read_record(work.source("link.space").record_file, SpatialStatistics)
    spots = read_record(work.source("link.hotspots").record_file, HotSpots)
    pathways = read_record(work.source("link.pathways").record_file, Pathways)
    transitions = read_record(work.source("link.transitions").record_file, Transitions)
    answers = [
        *(row for pattern in space.patterns for row in _pattern_rows(pattern)),
        *_spot_rows(spots),
        *(row for found in transitions.separation for row in _direction_rows(found)),
        *_pathway_rows(pathways),
    ]
    write_record(work.folder / "record.h5", findings_from_answers(answers))


def findings_from_answers(answers: list[Answer]) -> Findings:
    """The table with p-values corrected within each subject and over all (Holm), and verdicts."""
    p = np.array([answer.p for answer in answers])
    subjects = np.array([answer.subject for answer in answers])
    family = np.ones(len(answers))
    for subject in dict.fromkeys(subjects.tolist()):
        own = subjects == subject
        family[own] = holm_p_values(p[own])
    whole = holm_p_values(p) if len(answers) else family
    return Findings(
        subject=tuple(answer.subject for answer in answers),
        question=tuple(answer.question for answer in answers),
        estimate=np.array([answer.estimate for answer in answers]),
        low=np.array([answer.low for answer in answers]),
        high=np.array([answer.high for answer in answers]),
        unit=tuple(answer.unit for answer in answers),
        detectable=np.array([answer.detectable for answer in answers]),
        grains=np.array([answer.grains for answer in answers], dtype=np.int64),
        independent=np.array([answer.independent for answer in answers], dtype=np.int64),
        p=p,
        p_family=family,
        p_report=whole,
        verdict=tuple(
            _verdict(answer, int(np.sum(subjects == answer.subject)), in_family, over_all)
            for answer, in_family, over_all in zip(answers, family, whole, strict=True)
        ),
    )


def _verdict(answer: Answer, asked: int, family: float, whole: float) -> str:
    """Verdict on one of so many questions of a subject."""
    if whole < LEVEL:
        return FOUND
    if family < LEVEL:
        return INDICATED
    # Holm multiplies the smallest p by the number of questions
    blind = answer.least * asked >= LEVEL or not np.isfinite(answer.p)
    return UNTOLD if blind else NOT_FOUND


def _pattern_rows(pattern: SpatialPattern) -> Iterator[Answer]:
    """A trend row and a clustering row for each field; the trend's slope is that along z."""
    stress = _WORDS[pattern.quantity]
    for k, field in enumerate(pattern.field):
        # the slope in MPa a millimetre: a pellet is about one high
        slope, error = 1e3 * pattern.trend[k, 2], 1e3 * pattern.trend_se[k, 2]
        yield Answer(
            TREND,
            f"{stress}, {field}: slope along z (p: any direction)",
            *_around(slope, error),
            unit="MPa/mm",
            grains=pattern.grains,
            independent=int(pattern.independent[k]),
            p=float(pattern.trend_p[k]),
            detectable=1e3 * float(pattern.trend_detectable[k]),
        )
        yield Answer(
            CLUSTERING,
            f"{stress}, {field}: Moran's index of neighbours",
            *_around(pattern.moran[k], pattern.moran_se[k]),
            unit="1",
            grains=pattern.grains,
            independent=int(pattern.independent[k]),
            p=float(pattern.moran_p[k]),
            detectable=float(pattern.moran_detectable[k]),
        )


def _spot_rows(spots: HotSpots) -> Iterator[Answer]:
    asked: set[tuple[str, str]] = set()
    for changes in spots.changes:
        stress = _WORDS[changes.quantity]
        for k, question in enumerate(changes.question):
            # both ways of choosing ask of the first transition: it counts once
            if (stress, question) in asked:
                continue
            asked.add((stress, question))
            yield Answer(
                SPOTS,
                f"{stress}, chosen {changes.chosen}, {question}: change against the pellet",
                float(changes.change[k]),
                float(changes.low[k]),
                float(changes.high[k]),
                unit="MPa",
                grains=int(changes.grains[k]),
                independent=int(changes.independent[k]),
                p=float(changes.p[k]),
                detectable=_SEEN * float(changes.change_se[k]),
                least=float(changes.least[k]),
            )


def _direction_rows(found: DirectionSeparation) -> Iterator[Answer]:
    """One row for each set of spots and stress: a finding survives the removal of the mean."""
    for k, question in enumerate(found.question):
        if not question.endswith(_REMOVED):
            continue
        name = question.removesuffix(_REMOVED)
        measured = found.question.index(name + _MEASURED)
        yield Answer(
            DIRECTION,
            f"{name.replace('von_mises', 'von Mises')}: change under direction 1 less direction 2",
            float(found.effect[k]),
            float(found.low[k]),
            float(found.high[k]),
            unit="MPa",
            grains=found.grains,
            independent=found.transitions,
            p=float(max(found.p[k], found.p[measured])),
            least=found.least,
        )


def _pathway_rows(pathways: Pathways) -> Iterator[Answer]:
    for found in pathways.rules:
        rule = {"grain": "to a minimum", "cluster": "to a mutual pair"}[found.rule]
        for k, group in enumerate(found.group):
            yield Answer(
                RELAXATION,
                f"{rule}, {group}: relaxation along z beyond that of the starts",
                *_around(found.group_excess[k], found.group_se[k]),
                unit="1",
                grains=found.grains,
                independent=int(found.group_independent[k]),
                p=float(found.group_p[k]),
                detectable=_SEEN * float(found.group_se[k]),
            )
        if np.isfinite(found.direction_p):
            nan = float("nan")
            yield Answer(
                RELAXATION,
                f"{rule}: direction 1 less direction 2",
                found.direction_effect,
                nan,
                nan,
                unit="1",
                grains=found.grains,
                independent=int(np.count_nonzero(found.direction)),
                p=found.direction_p,
                least=found.direction_least,
            )


def _around(estimate: float, error: float) -> tuple[float, float, float]:
    """Estimate with the ends of its 68 % interval."""
    half = _SIXTY_EIGHT * float(error)
    return float(estimate), float(estimate) - half, float(estimate) + half
