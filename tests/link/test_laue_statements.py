"""What the paper says of the scans is confirmed where it was planted, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.link.laue_settings import (
    LOWER_RIGHT,
    Region,
    StatementSettings,
    lower_right_corner,
)
from mesolith.link.laue_statements import (
    CONFIRMED,
    DEPTH_ORDERED,
    NEAR_GROWS,
    REFUTED,
    REGION_GROWS,
    TURNS_TENSILE,
    UNCHANGED,
    laue_statements,
)
from mesolith.records.laue_changes import LaueStatements
from mesolith.virtual.laue.maps import MapNoise
from mesolith.virtual.laue.section import SectionPlan
from tests.link.laue_maps import Surface, surface

CALM = SectionPlan(bend=2e-6, strain=2e-5)
CORNER = REGION_GROWS.format(LOWER_RIGHT)
# the section's stack runs along the laboratory's y
STACK = StatementSettings(zz=(0.0, 1.0, 0.0))


def _verdict(found: LaueStatements, statement: str) -> str:
    (own,) = [found.verdict[k] for k in found.rows(statement) if found.verdict[k]]
    return own


def _asked(made: Surface, settings: StatementSettings | None = None) -> LaueStatements:
    return laue_statements(made.maps[0], made.changes, settings)


@pytest.fixture(scope="module")
def unchanged() -> LaueStatements:
    return _asked(surface(31, CALM))


def test_nothing_planted_confirms_only_that_nothing_changed(unchanged: LaueStatements) -> None:
    assert _verdict(unchanged, UNCHANGED) == CONFIRMED
    for statement in (NEAR_GROWS, CORNER, DEPTH_ORDERED, TURNS_TENSILE):
        assert _verdict(unchanged, statement) != CONFIRMED


def test_growth_near_the_interface_is_told_from_growth_at_boundaries() -> None:
    plan = replace(CALM, near_growth=(1.0, 1.2, 1.5, 2.0))
    found = _asked(surface(32, plan))
    # the same surface without noise says what the term really is
    true = _asked(surface(32, plan, noise=MapNoise(strain=1e-8, turn=1e-8, depth=0.0)))
    assert _verdict(found, NEAR_GROWS) == CONFIRMED
    assert _verdict(found, DEPTH_ORDERED) == CONFIRMED
    (row,) = [k for k in found.rows(NEAR_GROWS) if found.verdict[k]]
    assert found.low[row] < true.estimate[row] < found.high[row]


def test_fading_strain_refutes_growth() -> None:
    plan = replace(CALM, near_growth=(1.0, 0.8, 0.5, 0.2))
    assert _verdict(_asked(surface(33, plan)), NEAR_GROWS) == REFUTED


def test_corner_that_bends_is_found_there() -> None:
    plan = replace(CALM, corner_bend=(0.0, 4e-4, 1e-3, 2.5e-3))
    assert _verdict(_asked(surface(34, plan)), CORNER) == CONFIRMED


def test_stack_that_turns_tensile_does_so_in_every_grain_and_visibly() -> None:
    plan = replace(CALM, near_strain=2e-5, stack_strain=(-3e-4, -1e-4, 1e-4, 3e-4))
    made = surface(35, plan)
    found = _asked(made, STACK)
    assert _verdict(found, TURNS_TENSILE) == CONFIRMED
    assert _verdict(found, UNCHANGED) == REFUTED
    changes = [k for k in found.rows(TURNS_TENSILE) if "change, grain" in found.question[k]]
    np.testing.assert_array_less(found.low[changes], 6e-4)
    np.testing.assert_array_less(6e-4, found.high[changes] + found.se[changes])


def test_regions_have_a_name_and_a_family_of_their_own(unchanged: LaueStatements) -> None:
    made = surface(31, CALM)
    region = Region("left edge", 0.0, 60.0, 40.0, 160.0)
    found = _asked(made, StatementSettings(regions=(region,)))
    named = REGION_GROWS.format("left edge")
    assert len(found.rows(named)) == 1
    assert np.isfinite(found.p_family).sum() == np.isfinite(unchanged.p_family).sum() + 1
    corner = lower_right_corner(made.maps[0].scan)
    assert corner.x_high == made.maps[0].scan.x.max()
    assert corner.y_low == made.maps[0].scan.y.min()


def test_false_alarms_are_as_stated() -> None:
    p = []
    for seed in range(400, 408):
        found = _asked(surface(seed, CALM))
        both = 2.0 * np.minimum(found.p, 1.0 - found.p)
        for k, verdict in enumerate(found.verdict):
            if found.question[k].startswith(("strain_", "peak_", "misor")):
                p.append(float(both[k]) if verdict else float(found.p[k]))
    values = np.array(p)
    assert np.all(np.isfinite(values))
    assert 0.15 < np.mean(values < 0.3173) < 0.5
    assert np.mean(values < 0.05) < 0.15


def test_mistakes_are_named() -> None:
    made = surface(31, CALM)
    with pytest.raises(InvalidValueError, match="no later scan"):
        laue_statements(made.maps[0], ())
    with pytest.raises(InvalidValueError, match="has no area"):
        Region("nowhere", 1.0, 1.0, 0.0, 2.0)
    with pytest.raises(InvalidValueError, match="visible strain are above zero"):
        StatementSettings(visible_strain=0.0)
    with pytest.raises(InvalidValueError, match="no length"):
        StatementSettings(zz=(0.0, 0.0, 0.0))
