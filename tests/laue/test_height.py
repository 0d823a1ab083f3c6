"""Heights of a virtual surface, found again point by point and as a smooth surface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.laue.height import PatternInScan, fit_heights, fit_surface, raised_geometry
from mesolith.laue.modes import calibration_modes, height_mode
from mesolith.laue.solve import index_pattern
from mesolith.records.field import CommonMode
from mesolith.records.laue import laue_peaks
from mesolith.records.laue_height import LaueHeights, LaueSurface
from mesolith.virtual.laue.patterns import PatternPlan, measure_pattern
from tests.laue.patterns import (
    STATION,
    crystals,
    geometry,
    indexer,
    instrument_of,
    peaks_of,
    virtual_reflections,
)

TRUE = np.array([60.0, -40.0, 20.0, 0.0])


def test_heights_come_back_within_their_errors() -> None:
    covariance = np.diag(np.square([10.0, 0.1, 0.1, 1e-4, 1e-4]))
    modes = (
        *calibration_modes(instrument_of(STATION), covariance),
        height_mode(geometry(), 50.0),
    )
    told = replace(indexer(), geometry=replace(geometry(), modes=modes))
    patterns = []
    for k, height in enumerate(TRUE):
        x, y, z = STATION.middle
        seen = replace(STATION, middle=(x + height / np.sin(STATION.incidence), y, z))
        grains = crystals(100 + k, (1.0, 0.5))
        plan, rng = PatternPlan(family_log_sigma=1.0), np.random.default_rng([k, 1])
        peaks = peaks_of(measure_pattern(grains, virtual_reflections(), seen, plan, rng))
        patterns.append(PatternInScan(peaks, index_pattern(told, peaks)))
    nothing = laue_peaks(np.zeros(0), np.zeros(0), np.zeros(0))
    patterns.append(PatternInScan(nothing, index_pattern(told, nothing)))
    found = fit_heights(told, patterns)
    pull = (found.height[:4] - TRUE) / found.height_error[:4]
    assert np.abs(pull).max() < 3.0
    assert np.all(found.height_error[:4] < 25.0)
    # most of a height looks like rotation and strain
    assert np.all((found.unmixed[:4] > 0.1) & (found.unmixed[:4] < 0.4))
    assert (found.pattern[4], found.height[4], found.height_error[4]) == (-1, 0.0, np.inf)
    # a panel off its place along the beam is a height: 0.1 px are about 6 um
    assert [mode.name for mode in found.common_modes] == [mode.name for mode in modes[:5]]
    shifts = np.array([mode.sigma * mode.derivatives["height"] for mode in found.common_modes])
    total = np.sqrt(np.sum(shifts**2, axis=0))[:4]
    assert np.all((total > 4.0) & (total < 60.0))
    # with the height known, the strain is as with a station that is right
    first = patterns[0]
    better = replace(told, geometry=raised_geometry(told.geometry, TRUE[0], 2.0))
    assert [mode.sigma for mode in better.geometry.modes] == [1.0] * 5 + [2.0]
    true = crystals(100, (1.0, 0.5)).strain[0]
    off = [
        np.linalg.norm(index_pattern(one, first.peaks).grains.strain[0] - true)
        for one in (told, better)
    ]
    assert off[1] < 0.5 * off[0]


def heights_of(x: np.ndarray[tuple[int], np.dtype[np.float64]], values: object) -> LaueHeights:
    count = len(x)
    return LaueHeights(
        pattern=np.arange(count),
        height=np.asarray(values),
        height_error=np.full(count, 10.0),
        unmixed=np.full(count, 0.2),
        spots=np.full(count, 100),
        common_modes=(CommonMode("shift", 3.0, "1", {"height": np.ones(count)}),),
    )


def test_a_smooth_surface_is_far_surer_than_its_points(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    x, y = rng.uniform(0.0, 260.0, (2, 900))
    true = 10.0 + 0.1 * x - 0.05 * y + 20.0 * ((y - 130.0) / 130.0) ** 2
    seen = true + 10.0 * rng.standard_normal(900)
    seen[:20] += 300.0
    surface = fit_surface(heights_of(x, seen), x, y)
    here, error = surface.at(x, y)
    assert np.sqrt(np.mean(error**2)) < 1.2
    assert np.sqrt(np.mean((here - true) ** 2)) < 1.5
    assert np.mean(np.abs(here - true) < 2.0 * error) > 0.8
    (mode,) = surface.common_modes
    np.testing.assert_allclose(mode.derivatives["coefficient"], [1, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(
        surface.standard_error("coefficient"), np.sqrt(np.diag(surface.covariance))
    )
    write_record(tmp_path / "a.nxs", surface)
    np.testing.assert_array_equal(read_record(tmp_path / "a.nxs", LaueSurface).at(x, y)[0], here)
    with pytest.raises(InvalidValueError, match="10 points with a height cannot determine"):
        fit_surface(heights_of(x[:10], seen[:10]), x[:10], y[:10])
    with pytest.raises(InvalidValueError, match="on one line"):
        fit_surface(heights_of(x, seen), x, np.zeros(900))
