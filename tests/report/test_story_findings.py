"""Sentences on findings: what is claimed, what is only indicated, and what is left open."""

from __future__ import annotations

import pytest

from mesolith.link.findings import Answer, findings_from_answers
from mesolith.records.cell import Cell
from mesolith.records.findings import Findings
from mesolith.report.intervals import interval_known
from mesolith.report.story import story
from mesolith.report.story_findings import findings_sentences

NAN = float("nan")


def answer(
    subject: str, question: str, p: float, *, half: float = 2.0, least: float = 0.0
) -> Answer:
    return Answer(
        subject,
        question,
        -10.0,
        -10.0 - half,
        -10.0 + half,
        unit="MPa",
        grains=1234,
        independent=20,
        p=p,
        least=least,
    )


def cell_of(*answers: Answer) -> Cell:
    findings = findings_from_answers(list(answers))
    return Cell("asked", {}, (), {Findings: lambda: findings})


def test_nothing_asked_nothing_said() -> None:
    assert findings_sentences(Cell("empty", {}, ())) == []
    assert findings_sentences(cell_of()) == []


def test_a_finding_is_told_with_estimate_interval_grains_and_corrected_p() -> None:
    cell = cell_of(answer("trend", "slope", 1e-3), answer("pathways", "relaxation", 0.4))
    found, left_open = findings_sentences(cell)
    assert "Of 2 questions put to 1,234 followed grains, 1 is answered beyond chance" in found
    assert "slope −10 MPa (68 %: −12 to −8; 1,234 grains; p = 0.002)" in found
    assert "relaxation" not in found
    assert left_open == "In 1 nothing is found, and nothing is claimed of them."


def test_what_holds_within_its_subject_alone_is_only_indicated() -> None:
    others = [answer("spots", f"question {k}", 0.9) for k in range(9)]
    sentences = findings_sentences(cell_of(answer("trend", "slope", 0.01), *others))
    assert sentences[0].startswith("Of 10 questions put to 1,234 followed grains, none is")
    assert sentences[1].startswith("1 more is only indicated")
    assert "slope −10 MPa" in sentences[1]
    assert "p = 0.01 within the subject, p = 0.1 over all" in sentences[1]
    assert "In 9 nothing is found" in sentences[2]


def test_of_equal_p_the_largest_against_its_interval_is_the_example() -> None:
    rows = [
        answer("trend", f"slope {k}", 1e-4, half=half) for k, half in enumerate((NAN, 2.0, 0.5))
    ]
    (found,) = findings_sentences(cell_of(*rows))
    assert "Most surely: slope 2 −10 MPa (68 %: −10.5 to −9.5;" in found


def test_where_nothing_is_found_nothing_is_claimed() -> None:
    sentences = findings_sentences(cell_of(*(answer("trend", f"slope {k}", 0.5) for k in range(4))))
    assert len(sentences) == 2
    assert sentences[0] == (
        "Of 4 questions put to 1,234 followed grains, none is answered beyond chance at 5 %, "
        "corrected for all 4."
    )
    assert "−10" not in " ".join(sentences)


def test_what_could_not_have_been_found_cannot_be_told() -> None:
    few = answer("direction of the current", "separation", 0.33, least=0.33)
    blind = answer("trend", "slope", NAN, half=NAN)
    sentences = findings_sentences(cell_of(few, blind))
    assert "2 cannot be told" in sentences[-1]
    assert "direction of the current 1, trend 1" in sentences[-1]
    assert "nothing is found" not in sentences[-1]


@pytest.mark.parametrize(
    ("p", "half", "expected"),
    [
        (NAN, NAN, "cannot be told"),
        (1.0, 2.0, "not found"),
        (0.4, NAN, "not found"),
        (1e-4, NAN, "found"),
    ],
)
def test_without_a_p_value_nothing_can_be_told(p: float, half: float, expected: str) -> None:
    findings = findings_from_answers([answer("trend", "slope", p, half=half)])
    assert findings.verdict[0] == expected
    assert interval_known(findings, 0) == (half > 0.0)


def test_the_story_holds_the_sentences(cell: Cell) -> None:
    sentences = findings_sentences(cell)
    assert 1 <= len(sentences) <= 3
    told = story(cell)
    assert [text for text in told if text in sentences] == sentences
    counted = cell[Findings].verdict.count("found")
    assert f"{counted} are answered beyond chance" in sentences[0]
