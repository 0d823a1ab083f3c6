"""A panel's pixels: where they lie, what its edges hold, which rays reach it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import DuplicateError, InvalidValueError, OrientationError
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import (
    laboratory_from_pixels,
    on_panel,
    pixels_from_laboratory,
    pixels_from_rays,
)
from tests.instrument.setups import bent, crooked

LEFT, RIGHT = crooked(distortion=bent()).panels


def test_the_first_pixel_lies_half_a_panel_from_the_middle() -> None:
    flat = replace(RIGHT, distortion=None)  # 1500 slow of 150 um, 2000 fast of 175 um
    fast, slow = flat.rotation[:, 0], flat.rotation[:, 1]
    corner = flat.origin - 999.5 * 175.0 * fast - 749.5 * 150.0 * slow
    np.testing.assert_allclose(laboratory_from_pixels(flat, np.array(0.0), np.array(0.0)), corner)
    step = laboratory_from_pixels(flat, np.array(1.0), np.array(2.0)) - corner
    np.testing.assert_allclose(step, 175.0 * fast + 2.0 * 150.0 * slow)


@pytest.mark.parametrize("panel", [LEFT, RIGHT])
def test_pixels_come_back_from_points_and_from_rays(panel: object) -> None:
    rng = np.random.default_rng(0)
    fast, slow = rng.uniform(0.0, 1000.0, (2, 20))
    points = laboratory_from_pixels(panel, fast, slow)  # type: ignore[arg-type]
    start = rng.uniform(-500.0, 500.0, (20, 3))
    for found in (
        pixels_from_laboratory(panel, points),  # type: ignore[arg-type]
        pixels_from_rays(panel, start, 3.0 * (points - start)),  # type: ignore[arg-type]
    ):
        np.testing.assert_allclose(found, [fast, slow], atol=1e-6)


def test_rays_that_do_not_come_have_no_pixel() -> None:
    away = np.array([[-1.0, 0.0, 0.0], LEFT.rotation[:, 0], [1.0, 0.0, 0.0]])
    fast, slow = pixels_from_rays(LEFT, np.zeros((3, 3)), away)
    assert np.isnan(fast[:2]).all()
    assert np.isnan(slow[:2]).all()
    assert np.isfinite([fast[2], slow[2]]).all()


def test_edges_of_outer_pixels_belong_to_the_panel() -> None:
    last_fast, last_slow = LEFT.shape[1] - 0.5, LEFT.shape[0] - 0.5
    fast = np.array([-0.5, last_fast, -0.51, last_fast + 0.01, 5.0, 5.0, 5.0, 5.0])
    slow = np.array([5.0, 5.0, 5.0, 5.0, -0.5, last_slow, -0.51, last_slow + 0.01])
    wanted = [True, True, False, False] * 2
    assert on_panel(LEFT, fast, slow).tolist() == wanted


@pytest.mark.parametrize(
    ("changes", "error", "what"),
    [
        ({"shape": np.array([0, 5])}, InvalidValueError, "shape"),
        ({"pitch": np.array([-1.0, 5.0])}, InvalidValueError, "pitch"),
        ({"origin": np.array([np.nan, 0.0, 0.0])}, InvalidValueError, "its place"),
        ({"rotation": -np.eye(3)}, OrientationError, "left-handed"),
        ({"rotation": 1.01 * np.eye(3)}, OrientationError, "not orthogonal"),
    ],
)
def test_what_is_no_panel_is_refused(
    changes: dict[str, object], error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        replace(LEFT, **changes)


def test_an_instrument_needs_panels_of_different_names() -> None:
    one = crooked()
    with pytest.raises(InvalidValueError, match="no panel"):
        Instrument(one.beam, one.goniometer, ())
    with pytest.raises(DuplicateError, match="share a name"):
        Instrument(one.beam, one.goniometer, (one.panels[0], one.panels[0]))
    with pytest.raises(InvalidValueError, match="no unit length"):
        replace(one.beam, direction=np.array([1.0, 0.1, 0.0]))
