"""The step link.track: records in, a record and its remarks out."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.io.record_file import read_record, write_record
from mesolith.link.track import compute
from mesolith.pipeline.work import Source, Work, read_remarks
from mesolith.records.tracking import Tracking
from tests.link.grain_maps_for_tracking import displaced, grain_map, random_grains

SETTINGS = {
    "hedm.track_rule": "optimal",
    "hedm.sigma_position_um": 20.0,
    "hedm.sigma_orientation_deg": 0.1,
}


@pytest.fixture
def run(tmp_path):
    def tracked(before, after, **settings):
        sources = []
        for label, grains in (("pristine", before), ("plating 1", after)):
            folder = tmp_path / label
            folder.mkdir(exist_ok=True)
            write_record(folder / "record.h5", grains)
            sources.append(Source(label, folder))
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        work = Work(
            step="link.track",
            label="pristine to plating 1",
            settings=SETTINGS | settings,
            inputs={"hedm.read": tuple(sources)},
            folder=folder,
            seed=5,
        )
        compute(work)
        return read_record(folder / "record.h5", Tracking), read_remarks(folder)

    return tracked


def test_record_and_remark_of_a_tracked_pair(run):
    rng = np.random.default_rng(0)
    position, orientation = random_grains(rng, 120)
    moved, turned, _, _ = displaced(rng, position, orientation, turn=1.0, shift=0.0)
    before = grain_map(position[5:], orientation[5:])
    tracking, remarks = run(before, grain_map(moved[:-3], turned[:-3]))
    assert tracking.before.size == 112
    assert np.all(tracking.before + 5 == tracking.after)
    (remark,) = remarks
    assert remark.level == "note"
    assert remark.where == "pristine to plating 1"
    assert "112 grains tracked by the rule 'optimal', 3 lost, 5 new" in remark.text
    assert "0 pairs are ambiguous (probability 5% to 95%)" in remark.text
    shift = np.linalg.norm(tracking.translation)
    assert f"Common motion removed: {shift:.1f} um, 1.0" in remark.text


def test_unrelated_maps_warn(run):
    rng = np.random.default_rng(1)
    tracking, (remark,) = run(
        grain_map(*random_grains(rng, 40)), grain_map(*random_grains(rng, 40))
    )
    assert tracking.before.size == 0
    assert remark.level == "warning"
    assert "no grain was tracked (40 before, 40 after): no common motion was found" in remark.text


def test_an_empty_map_warns(run):
    rng = np.random.default_rng(2)
    _, (remark,) = run(grain_map(*random_grains(rng, 0)), grain_map(*random_grains(rng, 9)))
    assert remark.level == "warning"
    assert "a map is empty" in remark.text


def test_improbable_pairs_of_the_nearest_rule_warn(run):
    rng = np.random.default_rng(3)
    position, orientation = random_grains(rng, 400, spacing=30.0)
    moved, turned, _, _ = displaced(
        rng, position, orientation, turn=1.0, shift=20.0, sigma=25.0, sigma_deg=0.1
    )
    tracking, (remark,) = run(
        grain_map(position, orientation),
        grain_map(moved, turned),
        **{"hedm.track_rule": "nearest"},
    )
    assert tracking.rule == "nearest"
    assert remark.level == "warning"
    doubtful = int(np.sum(tracking.probability < 0.05))
    assert f", {doubtful} improbable." in remark.text
