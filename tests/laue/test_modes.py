"""What an error of the station does to strains, against the station really moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.panel import laboratory_from_pixels, pixels_from_rays
from mesolith.instrument.panel_motion import (
    PANEL_PARAMETERS,
    moved_panel,
    panel_motions,
    panel_numbers,
)
from mesolith.laue.geometry import laue_geometry, place_by_motion
from mesolith.laue.modes import calibration_modes, depth_motion, height_mode
from mesolith.laue.solve import index_pattern
from tests.laue.patterns import (
    STATION,
    crystals,
    geometry,
    indexer,
    instrument_of,
    pattern,
    peaks_of,
)

INSTRUMENT = instrument_of(STATION)
BEAM, PANEL = INSTRUMENT.beam.direction, INSTRUMENT.panels[0]
COVARIANCE = np.diag(np.square([10.0, 0.1, 0.1, 1e-4, 1e-4]))
COVARIANCE[0, 1] = COVARIANCE[1, 0] = 0.5


@pytest.mark.parametrize("parameter", range(5))
def test_places_move_as_the_panel_does(parameter: int) -> None:
    rng = np.random.default_rng(0)
    place, depth = rng.uniform(0.0, 2047.0, (5, 2)), rng.uniform(0.0, 50.0, 5)
    start = depth[:, None] * BEAM
    rays = laboratory_from_pixels(PANEL, *place.T) - start
    step = (1.0, 0.01, 0.01, 1e-6, 1e-6)[parameter]
    changes = step * np.eye(5)[parameter]
    ahead, behind = (
        np.stack(pixels_from_rays(moved_panel(PANEL, BEAM, sign * changes), start, rays), axis=1)
        for sign in (1.0, -1.0)
    )
    ours = place_by_motion(geometry().row, place, depth) @ panel_motions(PANEL, BEAM)[parameter]
    np.testing.assert_allclose((ahead - behind) / (2.0 * step), ours, rtol=1e-6, atol=1e-9)
    numbers = np.array(panel_numbers(moved_panel(PANEL, BEAM, 0.3 * np.eye(5)[parameter])))
    told = numbers - panel_numbers(PANEL)
    np.testing.assert_allclose(told, 0.3 * np.eye(5)[parameter, :3], atol=1e-8)
    deeper = place_by_motion(geometry().row, place, depth) @ depth_motion(geometry())
    later = np.stack(pixels_from_rays(PANEL, start + BEAM, rays), axis=1)
    np.testing.assert_allclose(later - place, deeper, atol=1e-6)


def test_strains_move_as_their_modes_say() -> None:
    """A pattern analysed with the panel one standard deviation of each mode off its place."""
    modes = (*calibration_modes(INSTRUMENT, COVARIANCE), height_mode(geometry(), 10.0))
    motions = panel_motions(PANEL, BEAM)
    summed = sum(np.outer(mode.motion, mode.motion) for mode in modes[:5])
    np.testing.assert_allclose(summed, motions.T @ COVARIANCE @ motions, rtol=1e-9, atol=1e-12)
    told = replace(indexer(), geometry=replace(geometry(), modes=modes))
    made = peaks_of(pattern(25, crystals(25)))
    right = index_pattern(told, made).grains
    moved: list[FloatArray] = []
    for mode in modes[:2]:
        changes = np.linalg.lstsq(motions.T, mode.motion, rcond=None)[0]
        off = replace(INSTRUMENT, panels=(moved_panel(PANEL, BEAM, -changes),))
        believed = laue_geometry(off, surface=STATION.surface)
        wrong = index_pattern(replace(indexer(), geometry=believed), made).grains
        moved.append(wrong.strain[0] - right.strain[0])
    for mode, change in zip(right.common_modes, moved, strict=False):
        assert np.abs(change).max() > 2e-5
        np.testing.assert_allclose(mode.derivatives["strain"][0], change, atol=3e-6)
    height = right.common_modes[-1]
    assert (height.name, height.sigma, height.unit) == ("surface height", 10.0, "um")
    np.testing.assert_allclose(
        height.derivatives["strain"], -np.sqrt(2.0) * right.depth_sensitivity, rtol=1e-6
    )
    total = sum((mode.sigma * mode.derivatives["strain"]) ** 2 for mode in right.common_modes)
    np.testing.assert_allclose(right.systematic_error() ** 2, total)


def test_a_panel_across_the_beam_is_refused() -> None:
    turn = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    ahead = replace(PANEL, rotation=turn, origin=np.array([1e5, 0.0, 0.0]))
    with pytest.raises(InvalidValueError, match=r"within 0\.0 deg of the beam"):
        panel_motions(ahead, BEAM)
    assert len(PANEL_PARAMETERS) == len(panel_motions(PANEL, BEAM))
