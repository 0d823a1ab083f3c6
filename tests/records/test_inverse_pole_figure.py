"""The standard triangle of m-3m and the colours of its directions."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.crystal.symmetry import rotation_operators
from mesolith.numerics.rotations import matrix_from_quaternion, random_quaternions
from mesolith.records.inverse_pole_figure import (
    colours_of_directions,
    crystal_direction,
    directions_from_places,
    is_cubic,
    standard_triangle,
    stereographic,
    triangle_outline,
)


@pytest.mark.parametrize(
    ("corner", "colour"),
    [((0, 0, 1), (1, 0, 0)), ((0, -1, 1), (0, 1, 0)), ((1, 1, -1), (0, 0, 1))],
)
def test_corners_are_red_green_and_blue(
    corner: tuple[int, int, int], colour: tuple[int, int, int]
) -> None:
    assert colours_of_directions(np.array(corner, dtype=float)) == pytest.approx(colour, abs=1e-7)


def test_sides_of_the_triangle_mix_two_colours_and_the_inside_three() -> None:
    sides = np.array([[0.0, 0.3, 1.0], [0.4, 0.4, 1.0], [0.5, 1.0, 1.0]])
    red, green, blue = colours_of_directions(sides).T
    assert np.all(blue[:1] == 0.0)
    assert green[1] == pytest.approx(0.0, abs=1e-7)
    assert red[2] == pytest.approx(0.0, abs=1e-7)
    assert np.all(colours_of_directions(np.array([0.2, 0.4, 1.0])) > 0.1)


def test_equivalent_directions_have_one_colour_and_one_place() -> None:
    rng = np.random.default_rng(2)
    direction = rng.standard_normal((40, 3))
    operators = matrix_from_quaternion(rotation_operators(220))
    turned = np.einsum("sij,nj->sni", np.concatenate([operators, -operators]), direction)
    assert len(turned) == 48
    assert np.abs(colours_of_directions(turned) - colours_of_directions(direction)).max() < 1e-9
    inside = standard_triangle(turned)
    assert np.abs(inside - inside[0]).max() < 1e-12
    x, y, z = np.moveaxis(inside, -1, 0)
    assert np.all((x >= 0.0) & (y >= x) & (z >= y))
    # the operators take each direction to 48 others: one of 48 lies in the triangle
    strictly = (turned[..., 0] > 0.0) & (turned[..., 1] > turned[..., 0])
    strictly &= turned[..., 2] > turned[..., 1]
    assert np.all(strictly.sum(axis=0) == 1)


def test_places_lie_within_the_rim_and_lead_back() -> None:
    rng = np.random.default_rng(3)
    direction = standard_triangle(rng.standard_normal((500, 3)))
    places = stereographic(direction)
    assert np.abs(directions_from_places(places) - direction).max() < 1e-12
    rim = triangle_outline()
    assert rim[0] == pytest.approx([0.0, 0.0])
    assert rim[:, 0].max() == pytest.approx(np.sqrt(2.0) - 1.0)
    assert rim[:, 1].max() == pytest.approx((np.sqrt(3.0) - 1.0) / 2.0)
    assert np.all(places.min(axis=0) >= 0.0)
    assert np.all(places.max(axis=0) <= rim.max(axis=0))
    # angles are kept: the sides at 001 meet at 45 deg
    assert np.all(places[:, 1] <= places[:, 0])


def test_the_direction_along_an_axis_is_on_crystal_axes() -> None:
    # a crystal whose 100 was turned to sample y, 010 to -x
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert crystal_direction(quarter, np.array([0.0, 5.0, 0.0])) == pytest.approx([1.0, 0.0, 0.0])
    assert crystal_direction(quarter, np.array([1.0, 0.0, 0.0])) == pytest.approx([0.0, -1.0, 0.0])


def test_random_grains_fill_the_triangle_by_solid_angle() -> None:
    rng = np.random.default_rng(4)
    turn = matrix_from_quaternion(random_quaternions(rng, 20_000))
    direction = standard_triangle(crystal_direction(turn, np.array([0.0, 0.0, 1.0])))
    # the mean of x^4 + y^4 + z^4 over the sphere is 3/5
    assert (direction**4).sum(axis=1).mean() == pytest.approx(0.6, abs=0.004)


def test_only_the_full_cubic_class_has_this_triangle() -> None:
    assert [is_cubic(group) for group in (220, 229, 230, 206, 194)] == [True] * 3 + [False] * 2
