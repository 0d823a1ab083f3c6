"""The table of findings: corrections by hand, and what each verdict needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.io.record_file import read_record, write_record
from mesolith.link.findings import Answer, compute, findings_from_answers
from mesolith.link.hotspots import spot_changes
from mesolith.link.pathways import stress_pathways
from mesolith.link.space import spatial_pattern
from mesolith.link.transitions import direction_separation
from mesolith.pipeline.work import Source, Work
from mesolith.records.field import Record
from mesolith.records.findings import FOUND, INDICATED, NOT_FOUND, UNTOLD, Findings
from mesolith.records.hotspots import HotSpots
from mesolith.records.pathways import Pathways
from mesolith.records.space import SpatialStatistics
from mesolith.records.transitions import Transitions
from tests.link.followed import followed, lattice_positions


def _answer(subject: str, number: int, p: float, least: float = 0.0) -> Answer:
    return Answer(subject, f"question {number}", 1.0, 0.5, 1.5, "MPa", 100, 20, p, least=least)


TABLE = [
    _answer("trend", 1, 0.004),
    _answer("trend", 2, 0.03),
    _answer("clustering", 1, 0.02),
    _answer("clustering", 2, 0.5),
    _answer("direction", 1, 0.33, least=1 / 3),
]


def test_holm_within_each_subject_and_over_all_by_hand() -> None:
    found = findings_from_answers(TABLE)
    # trend: 2 x 0.004, then 1 x 0.03; clustering: 2 x 0.02, then 0.5; direction: alone
    assert found.p_family == pytest.approx([0.008, 0.03, 0.04, 0.5, 0.33])
    # all five: 5 x 0.004, 4 x 0.02, 3 x 0.03, 2 x 0.33, and 0.5 raised to the one before
    assert found.p_report == pytest.approx([0.02, 0.09, 0.08, 0.66, 0.66])


def test_a_verdict_for_each_case() -> None:
    found = findings_from_answers(TABLE)
    assert found.verdict == (FOUND, INDICATED, INDICATED, NOT_FOUND, UNTOLD)
    assert found.answer("trend", "question 2") == INDICATED
    assert found.answer("trend", "question 9") == "not asked"
    assert found.rows("clustering") == [2, 3]


def test_what_cannot_reach_five_percent_is_not_called_absent() -> None:
    least = 1.0 / 3.0  # two transitions of either direction
    cannot, could = (
        findings_from_answers([_answer("direction", 1, 1.0, least=value)]).verdict[0]
        for value in (least, 0.01)
    )
    assert (cannot, could) == (UNTOLD, NOT_FOUND)


def test_an_empty_table_is_a_table() -> None:
    found = findings_from_answers([])
    assert found.question == ()
    assert found.p_report.shape == (0,)


@pytest.fixture(scope="module")
def step(tmp_path_factory: pytest.TempPathFactory) -> tuple[Findings, dict[str, Record]]:
    """The step on records of a made-up cell with a trend along z."""
    rng = np.random.default_rng(4)
    position = lattice_positions(rng)
    truth = np.tile(0.3 * position[:, 2:] + 10.0 * rng.standard_normal((700, 1)), 5)
    grains = followed(rng, position, truth)
    records: dict[str, Record] = {
        "link.space": SpatialStatistics(patterns=(spatial_pattern(grains, permutations=4000),)),
        "link.hotspots": HotSpots(changes=(spot_changes(grains),)),
        "link.pathways": Pathways((stress_pathways(grains, paths=20, permutations=200),)),
        "link.transitions": Transitions((direction_separation(grains),)),
    }
    root = tmp_path_factory.mktemp("findings")
    inputs = {}
    for name, record in records.items():
        folder = root / name
        folder.mkdir()
        write_record(folder / "record.h5", record)
        inputs[name] = (Source("cell", folder),)
    compute(Work("link.findings", "cell", settings={}, inputs=inputs, folder=root, seed=0))
    return read_record(root / "record.h5", Findings), records


def test_every_question_of_every_record_stands_in_the_table(
    step: tuple[Findings, dict[str, Record]],
) -> None:
    found, records = step
    (pattern,) = records["link.space"].patterns  # type: ignore[attr-defined]
    (changes,) = records["link.hotspots"].changes  # type: ignore[attr-defined]
    (paths,) = records["link.pathways"].rules  # type: ignore[attr-defined]
    asked = {subject: len(found.rows(subject)) for subject in dict.fromkeys(found.subject)}
    assert asked["trend"] == asked["clustering"] == len(pattern.field)
    assert asked["hot and cold spots"] == len(changes.question)
    assert asked["direction of the current"] == 6
    assert asked["pathways"] == len(paths.group) + 1
    slope = [found.estimate[k] for k in found.rows("trend")]
    assert slope == pytest.approx(1e3 * pattern.trend[:, 2])
    assert all(found.verdict[k] == FOUND for k in found.rows("trend")[:5])


def test_a_direction_must_survive_with_and_without_the_mean(
    step: tuple[Findings, dict[str, Record]],
) -> None:
    found, records = step
    (separation,) = records["link.transitions"].separation  # type: ignore[attr-defined]
    for k in found.rows("direction of the current"):
        name = found.question[k].partition(":")[0].replace("von Mises", "von_mises")
        pair = [separation.question.index(f"{name}, {w}") for w in ("as measured", "mean removed")]
        assert found.p[k] == separation.p[pair].max()
        # four transitions cannot reach 5 %, whatever the effect
        assert found.verdict[k] == UNTOLD


def test_intervals_of_the_table_are_those_of_68_percent() -> None:
    answer = replace(TABLE[0], low=0.0, high=2.0)
    found = findings_from_answers([answer])
    assert (found.low[0], found.estimate[0], found.high[0]) == (0.0, 1.0, 2.0)
