"""Wedge, roll, centre and tilts come back from Friedel pairs of unknown grains."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.hedm.calibrate_pairs import calibrate_from_pairs, pair_residuals
from tests.hedm.layers import SPACINGS, layer, station

TRUE = {
    "tilt_x": np.deg2rad(0.1),
    "wedge": np.deg2rad(-0.08),
    "shift_y": 300.0,
    "shift_z": -250.0,
    "tilt_y": np.deg2rad(0.3),
    "tilt_z": np.deg2rad(-0.25),
    "distance": 1500.0,
}


def test_a_crooked_station_is_found_from_loose_pairs() -> None:
    made = layer(station(**TRUE), 80, np.random.default_rng(1), false=2000)
    found = calibrate_from_pairs(station(), made.spots, SPACINGS)
    change = dict(zip(found.name, found.change, strict=True))
    # heights and strains that a grain's pairs share: 30 um and 3e-4 over 80 grains
    shared = {"shift_z": 3.5, "distance": 75.0}
    for name, value in TRUE.items():
        assert abs(change[name] - value) < 4.0 * (found.sigma(name) + shared.get(name, 0.0)), name
    assert found.sigma("tilt_x") < np.deg2rad(0.001)
    assert found.sigma("wedge") < np.deg2rad(0.001)
    assert found.sigma("shift_y") < 5.0
    assert found.sigma("tilt_y") < np.deg2rad(0.05)
    # the pairs believed in are true ones
    assert 0.3 * len(made.spots) / 2 < found.used < 0.7 * len(made.spots) / 2


def test_a_pair_of_the_true_station_leaves_only_its_place() -> None:
    """Without noise: exact to second order in position over distance, whatever the wedge."""
    instrument = station(**TRUE)
    made = layer(instrument, 20, np.random.default_rng(2))
    first, second, spacing = [], [], []
    for k in range(20):
        own = np.flatnonzero(made.grain == k)
        for i in own:
            mates = own[(made.hkl[own] == -made.hkl[i]).all(axis=1)]
            late = np.cos(made.spots.omega[mates] - made.spots.omega[i])
            for j in mates[late < -0.9999]:
                if i < j:
                    first.append(i)
                    second.append(j)
                    spacing.append(12.95 / np.linalg.norm(made.hkl[i]))
    pairs = np.column_stack([first, second])
    assert len(pairs) > 500
    off = pair_residuals(instrument, made.spots, pairs, np.array(spacing))
    sigma_late = np.sqrt(2.0) * np.deg2rad(0.05)
    assert np.std(off[:, 0]) == pytest.approx(sigma_late, rel=0.1)
    assert abs(np.mean(off[:, 0])) < 5.0 * sigma_late / np.sqrt(len(pairs))
    assert np.abs(off[:, 1]).max() < 50.0 + 0.13 * 800.0 + 60.0  # height, lean of the ray, noise
    assert np.std(off[:, 2]) < 6e-4
    crooked = station(**{**TRUE, "wedge": 0.0})
    late = pair_residuals(crooked, made.spots, pairs, np.array(spacing))[:, 0]
    assert np.std(late) > 1.5 * sigma_late


def test_no_pairs_are_said() -> None:
    made = layer(station(), 5, np.random.default_rng(3))
    with pytest.raises(InvalidValueError, match="Friedel pairs were found, 200 are needed"):
        calibrate_from_pairs(station(), made.spots, np.array([3.0]))
