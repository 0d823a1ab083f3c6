"""Maps: grains, misorientations, interface, boundaries, profiles and shifts of known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.axes import tensor_from_six
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.laue.interface import interface_distance, locate_interface
from mesolith.laue.map import equivalent_with_error, map_of_scan, strain_along
from mesolith.laue.map_settings import MapSettings
from mesolith.laue.profiles import (
    boundary_distance,
    histogram,
    jackknife_error,
    map_blocks,
    profile,
    shift_between,
)
from mesolith.laue.segment import (
    kernel_misorientation,
    mean_orientation,
    reference_misorientation,
    segment_grains,
)
from mesolith.numerics.rotations import (
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
)
from mesolith.records.field import CommonMode
from mesolith.records.laue_map import NO_PATTERN, SEVERAL, UNKNOWN, LaueMap
from mesolith.records.laue_scan import raster_scan
from mesolith.virtual.laue.scan import point_spots
from tests.laue.patterns import geometry
from tests.laue.scans import small_scan

OPERATORS = rotation_operators(230)


def small_map() -> LaueMap:
    return map_of_scan(small_scan().raster, small_scan().found)


def test_the_map_has_the_grains_and_the_lithium_of_the_section() -> None:
    made, grain_map = small_scan(), small_map()
    section, scan = made.virtual.section, made.raster
    true = section.grain_at(scan.x, scan.y, np.zeros(len(scan)))
    assert len(grain_map.grains) == 2
    far = section.boundary_distance(scan.x, scan.y) > 25.0
    phase = true >= 0
    for k in range(2):
        assert len(np.unique(true[phase & far & (grain_map.grain == k)])) == 1
    empty = (grain_map.status & NO_PATTERN) != 0
    assert np.all(empty[~section.within(scan.x, scan.y - 6.0)])
    assert not np.any(empty & phase)
    assert np.any(grain_map.status & SEVERAL)
    assert np.all(grain_map.scan.current == 1)
    inside = grain_map.interior
    assert np.nanmedian(grain_map.misorientation[inside]) < np.radians(0.1)
    assert np.all(grain_map.misorientation_se[inside] < np.radians(0.01))
    assert np.all(np.isnan(grain_map.strain_equivalent[grain_map.solutions == 0]))
    distance = boundary_distance(grain_map)
    assert np.all(np.isnan(distance[grain_map.grain == UNKNOWN]))
    assert np.nanmin(distance) == 3.0


def test_the_interface_is_where_the_pattern_is_lost() -> None:
    made = small_scan()
    interface = locate_interface(small_map())
    assert interface.along == "y"
    assert interface.normal[1] > 0.9
    known = np.isfinite(interface.place)
    true = made.virtual.section.interface_at(interface.line[known])
    assert np.sqrt(np.mean((interface.place[known] - true) ** 2)) < 2.0 * 6.0 / np.sqrt(12.0)
    np.testing.assert_allclose(interface.standard_error("place")[known], 6.0 / np.sqrt(12.0))
    x, y = np.array([20.0, 20.0]), np.array([10.0, 60.0])
    distance = interface_distance(interface, x, y)
    assert distance[0] > 25.0
    assert distance[1] < 0.0
    whole = replace(small_map(), status=np.zeros(100, dtype=np.int64))
    with pytest.raises(InvalidValueError, match="does not cross the end"):
        locate_interface(whole)
    grain_map = small_map()
    right = grain_map.scan.column > 2
    few = replace(
        grain_map,
        status=np.where(right, 0, grain_map.status),
        brightness=np.where(right, 1.0, grain_map.brightness),
    )
    with pytest.raises(InvalidValueError, match="lines of the raster cross"):
        locate_interface(few)


def test_with_the_geometry_strains_are_freed_of_turns_along_the_beam() -> None:
    made, plain = small_scan(), small_map()
    freed = map_of_scan(made.raster, made.found, geometry=geometry())
    inside = np.flatnonzero(plain.interior)
    truth = np.array(
        [
            point_spots(made.virtual, float(made.raster.x[k]), float(made.raster.y[k]))[1].strain[0]
            for k in inside
        ]
    )
    errors = [np.sqrt(np.mean((one.strain[inside] - truth) ** 2)) for one in (plain, freed)]
    assert errors[1] < 0.9 * errors[0]
    sigma = freed.standard_error("strain")
    assert np.all(sigma[inside] >= plain.standard_error("strain")[inside])
    z = (freed.strain[inside] - truth) / sigma[inside]
    assert np.sqrt(np.mean(z**2)) < 1.4


def test_common_modes_go_with_the_points() -> None:
    found = small_scan().found
    derivative = np.arange(9.0 * len(found.grains)).reshape(-1, 3, 3)
    mode = CommonMode("surface height", 2.0, "um", {"strain": derivative})
    grains = replace(found.grains, common_modes=(mode,))
    grain_map = map_of_scan(small_scan().raster, replace(found, grains=grains))
    moved = grain_map.common_modes[0].derivatives["strain"]
    first = int(np.flatnonzero(grain_map.solutions == 1)[0])
    assert moved[first, 0, 0] in derivative[:, 0, 0]
    assert np.isnan(moved[grain_map.solutions == 0]).all()


def test_grains_part_where_the_lattice_turns_and_equivalents_join() -> None:
    rng = np.random.default_rng(3)
    scan = raster_scan(rows=6, columns=10, step_um=2.0)
    base = random_quaternions(rng, 1)[0]
    turn = np.zeros((60, 3))
    turn[:, 2] = np.radians(0.05) * scan.column + np.where(scan.column >= 6, np.radians(4.0), 0.0)
    orientation = quaternion_multiply(quaternion_from_rotation_vector(turn), base)
    orientation = quaternion_multiply(orientation, OPERATORS[rng.integers(24, size=60)])
    orientation[scan.column == 3] = np.nan
    settings = {"threshold_rad": np.radians(2.0), "fewest": 15}
    segments = segment_grains(scan, orientation, OPERATORS, **settings)
    # a column without orientations parts the left grain
    assert segments.grains.points.tolist() == [24, 18]
    assert np.all(segments.small[(scan.column == 4) | (scan.column == 5)])
    assert np.all(segments.grain[scan.column == 3] == UNKNOWN)
    covariance = np.broadcast_to(1e-10 * np.diag([1.0, 2.0, 3.0]), (60, 3, 3))
    angle, error = reference_misorientation(orientation, covariance, segments, OPERATORS)
    np.testing.assert_allclose(np.degrees(angle[:3]), [0.05, 0.0, 0.05], atol=1e-6)
    np.testing.assert_allclose(error[0], np.sqrt(3e-10), rtol=1e-3)
    kernel = kernel_misorientation(scan, orientation, segments, OPERATORS)
    np.testing.assert_allclose(np.degrees(kernel[[1, 11]]), [0.1 / 3.0, 0.025], rtol=1e-5)
    assert np.isnan(kernel[scan.column == 4]).all()
    mean = mean_orientation(orientation[scan.column >= 6], OPERATORS)
    assert misorientation_angle(mean, segments.grains.orientation[0], OPERATORS) < 1e-7


def test_boundaries_run_halfway_between_points() -> None:
    grain_map = small_map()
    scan = grain_map.scan
    halves = np.where(scan.column < 4, 0, 1)
    distance = boundary_distance(replace(grain_map, grain=halves, orientation=np.ones((100, 4))))
    np.testing.assert_allclose(distance, np.abs(scan.x - 3.5 * 6.0))
    one = np.zeros(100, dtype=np.int64)
    assert np.all(
        np.isinf(boundary_distance(replace(grain_map, grain=one, orientation=np.ones((100, 4)))))
    )


def test_an_equivalent_strain_is_freed_of_its_noise_and_covers() -> None:
    rng = np.random.default_rng(4)
    six = np.array([3e-4, -1e-4, -2e-4, 1e-4, 0.0, 5e-5])
    root = 6e-5 * (np.eye(6) + 0.3 * rng.standard_normal((6, 6)))
    covariance = root @ root.T
    noisy = six + rng.standard_normal((4000, 6)) @ root.T
    true = float(equivalent_with_error(tensor_from_six(six), np.zeros((6, 6)))[0])
    size, error = equivalent_with_error(
        tensor_from_six(noisy), np.broadcast_to(covariance, (4000, 6, 6))
    )
    assert abs(size.mean() - true) < 0.03 * true
    assert 0.62 < np.mean(np.abs(size - true) < error) < 0.74
    none = equivalent_with_error(np.zeros((3, 3)), covariance)
    assert none[0] == 0.0
    assert none[1] > 0.0


def test_a_strain_along_an_axis_has_the_error_of_that_axis() -> None:
    grain_map = small_map()
    value, error = strain_along(grain_map, np.array([0.0, 0.0, 2.0]))
    known = grain_map.grain != UNKNOWN
    np.testing.assert_allclose(value[known], grain_map.strain[known, 2, 2])
    np.testing.assert_allclose(error[known], grain_map.standard_error("strain")[known, 2, 2])


def test_profiles_and_shifts_of_correlated_points_have_honest_errors() -> None:
    rng = np.random.default_rng(5)
    scan = raster_scan(rows=20, columns=40, step_um=3.0)
    blocks = map_blocks(scan, 12.0)
    edges = np.array([0.0, 30.0, 60.0])
    off, sigma, shifts = [], [], []
    for _ in range(120):
        common = rng.standard_normal(int(blocks.max()) + 1)[blocks]
        value = common + 0.3 * rng.standard_normal(len(scan))
        made = profile(value, scan.y, blocks, edges=edges, what="v", against="edge")
        off += made.mean.tolist()
        sigma += made.mean_se.tolist()
        later = value + 0.1 + 0.3 * rng.standard_normal(len(scan))
        shifts.append(shift_between(value, later, blocks, what="v"))
    assert 0.58 < np.mean(np.abs(off) < np.array(sigma)) < 0.78
    means = np.array([one.mean for one in shifts])
    assert 0.58 < np.mean(np.abs(means - 0.1) < [one.mean_se for one in shifts]) < 0.78
    # points alone would make it four times smaller
    assert np.median(sigma) > 3.0 * np.sqrt(1.09 / 400.0)
    assert abs(np.mean([one.probability for one in shifts]) - 0.5) > 0.01
    made = histogram(value, blocks, edges=np.array([-9.0, 0.0, 9.0]), what="v")
    np.testing.assert_allclose(made.share.sum(), 1.0)
    assert np.all(made.share_se > 0.0)
    assert np.isnan(jackknife_error(value, np.zeros(len(scan), dtype=np.int64), np.mean))


def test_wrong_use_is_told() -> None:
    made = small_scan()
    other = replace(made.raster, pattern=made.raster.pattern + 1000)
    with pytest.raises(InvalidValueError, match="belongs to no point"):
        map_of_scan(other, made.found)
    with pytest.raises(InvalidValueError, match="no map can be made"):
        MapSettings(fewest_points=0)
    two = replace(
        made.found.grains.phases,
        name=("a", "b"),
        space_group=np.array([230, 220]),
        lattice=np.ones((2, 6)),
    )
    with pytest.raises(InvalidValueError, match="a map of 2 phases"):
        map_of_scan(made.raster, replace(made.found, grains=replace(made.found.grains, phases=two)))
    nothing = np.full(100, np.nan)
    blocks = np.zeros(100, dtype=np.int64)
    with pytest.raises(InvalidValueError, match="no point in common"):
        shift_between(nothing, nothing, blocks, what="v")
    with pytest.raises(InvalidValueError, match="has a value of v"):
        histogram(nothing, blocks, edges=np.array([0.0, 1.0]), what="v")
