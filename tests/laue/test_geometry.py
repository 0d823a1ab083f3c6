"""The panel as Laue kernels see it, beside the instrument's own functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.instrument.panel import pixels_from_rays
from mesolith.laue._kernels_predict import project
from mesolith.laue.geometry import (
    check_frame_size,
    check_peaks_on_panel,
    ideal_pixels,
    laue_geometry,
    scattering_directions,
)
from tests.instrument.setups import bent, crooked
from tests.laue.patterns import STATION, geometry, instrument_of

BEAM = np.array([1.0, 0.0, 0.0])


def test_spots_fall_where_the_instrument_says(rng: np.random.Generator) -> None:
    panel = instrument_of(STATION).panels[0]
    g = geometry().centre + 0.3 * rng.standard_normal((40, 3))
    ray = BEAM - 2.0 * g * (g @ BEAM / np.sum(g**2, axis=1))[:, None]
    depth = rng.uniform(0.0, 60.0, len(g))
    fast, slow = pixels_from_rays(panel, depth[:, None] * BEAM, ray)
    for k, vector in enumerate(g):
        found = project(*vector, depth[k], geometry().row)
        if np.isnan(fast[k]):
            assert found[2] == 0.0
            continue
        np.testing.assert_allclose(found[:2], (fast[k], slow[k]), atol=1e-7)
        assert found[2] == pytest.approx(-vector @ BEAM / np.linalg.norm(vector))
    back = scattering_directions(geometry().row, fast, slow, depth)
    seen = np.isfinite(fast)
    assert seen.sum() > 10
    np.testing.assert_allclose(
        back[seen], (g / np.linalg.norm(g, axis=1, keepdims=True))[seen], atol=1e-12
    )


def test_a_spot_behind_the_source_is_none() -> None:
    assert project(1.0, 0.0, 0.2, 0.0, geometry().row)[2] == 0.0
    assert project(-1.0, 0.0, -1.0, 0.0, geometry().row)[2] == 0.0


def test_a_distorted_panel_is_straightened() -> None:
    both = crooked(distortion=bent())
    one = replace(both, panels=both.panels[:1])
    panel = one.panels[0]
    made = laue_geometry(one, surface=-one.beam.direction)
    fast, slow = np.array([100.0, 900.0]), np.array([50.0, 1200.0])
    ideal = ideal_pixels(made, fast, slow)
    assert np.abs(ideal - np.stack([fast, slow], axis=1)).max() > 0.01
    # the ray through the ideal place is recorded at the distorted one
    q = scattering_directions(made.row, ideal[:, 0], ideal[:, 1], np.zeros(2))
    beam = one.beam.direction
    ray = beam - 2.0 * q * (q @ beam)[:, None]
    np.testing.assert_allclose(
        np.stack(pixels_from_rays(panel, np.zeros(3), ray)), [fast, slow], atol=1e-6
    )


def test_what_cannot_be_a_laue_station_is_refused() -> None:
    one = instrument_of(STATION)
    with pytest.raises(InvalidValueError, match="does not face the beam"):
        laue_geometry(one, surface=np.array([1.0, 0.0, 1.0]))
    two = replace(one, panels=(one.panels[0], replace(one.panels[0], name="other")))
    with pytest.raises(InvalidValueError, match="read from one panel; here are 2"):
        laue_geometry(two, surface=STATION.surface)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_what_another_detector_took_is_refused() -> None:
    check_frame_size(geometry(), (2048, 2048), where="a.tif")
    with pytest.raises(ContradictionError, match="2016 x 2018 pixels") as told:
        check_frame_size(geometry(), (2016, 2018), where="a.tif")
    assert "a.tif" in str(told.value)
    check_peaks_on_panel(geometry(), np.array([-0.5, 2047.5]), np.array([0.0, 2000.0]))
    with pytest.raises(ContradictionError, match="1 of 2 peaks lie beyond the panel"):
        check_peaks_on_panel(geometry(), np.array([5.0, 2060.0]), np.array([0.0, 2000.0]))
