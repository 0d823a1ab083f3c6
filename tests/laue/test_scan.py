"""Scans: every point found, parts that know nothing of one another, and wrong use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mesolith.laue.point as point_module
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.laue.map import map_of_scan
from mesolith.laue.narrow import narrowed
from mesolith.laue.point import distinct, reciprocal_lattices, standing
from mesolith.laue.profiles import boundary_distance
from mesolith.laue.scan import find_seeds, index_rows, seed_points
from mesolith.laue.scan_settings import ScanSettings
from mesolith.laue.solve import index_pattern
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.laue_found import joined_found, joined_seeds
from mesolith.records.laue_map import NO_PATTERN
from mesolith.virtual.laue.patterns import twin_of
from mesolith.virtual.laue.scan import point_spots
from tests.laue.patterns import crystals, geometry, indexer, pattern, peaks_of, true_reciprocal
from tests.laue.scans import POINTS, SETTINGS, small_scan
from tests.laue.test_solve import SIGMA3, angles_deg


def test_every_point_of_the_phase_is_found_and_nothing_beyond_it() -> None:
    made = small_scan()
    operators = rotation_operators(230)
    begin = np.concatenate([[0], np.cumsum(made.found.grains_at)])
    row = {number: k for k, number in enumerate(made.found.pattern.tolist())}
    checked = several = 0
    for k, number in enumerate(made.raster.pattern.tolist()):
        x, y = float(made.raster.x[k]), float(made.raster.y[k])
        truth = point_spots(made.virtual, x, y)[1]
        if not len(truth.grain):
            assert number not in row or made.found.grains_at[row[number]] == 0
        if not made.virtual.section.within(np.array([x]), np.array([y]))[0]:
            continue
        at = row[number]
        found = made.found.grains.orientation[begin[at] : begin[at + 1]]
        true = quaternion_from_matrix(truth.orientation, tolerance=1e-2)
        angle = misorientation_angle(true[:, None], found[None], operators)
        assert angle[0].min() < np.radians(0.05)
        assert angle.min(axis=0).max() < np.radians(0.1)
        checked += 1
        several += len(found) > 1
    assert checked > 60
    assert several > 3


def test_rows_alone_give_what_they_give_together() -> None:
    made = small_scan()
    parts = []
    for rows in (range(7, 10), range(2), range(2, 7)):
        lists = [one for r in rows for one in made.lists[r * POINTS : (r + 1) * POINTS]]
        parts.append(index_rows(indexer(), made.raster, lists, made.seeds, settings=SETTINGS))
    again = joined_found(parts)
    for name in ("strain", "covariance", "lattice_vectors"):
        assert getattr(again.grains, name).tobytes() == getattr(made.found.grains, name).tobytes()
    assert again.bend.tobytes() == made.found.bend.tobytes()
    with pytest.raises(InvalidValueError, match="hold a pattern twice"):
        joined_found([parts[0], parts[0]])


def test_seeds_of_parts_are_those_of_the_whole() -> None:
    made = small_scan()
    chosen = seed_points(made.raster, SETTINGS).tolist()
    assert len(chosen) == 4
    one, two = (
        find_seeds(indexer(), made.raster, [made.lists[k] for k in part])
        for part in (chosen[:2], chosen[2:])
    )
    joined = joined_seeds([two, one])
    assert joined.reciprocal.tobytes() == made.seeds.reciprocal.tobytes()
    assert joined.usual_unexplained == made.seeds.usual_unexplained
    assert 0.6 < joined.usual_completeness <= 1.0


def test_an_earlier_scan_is_tried_before_anything_is_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = small_scan()
    nothing = replace(
        made.seeds,
        **{
            name: getattr(made.seeds, name)[:0]
            for name in ("row", "column", "reciprocal", "completeness", "unexplained")
        },
    )
    searched = []
    original = index_pattern

    def watched(*given: object, search: bool = True) -> object:
        searched.append(search)
        return original(*given, search=search)  # type: ignore[arg-type]

    monkeypatch.setattr(point_module, "index_pattern", watched)
    lists = made.lists[2 * POINTS : 2 * POINTS + 4]
    cold = index_rows(indexer(), made.raster, lists, nothing)
    assert any(searched)
    searched.clear()
    earlier = (made.raster, made.found)
    warm = index_rows(indexer(), made.raster, lists, nothing, earlier=earlier)
    assert searched[0] is False
    assert np.array_equal(warm.grains_at > 0, cold.grains_at > 0)


def test_a_twin_across_the_boundary_is_not_taken_for_the_grain() -> None:
    """The twin finds half of the spots; it is doubted and set against its relatives."""
    grains = crystals(22)
    other = twin_of(grains, 0, SIGMA3, 1.0)
    guess = standing(indexer(), true_reciprocal(other))[1]
    made = small_scan()
    peaks = peaks_of(pattern(22, grains))
    follower = point_module.Follower(
        indexer(), SETTINGS, made.seeds.usual_unexplained, made.seeds.usual_completeness
    )
    found, _ = follower.point(peaks, [guess], [])
    assert len(found.grains) == 1
    assert angles_deg(grains, found.grains)[0, 0] < 0.02


def test_few_directions_follow_a_grain_as_all_do() -> None:
    grains = crystals(23, (1.0, 0.5))
    peaks = peaks_of(pattern(23, grains))
    guesses = list(true_reciprocal(grains))
    few = narrowed(indexer(), guesses)
    assert len(few.reflections) < 0.2 * len(indexer().reflections)
    narrow = index_pattern(few, peaks, guesses, search=False).grains
    whole = index_pattern(
        replace(indexer(), stages=few.stages), peaks, guesses, search=False
    ).grains
    np.testing.assert_array_equal(narrow.strain, whole.strain)
    assert len(index_pattern(few, peaks, [], search=False).grains) == 0


def test_lattices_named_alike_lie_close() -> None:
    grains = crystals(24)
    lattice = true_reciprocal(grains)[0]
    turned = lattice[:, [1, 2, 0]]
    alike = standing(indexer(), np.stack([lattice, turned]))
    np.testing.assert_allclose(alike[0], alike[1], atol=1e-4)
    assert len(distinct([*alike, lattice @ np.diag([1.0, -1.0, -1.0])])) == 2
    assert len(standing(indexer(), np.zeros((0, 3, 3)))) == 0
    np.testing.assert_allclose(reciprocal_lattices(small_scan().found.grains).shape[1:], (3, 3))


def test_a_scan_of_nothing_has_an_empty_map() -> None:
    made = small_scan()
    nothing = index_rows(indexer(), made.raster, [], made.seeds)
    again = index_rows(
        indexer(), made.raster, made.lists[:1], made.seeds, earlier=(made.raster, nothing)
    )
    assert len(again) == 1
    empty = map_of_scan(made.raster, nothing, geometry=geometry())
    assert np.all(empty.status == NO_PATTERN)
    assert len(empty.grains) == 0
    assert np.isnan(boundary_distance(empty)).all()


def test_wrong_use_is_told() -> None:
    made = small_scan()
    with pytest.raises(InvalidValueError, match="does not come after"):
        index_rows(indexer(), made.raster, made.lists[1::-1], made.seeds)
    strange = replace(made.lists[0], pattern=made.lists[0].pattern + 5000)
    with pytest.raises(InvalidValueError, match="belong to no point"):
        index_rows(indexer(), made.raster, [strange], made.seeds)
    other = replace(made.raster, pattern=made.raster.pattern + 5000)
    with pytest.raises(InvalidValueError, match="no point of the earlier scan"):
        index_rows(indexer(), made.raster, [], made.seeds, earlier=(other, made.found))
    with pytest.raises(InvalidValueError, match="cannot be indexed with"):
        ScanSettings(seed_step=0)
    with pytest.raises(InvalidValueError, match="without parts"):
        joined_found([])
    with pytest.raises(InvalidValueError, match="without parts"):
        joined_seeds([])
