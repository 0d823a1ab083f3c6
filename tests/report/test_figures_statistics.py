"""Figures of spots, space, directions, pathways and findings against the records they show."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mesolith.link.hotspots import spot_history
from mesolith.link.pathways import stress_pathways
from mesolith.link.space import spatial_pattern, stress_clusters
from mesolith.pipeline.technique import Figure, load
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.findings import Findings
from mesolith.records.followed import FollowedGrains
from mesolith.records.hotspots import HotSpots
from mesolith.records.pathways import Pathways
from mesolith.records.space import SpatialStatistics
from mesolith.records.style import house_style
from mesolith.records.transitions import Transitions
from mesolith.report import FIGURES
from mesolith.report.intervals import half_width, known
from mesolith.report.lettering import fitted, plain

from .statistics_cell import planted_grains, planted_records, records_of, statistics_cell
from .synthetic_cell import STATES

NAMES = (
    "hot_spots",
    "spot_changes_hydrostatic",
    "spot_changes_von_mises",
    "clusters",
    "space",
    "transitions",
    "pathways",
    "findings",
)
OURS = tuple(figure for figure in FIGURES if figure.name in NAMES)
LONG = (
    "pristine",
    "plating at 0.1 mA/cm² after formation at 60 °C, first half cycle",
    "stripping_without_any_blank_in_its_very_very_long_name_of_one_word",
    "plating 2",
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
)


def drawing_of(name: str, cell: Cell) -> Drawing | None:
    (figure,) = (f for f in FIGURES if f.name == name)
    found: Drawing | None = load(figure.draw)(cell)
    return found


def drawn(name: str, cell: Cell) -> Drawing:
    found = drawing_of(name, cell)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def planted() -> Cell:
    """700 grains with planted spots and a trend along z, all records of the steps."""
    return statistics_cell(planted_records(STATES))


def blind_cell() -> Cell:
    """The planted cell as if all its grains were alike and made one block without errors."""
    records = dict(planted_records(STATES))
    spots, space = records[HotSpots], records[SpatialStatistics]
    pathways = records[Pathways]
    assert isinstance(spots, HotSpots)
    assert isinstance(space, SpatialStatistics)
    assert isinstance(pathways, Pathways)
    changes = [
        dataclasses.replace(c, change_se=nan, low=nan, high=nan, p=one, p_family=one)
        for c in spots.changes
        for nan, one in [(np.full(len(c.p), np.nan), np.ones(len(c.p)))]
    ]
    patterns = [
        dataclasses.replace(
            p,
            trend_se=np.full((10, 3), np.nan),
            trend_detectable=np.full(10, np.nan),
            trend_p_family=np.ones(10),
            independent=np.ones(10, dtype=np.int64),
        )
        for p in space.patterns
    ]
    rules = [dataclasses.replace(r, group_se=np.full(3, 1e-19)) for r in pathways.rules]
    records[HotSpots] = dataclasses.replace(spots, changes=tuple(changes))
    records[SpatialStatistics] = dataclasses.replace(space, patterns=tuple(patterns))
    records[Pathways] = Pathways(tuple(rules))
    return statistics_cell(records)


def subset(grains: FollowedGrains, rows: Any, states: Any) -> FollowedGrains:
    """Some grains in some states."""
    changes: dict[str, Any] = {
        "state": tuple(grains.state[k] for k in states),
        "direction": grains.direction[states],
    }
    for name in ("grain", "probability", "position", "radius"):
        changes[name] = getattr(grains, name)[rows]
    for name in ("row", "hydrostatic", "hydrostatic_se", "von_mises", "von_mises_se"):
        changes[name] = getattr(grains, name)[rows][:, states]
    for name in ("hydrostatic_common_se", "von_mises_common_se"):
        changes[name] = getattr(grains, name)[states]
    return dataclasses.replace(grains, **changes)


@pytest.mark.parametrize("figure", OURS, ids=lambda figure: figure.name)
def test_caption_says_grains_and_level(figure: Figure, planted: Cell) -> None:
    drawing = drawn(figure.name, planted)
    assert "700" in drawing.caption
    assert " %" in drawing.caption
    assert "  " not in drawing.caption
    assert drawing.table


@pytest.mark.parametrize("figure", OURS, ids=lambda figure: figure.name)
@pytest.mark.parametrize("names", [STATES, LONG], ids=["short", "long"])
def test_nothing_reaches_beyond_the_page(figure: Figure, names: tuple[str, ...]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawing = drawn(figure.name, statistics_cell(planted_records(names)))
    with house_style():
        canvas = FigureCanvasAgg(drawing.figure)
        canvas.draw()
        box = drawing.figure.get_tightbbox(canvas.get_renderer())
    width, height = drawing.figure.get_size_inches()
    assert box.x0 > -0.01
    assert box.y0 > -0.01
    assert box.x1 < width + 0.01
    assert box.y1 < height + 0.01


@pytest.mark.parametrize("figure", OURS, ids=lambda figure: figure.name)
def test_without_grains_without_questions_nothing_is_drawn(figure: Figure) -> None:
    grains = subset(planted_grains(STATES), slice(0, 0), list(range(5)))
    assert drawing_of(figure.name, statistics_cell(records_of(grains))) is None


def test_one_state_shows_places_and_no_change() -> None:
    grains = subset(planted_grains(STATES), slice(None), [0])
    histories = [
        spot_history(grains, kind=kind, chosen=chosen)
        for kind in ("hot", "cold")
        for chosen in ("anew", "fixed")
    ]
    space = SpatialStatistics(
        (stress_clusters(grains),), (spatial_pattern(grains, permutations=100),)
    )
    cell = statistics_cell(
        {
            FollowedGrains: grains,
            HotSpots: HotSpots(tuple(histories)),
            SpatialStatistics: space,
            Pathways: Pathways((stress_pathways(grains, permutations=100),)),
            Transitions: Transitions(),
        }
    )
    for name in ("spot_changes_hydrostatic", "spot_changes_von_mises", "transitions", "findings"):
        assert drawing_of(name, cell) is None
    assert "still" not in drawn("hot_spots", cell).caption
    assert len(drawn("clusters", cell).figure.axes) == 2
    assert set(drawn("space", cell).table["field"]) == {"pristine"}
    assert drawn("pathways", cell) is not None


def test_two_states_without_a_current() -> None:
    grains = subset(planted_grains(STATES), slice(None), [0, 1])
    cell = statistics_cell(
        records_of(dataclasses.replace(grains, direction=np.zeros(2, dtype=np.int64)))
    )
    assert drawing_of("transitions", cell) is None
    assert set(drawn("spot_changes_hydrostatic", cell).table["later_state"]) == {"plating 1"}
    assert "direction_1_relaxation" not in drawn("pathways", cell).table


def test_many_states_still_fit_the_page_and_can_tell_directions() -> None:
    grains = planted_grains(tuple(f"state {k} {LONG[k % 5]}" for k in range(14)))
    records = records_of(grains, **{"hedm.permutations": 50})
    cell = statistics_cell(records)
    for name in NAMES:
        drawing = drawn(name, cell)
        assert drawing.figure.get_size_inches()[1] * 25.4 <= 240.0
    assert "left out" in drawn("hot_spots", cell).caption
    assert "left out" in drawn("spot_changes_hydrostatic", cell).caption
    assert "left out" in drawn("space", cell).caption
    found = cell[Transitions].separation[0]
    caption = drawn("transitions", cell).caption
    assert found.least < 0.05
    assert "cannot reach" not in caption
    for finding in found.finding:
        assert finding.replace("_", " ") in caption
    assert ("No separation survives" in caption) == (not found.finding)


def test_hot_spots_are_those_of_the_record(planted: Cell) -> None:
    table = drawn("hot_spots", planted).table
    followed = planted[FollowedGrains]
    for k, state in enumerate(STATES):
        own = (table["state"] == state) & (table["kind"] == "hot") & (table["chosen"] == "anew")
        hottest = np.sort(followed.hydrostatic[:, k])[::-1][:10]
        assert table["stress_hydrostatic_mpa"][own] == pytest.approx(hottest)
    history = planted[HotSpots].history(kind="cold", chosen="fixed", quantity="hydrostatic")
    assert history is not None
    own = (table["kind"] == "cold") & (table["chosen"] == "fixed")
    assert table["neighbourhood_mean_mpa"][own] == pytest.approx(history.spot_mean.T.ravel())


def test_hot_spots_tell_how_many_stayed(planted: Cell) -> None:
    values = planted[FollowedGrains].hydrostatic
    first, last = (set(np.argsort(-values[:, k])[:10].tolist()) for k in (0, 4))
    kept = len(first & last)
    low, high = stats.binomtest(kept, 10).proportion_ci(0.95)
    expected = f"{kept} of 10 hottest (95 %: {10 * low:.1f} to {10 * high:.1f})"
    assert expected in drawn("hot_spots", planted).caption


@pytest.mark.parametrize("quantity", ["hydrostatic", "von_mises"])
def test_histograms_hold_the_neighbourhoods(planted: Cell, quantity: str) -> None:
    table = drawn(f"spot_changes_{quantity}", planted).table
    followed = planted[FollowedGrains]
    values = followed.hydrostatic if quantity == "hydrostatic" else followed.von_mises
    reach = 2.0 * followed.radius.mean()
    hottest = np.argsort(-values[:, 1], kind="stable")[:10]
    apart = np.linalg.norm(followed.position[:, None] - followed.position[hottest], axis=2)
    inside = np.flatnonzero(apart.min(axis=1) <= reach)
    own = (
        (table["kind"] == "hot")
        & (table["earlier_state"] == STATES[1])
        & (table["later_state"] == STATES[2])
    )
    edges = np.append(table["bin_low_mpa"][own], table["bin_high_mpa"][own][-1])
    for state, column in ((1, "grains_earlier"), (2, "grains_later")):
        counts, _ = np.histogram(values[inside, state], edges)
        assert np.array_equal(table[column][own], counts)
        assert counts.sum() == len(inside)
    assert table["grains"][own][0] == len(inside)
    assert table["mean_later_mpa"][own][0] == pytest.approx(values[inside, 2].mean())
    assert table["spread_earlier_mpa"][own][0] == pytest.approx(values[inside, 1].std())


def test_changes_are_those_of_the_record(planted: Cell) -> None:
    table = drawn("spot_changes_hydrostatic", planted).table
    changes = planted[HotSpots].changes_of(chosen="anew", quantity="hydrostatic")
    assert changes is not None
    for k, question in enumerate(changes.question):
        kind, _, steps = question.partition(": ")
        first, _, last = steps.partition(" to ")
        own = np.flatnonzero(
            (table["kind"] == kind)
            & (table["earlier_state"] == first)
            & (table["later_state"] == last)
        )[0]
        assert table["change_mpa"][own] == changes.change[k]
        assert table["change_as_measured_mpa"][own] == changes.naive[k]
        assert table["change_mpa_half68"][own] == pytest.approx(
            changes.high[k] - changes.change[k], rel=1e-6
        )
        assert table["change_mpa_half95"][own] > 1.9 * table["change_mpa_half68"][own]
        assert table["p_corrected"][own] == changes.p_family[k]


def test_cold_von_mises_spots_are_drawn_and_not_judged(planted: Cell) -> None:
    drawing = drawn("spot_changes_von_mises", planted)
    assert "Changes of cold neighbourhoods are not judged" in drawing.caption
    assert "most surely cold" not in drawing.caption
    cold = drawing.table["kind"] == "cold"
    assert cold.any()
    assert np.all(np.isnan(drawing.table["change_mpa"][cold]))
    assert np.all(np.isfinite(drawing.table["change_mpa"][~cold]))
    assert "not judged" not in drawn("spot_changes_hydrostatic", planted).caption


def test_clusters_stand_beside_shuffled_ones(planted: Cell) -> None:
    drawing = drawn("clusters", planted)
    clusters = planted[SpatialStatistics].clusters[0]
    table = drawing.table
    own = table["state"] == "stripping 2"
    assert np.array_equal(table["cluster"][own] - 1, clusters.label[:, 1])
    assert table["share_stress"][own][0] == clusters.share_stress[1]
    # the planted trend ties stress to place, and no shuffle does
    assert table["share_stress"][own][0] > table["share_stress_shuffled_high"][own][0]
    assert "k = 3" in drawing.caption


def test_space_says_where_a_trend_is_and_how_large_one_would_have_been_seen(planted: Cell) -> None:
    drawing = drawn("space", planted)
    pattern = planted[SpatialStatistics].pattern("hydrostatic")
    assert pattern is not None
    own = drawing.table["stress"] == "hydrostatic"
    assert drawing.table["slope_z_mpa_mm"][own] == pytest.approx(1e3 * pattern.trend[:, 2])
    assert drawing.table["slope_detectable_mpa_mm"][own] == pytest.approx(
        1e3 * pattern.trend_detectable
    )
    assert np.array_equal(drawing.table["moran"][own], pattern.moran)
    seen = int(np.sum(pattern.trend_p_family < 0.05))
    assert seen >= 4
    assert f"a trend in {seen} of 10 fields" in drawing.caption
    assert "along z" in drawing.caption


def test_space_without_a_trend_states_its_power() -> None:
    grains = planted_grains(STATES)
    flat = grains.hydrostatic - 0.1 * np.arange(5) * grains.position[:, 2:]
    cell = statistics_cell(records_of(dataclasses.replace(grains, hydrostatic=flat)))
    assert "Hydrostatic stress: no preferred direction in any of 10 fields" in (
        drawn("space", cell).caption
    )


def test_one_block_cannot_tell() -> None:
    cell = blind_cell()
    space = drawn("space", cell)
    assert "1 independent part of the pellet cannot tell" in space.caption
    texts = [text.get_text() for text in space.figure.axes[0].texts]
    assert texts.count("cannot be told") == 10
    changes = drawn("spot_changes_hydrostatic", cell)
    assert "10 changes have no interval" in changes.caption
    assert "more than chance makes" not in changes.caption
    assert np.all(np.isnan(changes.table["change_mpa_half68"]))
    too_few = "too few independent paths for an interval (open points)"
    assert drawn("pathways", cell).caption.count(too_few) == 2


def test_transitions_are_those_of_the_record_and_four_cannot_tell(planted: Cell) -> None:
    drawing = drawn("transitions", planted)
    found = planted[Transitions].separation[0]
    table = drawing.table
    own = (
        (table["stress"] == "hydrostatic")
        & (table["way"] == "mean removed")
        & (table["kind"] == "cold")
        & (table["transition"] == found.transition[2])
    )
    mean = planted[FollowedGrains].hydrostatic.mean(axis=0)
    row = found.point_set.index("cold, hydrostatic")
    assert table["before_mpa"][own] == pytest.approx(found.initial[row, :, 2] - mean[2])
    assert table["after_mpa"][own] == pytest.approx(found.final[row, :, 2] - mean[3])
    question = found.question.index("cold, hydrostatic, mean removed")
    assert table["separation_mpa"][own][0] == found.effect[question]
    assert table["p_corrected"][own][0] == found.p_family[question]
    assert found.least > 0.05
    assert f"4 transitions cannot give a p-value below {found.least:.2g}" in drawing.caption
    assert "survives" not in drawing.caption


def test_pathways_are_those_of_the_record(planted: Cell) -> None:
    table = drawn("pathways", planted).table
    followed = planted[FollowedGrains]
    for found in planted[Pathways].rules:
        own = (table["rule"] == found.rule) & (table["state"] == STATES[3])
        assert table["start_z_um"][own] == pytest.approx(followed.position[found.start[:, 3], 2])
        change = (table["end_z_um"][own] - table["start_z_um"][own]) / found.height
        assert table["relaxation"][own] == pytest.approx(change)
        assert table["state_relaxation"][own][0] == pytest.approx(change.mean())
        group = found.group.index("direction 1")
        assert table["direction_1_relaxation"][own][0] == found.group_relaxation[group]
        assert table["direction_1_beyond_starts"][own][0] == found.group_excess[group]
        hottest = np.sort(followed.hydrostatic[:, 3])[::-1][:50]
        assert table["start_stress_mpa"][own] == pytest.approx(hottest)


def test_findings_are_counted_and_the_surest_drawn(planted: Cell) -> None:
    drawing = drawn("findings", planted)
    findings = planted[Findings]
    assert len(drawing.table["question"]) == len(findings.question)
    assert np.array_equal(drawing.table["p_report"], findings.p_report)
    found = findings.verdict.count("found")
    assert found > 0
    assert f"{found} found" in drawing.caption
    texts = [text.get_text() for axes in drawing.figure.axes for text in axes.texts]
    assert sum(text.startswith("found, ") for text in texts) == min(found, 9 + 9)
    assert any(text.startswith("cannot be told") for text in texts)


@pytest.mark.parametrize("freedom", [1.0, 3.7, 12.0, 400.0])
def test_an_interval_is_widened_as_students(freedom: float) -> None:
    half = 2.5 * stats.t.ppf(0.84, freedom)
    wide = half_width(half, 2.5, 0.68, 0.95)
    assert wide == pytest.approx(2.5 * stats.t.ppf(0.975, freedom), rel=1e-6)


def test_an_interval_without_error_stays_unknown() -> None:
    assert np.isnan(half_width(float("nan"), float("nan"), 0.68, 0.95))
    assert half_width(0.99445788 * 3.0, 3.0, 0.68, 0.95) == pytest.approx(3.0 * 1.96, rel=1e-3)
    assert known(1e-18, 0.67) == np.False_
    assert known(0.01, 0.67) == np.True_
    assert known(np.nan, 0.0) == np.False_


def test_lines_fit_their_width() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(4.0, 4.0), dpi=254.0)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for name in LONG:
        text = figure.text(0.0, 0.5, fitted(name, 30.0, size=6.5), fontsize=6.5)
        text.set_fontfamily("DejaVu Sans")
        assert text.get_window_extent(renderer).width <= 300.0 + 6.0
    assert fitted("one two", 100.0) == "one two"
    assert fitted("one two", 8.0) == "one\ntwo"
    assert "".join(fitted(LONG[2], 20.0).split()) == LONG[2]
    assert fitted("", 20.0) == ""


def test_numbers_have_a_real_minus_and_no_minus_zero() -> None:
    assert plain(-0.04) == "0.0"
    assert plain(-1.25, 2) == "−1.25"
