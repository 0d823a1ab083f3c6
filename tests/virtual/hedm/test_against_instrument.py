"""Two formulations of one instrument: the analysis' closed form and the virtual station's search.

They share no code. Crooked in all that either knows: tilts, wedge, chi, off centre, distortion.
"""

from __future__ import annotations

import numpy as np

from mesolith.instrument.predict import predict_spots
from mesolith.virtual.hedm.grains import random_grains
from mesolith.virtual.hedm.rays import rays_of
from mesolith.virtual.hedm.reflections import reflections_of
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_station import instrument_of

STATION = Station(
    centre=(3_000.0, -2_000.0),
    tilt=(0.02, -0.015, 0.01),
    wedge=0.004,
    chi=-0.003,
    distortion=(-2e-4, -4e-4, -5e-4, 2.0, 2.0, 2.0),
)


def test_every_spot_falls_on_the_same_place() -> None:
    instrument = instrument_of(STATION)
    grains = random_grains(np.random.default_rng(11), 20)
    hkl = reflections_of().hkl
    theirs = predict_spots(instrument, grains.lattice, grains.position, hkl.astype(np.float64))
    rays = rays_of(grains, hkl, STATION)
    assert len(rays) == (theirs.panel >= 0).sum()
    omega = theirs.omega[rays.grain, rays.member]
    late = np.mod(omega - rays.omega[:, None] + np.pi, 2.0 * np.pi) - np.pi
    which = np.argmin(np.where(np.isnan(late), np.inf, np.abs(late)), axis=1)
    row = np.arange(len(rays))
    assert np.abs(late[row, which]).max() < 1e-10
    for mine, other in ((rays.fast, theirs.fast), (rays.slow, theirs.slow)):
        assert np.abs(other[rays.grain, rays.member, which] - mine).max() < 1e-6
