"""Virtual scans: the same spots as single patterns where nothing bends, streaks where it does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.virtual.laue.patterns import LaueCrystals, PatternPlan, exact_spots
from mesolith.virtual.laue.scan import VirtualScan, point_peaks, point_spots, virtual_scan
from mesolith.virtual.laue.section import Section, SectionPlan, cycled, draw_section
from tests.laue.patterns import STATION, virtual_reflections

PLAN = SectionPlan(width=100.0, height=100.0, grains=2, lean=0.0, wave=0.0, slope=0.0)


def section(seed: int, **changes: object) -> Section:
    plan = replace(PLAN, **changes)  # type: ignore[arg-type]
    return draw_section(np.random.default_rng(seed), plan)


def scan_of(made: Section, state: int = 0) -> VirtualScan:
    plan = PatternPlan(family_log_sigma=0.0)
    return virtual_scan(made, virtual_reflections(), STATION, plan, seed=1, state=state, beam=0.0)


def test_a_grain_that_does_not_bend_has_the_spots_of_a_single_pattern() -> None:
    made = section(1, grains=1, bend=0.0, strain_slope=0.0, near_strain=0.0)
    scan = scan_of(made)
    spots, truth = point_spots(scan, 20.0, 30.0)
    crystals = LaueCrystals(
        orientation=truth.orientation,
        strain=truth.strain,
        weight=np.ones(1),
        top=np.zeros(1),
        bottom=np.full(1, np.inf),
    )
    single = exact_spots(crystals, virtual_reflections(), STATION)
    member = virtual_reflections().hkl[single.member]
    primitive = member // np.gcd.reduce(member, axis=1)[:, None]
    names = {tuple(row): k for k, row in enumerate(primitive.tolist())}
    pairs = [
        (k, names[tuple(row)])
        for k, row in enumerate(spots.primitive.astype(int).tolist())
        if tuple(row) in names
    ]
    one, two = np.array(pairs).T
    assert len(one) > 0.98 * len(spots.grain)
    off = np.linalg.norm(spots.place[one] - single.place[two], axis=1)
    assert np.quantile(off, 0.98) < 0.02
    ratio = spots.intensity[one] / single.intensity[two]
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=0.02)
    # what is left of the widths is the parallax of the depths
    assert np.median(np.linalg.eigvalsh(spots.moments)[:, 0]) == pytest.approx(1.0, abs=0.02)


def test_a_bent_grain_streaks_as_its_rotations_say() -> None:
    straight, bent = (
        point_spots(scan_of(section(2, grains=1, bend=b)), 40.0, 30.0) for b in (0.0, 1e-4)
    )
    wide = [np.median(np.linalg.eigvalsh(one[0].moments)[:, 1]) for one in (straight, bent)]
    assert wide[1] > 2.0 * wide[0]
    value = np.linalg.eigvalsh(bent[1].spread[0])
    # along the beam, one axis
    assert value[2] > 50.0 * abs(value[1])
    assert 5e-4 < np.sqrt(value[2]) < 3e-3


def test_boundaries_show_several_grains_and_lithium_none() -> None:
    made = section(3)
    scan = scan_of(made)
    middle = made.site.mean(axis=0)
    x, y = float(middle[0]), float(middle[1])
    grains = [
        set(point_spots(scan, x + d, y)[1].grain.tolist()) for d in np.arange(-30.0, 31.0, 2.0)
    ]
    assert any(len(one) == 2 for one in grains)
    assert {k for one in grains for k in one} == {0, 1}
    spots, truth = point_spots(scan, 50.0, 95.0)
    assert len(spots.grain) == len(truth.grain) == 0
    peaks = point_peaks(scan, 50.0, 95.0, 3)
    assert len(peaks) < 8
    full = point_peaks(scan, 50.0, 30.0, 4)
    assert len(full) > 80
    assert np.all(full.widths[:, 0] >= full.widths[:, 1])
    again = point_peaks(scan, 50.0, 30.0, 4)
    assert again.fast.tobytes() == full.fast.tobytes()


def test_cycling_changes_what_it_should_and_no_more() -> None:
    quiet, changed = section(4), replace(section(4), plan=cycled(PLAN))
    grain, x, y = np.zeros(3, np.int64), np.array([20.0, 20.0, 99.0]), np.array([20.0, 84.0, 1.0])
    for state in range(4):
        np.testing.assert_array_equal(
            quiet.strain_at(grain, x, y, state), quiet.strain_at(grain, x, y, 0)
        )
    along = np.array([changed.strain_at(grain, x, y, state)[0, 1, 1] for state in range(4)])
    np.testing.assert_allclose(np.diff(along), np.diff(cycled(PLAN).stack_strain), atol=3e-5)
    turned = [changed.rotation_vector(grain, x, y, state) for state in (0, 3)]
    moved = np.linalg.norm(turned[1] - turned[0], axis=1)
    assert moved[2] > 2e-3
    assert moved[0] < 2e-4
    assert abs(np.trace(changed.strain_at(grain, x, y, 3)[1])) < 1e-12
    distance = changed.boundary_distance(x, y)
    here = changed.grain_at(x, y, np.zeros(3))
    direction = np.random.default_rng(0).standard_normal((200, 2))
    direction *= (0.98 * distance[0] / np.linalg.norm(direction, axis=1))[:, None]
    around = changed.grain_at(x[0] + direction[:, 0], y[0] + direction[:, 1], np.zeros(200))
    assert np.all((around == here[0]) | (around == -1))


def test_wrong_plans_are_told() -> None:
    with pytest.raises(InvalidValueError, match="at least one grain"):
        SectionPlan(grains=0)
    with pytest.raises(InvalidValueError, match="for 4 states"):
        SectionPlan(near_growth=(1.0,))
