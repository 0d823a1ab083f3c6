"""LaueTools' and XMAS' angles, numbers and matrices: their formulas written out, and back."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.instrument.laue_angles import (
    LaueDetector,
    directions_from_lauetools,
    directions_from_xmas,
    directions_of_pixels,
    lauetools_angles,
    lauetools_from_panel,
    lauetools_from_xmas,
    panel_from_lauetools,
    pixels_of_directions,
    reciprocal_from_xmas,
    xmas_angles,
    xmas_from_lauetools,
    xmas_from_reciprocal,
)
from tests.instrument.setups import crooked

FIVE = LaueDetector(70_775.0, 941.74, 1082.56, *np.deg2rad([3.0, -20.0]))
PANEL = panel_from_lauetools(FIVE, pitch=79.142, shape=(2018, 2016))
PIXELS = np.array([[100.0, 1900.0], [941.74, 1082.56], [2000.0, 30.0]])


def theirs(x: float, y: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """LaueTools' ray to a pixel on its own axes."""
    b, g = np.deg2rad([3.0, -20.0])
    x1, y1 = (x - 941.74) * 0.079142, (y - 1082.56) * 0.079142
    xa, ya = np.cos(g) * x1 + np.sin(g) * y1, -np.sin(g) * x1 + np.cos(g) * y1
    ray = np.array([xa, 70.775 * np.sin(b) + ya * np.cos(b), 70.775 * np.cos(b) - ya * np.sin(b)])
    return ray / np.linalg.norm(ray)


def test_angles_are_those_of_lauetools_and_xmas() -> None:
    rays = directions_of_pixels(PANEL, *PIXELS.T)
    two_theta, chi = lauetools_angles(rays)
    xmas_two_theta, xmas_chi = xmas_angles(rays)
    for k, (x, y) in enumerate(PIXELS):
        u = theirs(x, y)
        assert two_theta[k] == pytest.approx(np.arccos(u[1]), abs=1e-12)
        assert xmas_two_theta[k] == pytest.approx(np.arccos(u[1]), abs=1e-12)
        assert chi[k] == pytest.approx(np.arctan(-u[0] / u[2]), abs=1e-12)
        assert xmas_chi[k] == pytest.approx(np.arctan(u[0] / np.hypot(u[1], u[2])), abs=1e-12)
    # normal incidence leans by beta towards the beam
    assert np.rad2deg(two_theta[1]) == pytest.approx(87.0)
    assert chi[0] * xmas_chi[0] < 0.0


def test_angles_and_pixels_go_there_and_back() -> None:
    rays = directions_of_pixels(PANEL, *PIXELS.T)
    for back in (
        directions_from_lauetools(*lauetools_angles(rays)),
        directions_from_xmas(*xmas_angles(rays)),
    ):
        fast, slow = pixels_of_directions(PANEL, back)
        np.testing.assert_allclose(np.column_stack([fast, slow]), PIXELS, atol=1e-8)
    assert np.isnan(directions_from_xmas(np.array(0.1), np.array(1.0))).any()


def test_five_numbers_go_there_and_back() -> None:
    found = lauetools_from_panel(PANEL)
    for name in LaueDetector.__slots__:
        assert getattr(found, name) == pytest.approx(getattr(FIVE, name), abs=1e-9)
    xmas = xmas_from_lauetools(FIVE)
    assert (xmas.x_centre, xmas.y_centre) == (942.74, 1083.56)
    assert lauetools_from_xmas(xmas) == FIVE
    with pytest.raises(InvalidValueError, match="a normal in the plane of the beam and z"):
        lauetools_from_panel(crooked().panels[0])


def test_xmas_matrices_go_there_and_back() -> None:
    """XMAS' X runs across the beam along our y and its Z into the sample, as LaueTools reads it."""
    incidence, beta = np.deg2rad([40.0, 0.63])
    angle = incidence - beta / 2.0
    found = reciprocal_from_xmas(np.eye(3), incidence=incidence, beta=beta)
    assert np.linalg.det(found) == pytest.approx(1.0)
    np.testing.assert_allclose(found[:, 0], [0.0, 1.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(-found[:, 2], [-np.sin(angle), 0.0, np.cos(angle)], atol=1e-15)
    matrix = np.arange(9.0).reshape(3, 3)
    there = reciprocal_from_xmas(matrix, incidence=incidence, beta=beta)
    back = xmas_from_reciprocal(there, incidence=incidence, beta=beta)
    np.testing.assert_allclose(back, matrix, atol=1e-14)
