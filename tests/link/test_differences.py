"""What differs between cells: none where there is none, planted ones found, and honest gaps."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.link.differences import (
    CRITICAL,
    DIFFER,
    EXTREMES,
    INDICATED,
    NO_EVIDENCE,
    SPREAD,
    UNTOLD,
    VON_MISES,
    Difference,
    differences,
    matched_names,
)
from mesolith.link.extremes import extreme_grains
from mesolith.link.findings import Answer, findings_from_answers
from mesolith.records.cell import Cell, State
from mesolith.records.extremes import StressExtremes
from mesolith.records.field import Record
from mesolith.records.findings import Findings
from mesolith.records.grains import GrainMap
from mesolith.records.plating import CriticalCurrent
from tests.link.final_maps import final_map
from tests.link.followed import lattice_positions

STATES = ("pristine", "plating 1")


def _cell(
    name: str,
    seed: int,
    *,
    spread: float = 30.0,
    across: int = 10,
    states: tuple[str, ...] = STATES,
    extremes: bool = False,
    records: dict[type[Record], Record] | None = None,
) -> Cell:
    """A made-up cell: independent grains with this spread of stress, and its extremes."""
    rng = np.random.default_rng(seed)
    position = lattice_positions(rng, across=across, high=8)
    maps = [final_map(spread * rng.standard_t(5, len(position)), position, rng) for _ in states]
    held: dict[type[Record], Record] = dict(records or {})
    if extremes:
        held[StressExtremes] = StressExtremes(
            state=states, real_share=np.ones(len(states)), extremes=tuple(map(_extremes, maps))
        )
    return Cell(
        name,
        {},
        tuple(
            State(state, k, handles={GrainMap: _handle(grains)})
            for k, (state, grains) in enumerate(zip(states, maps, strict=True))
        ),
        {kind: _handle(record) for kind, record in held.items()},
    )


def _handle(record: Record):  # type: ignore[no-untyped-def]
    return lambda: record


def _extremes(grains: GrainMap):  # type: ignore[no-untyped-def]
    assert grains.stress_hydrostatic is not None
    assert grains.stress_hydrostatic_se is not None
    return extreme_grains(grains.stress_hydrostatic, grains.stress_hydrostatic_se)


def _of(found: list[Difference], subject: str) -> list[Difference]:
    return [d for d in found if d.subject == subject]


def _findings(*answers: tuple[str, float, float, int]) -> Findings:
    """Findings of one subject with these questions, estimates, half intervals and units."""
    return findings_from_answers(
        [
            Answer("clustering", question, value, value - half, value + half, "1", 500, units, 0.5)
            for question, value, half, units in answers
        ]
    )


def test_cells_of_one_kind_differ_no_more_often_than_by_chance() -> None:
    p = []
    for seed in range(24):
        found = differences([_cell("a", seed), _cell("b", 1000 + seed)])
        p += [d.p for d in found if d.subject in (SPREAD, VON_MISES)]
    assert len(p) == 24 * 4
    # 96 questions: 5 and 32 % within three standard errors of so many
    assert np.mean(np.array(p) < 0.05) < 0.12
    assert 0.18 < np.mean(np.array(p) < 0.32) < 0.46


def test_extremes_of_one_kind_of_cell_differ_no_more_often_than_by_chance() -> None:
    p, pulls = [], []
    for seed in range(10):
        pair = [
            _cell(name, seed + k, states=("pristine",), across=8, extremes=True)
            for name, k in (("a", 0), ("b", 1000))
        ]
        own = _of(differences(pair), EXTREMES)
        p += [d.p for d in own]
        pulls += [d.difference / np.hypot(d.of_first.se, d.of_other.se) for d in own]
    assert np.mean(np.array(p) < 0.05) < 0.10
    assert 0.5 < np.std(pulls) < 1.25


def test_a_wider_spread_is_found_with_its_size() -> None:
    found = differences([_cell("a", 1), _cell("b", 2, spread=45.0)])
    for d in _of(found, SPREAD):
        assert d.verdict == DIFFER
        # a Student distribution with 5 degrees is 1.29 times as wide as its scale
        assert d.low - 4.0 < 15.0 * np.sqrt(5.0 / 3.0) < d.high + 4.0
        assert d.of_first.grains == d.of_other.grains == 800
    assert all(d.verdict == NO_EVIDENCE for d in _of(found, VON_MISES))
    assert {(d.first, d.other) for d in found} == {("a", "b")}


def test_p_values_are_corrected_within_the_subject_and_over_the_page() -> None:
    found = differences([_cell("a", 1), _cell("b", 2, spread=33.0)])
    for subject in (SPREAD, VON_MISES):
        one, two = sorted(_of(found, subject), key=lambda d: d.p)
        assert one.p_family == pytest.approx(min(1.0, 2.0 * one.p))
        assert two.p_family == pytest.approx(min(1.0, max(two.p, 2.0 * one.p)))
    assert min(d.p_page for d in found) == pytest.approx(min(1.0, 4.0 * min(d.p for d in found)))


def test_each_other_cell_stands_against_the_first() -> None:
    found = differences([_cell("a", 1), _cell("b", 2), _cell("c", 3)])
    assert {(d.first, d.other) for d in found} == {("a", "b"), ("a", "c")}
    assert len(_of(found, SPREAD)) == 4


def test_states_match_by_name_and_else_by_order() -> None:
    first = _cell("a", 1)
    later = _cell("b", 2, states=("plating 1", "stripping 1"))
    assert matched_names(first, later) == {"plating 1": "plating 1"}
    (only,) = _of(differences([first, later]), SPREAD)
    assert only.question.startswith("plating 1:")
    renamed = _cell("c", 3, states=("I", "II"))
    assert matched_names(first, renamed) == {"I": "pristine", "II": "plating 1"}


def test_questions_are_told_in_the_first_cells_names_of_states() -> None:
    one = _findings(("hydrostatic stress, pristine to plating 1: index", 0.1, 0.02, 20))
    two = _findings(("hydrostatic stress, I to II: index", 0.3, 0.02, 20))
    first = _cell("a", 1, records={Findings: one})
    other = _cell("b", 2, states=("I", "II"), records={Findings: two})
    (found,) = _of(differences([first, other]), "clustering")
    assert found.question == "hydrostatic stress, pristine to plating 1: index"
    assert found.difference == pytest.approx(0.2)
    assert found.verdict in (DIFFER, INDICATED)


def test_extremes_of_unlike_numbers_of_grains_do_not_compare() -> None:
    pair = [
        _cell(name, seed, states=STATES[:1], across=across, extremes=True)
        for name, seed, across in (("a", 1, 10), ("b", 2, 8))
    ]
    found = differences(pair)
    assert {d.verdict for d in _of(found, EXTREMES)} == {UNTOLD}
    assert all(np.isnan(d.p) for d in _of(found, EXTREMES))
    assert UNTOLD not in {d.verdict for d in _of(found, SPREAD)}


def test_an_effect_without_an_error_cannot_be_told() -> None:
    one, two = (_findings(("index", value, half, 20)) for value, half in ((0.1, 0.02), (0.9, 0.0)))
    pair = [_cell(n, k, records={Findings: f}) for k, (n, f) in enumerate((("a", one), ("b", two)))]
    (found,) = _of(differences(pair), "clustering")
    assert (found.verdict, np.isnan(found.low)) == (UNTOLD, True)


def test_few_independent_units_widen_the_interval() -> None:
    halves = []
    for units in (5, 500):
        one, two = (_findings(("index", value, 0.02, units)) for value in (0.1, 0.16))
        pair = [
            _cell(n, k, records={Findings: f}) for k, (n, f) in enumerate((("a", one), ("b", two)))
        ]
        (found,) = _of(differences(pair), "clustering")
        halves.append((found.high - found.low, found.p))
    assert halves[0][0] > 1.05 * halves[1][0]
    assert halves[0][1] > halves[1][1]


def test_critical_currents_are_compared_where_both_are_known() -> None:
    def critical(value: float, se: float) -> CriticalCurrent:
        return CriticalCurrent(
            kind="hard",
            half_cycle=9,
            lower=value - 1.0,
            upper=value + 1.0,
            value=value,
            value_se=se,
            area_relative_se=0.01,
            charge=1.0,
            evidence=("the voltage fell",),
        )

    cells = [
        _cell(name, k, records={CriticalCurrent: critical(value, 0.2)})
        for k, (name, value) in enumerate((("a", 5.0), ("b", 9.0)))
    ]
    (found,) = _of(differences(cells), CRITICAL)
    assert found.difference == pytest.approx(0.4)  # 4 A/m2 in mA/cm2
    assert (found.verdict, found.of_first.unit) == (DIFFER, "mA/cm2")


def test_cells_without_anything_in_common_have_no_difference() -> None:
    empty = Cell("b", {}, (State("pristine", 0),))
    assert differences([_cell("a", 1), empty]) == []
