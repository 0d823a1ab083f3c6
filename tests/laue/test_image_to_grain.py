"""From a virtual image of a bent grain to its orientation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesolith.laue.geometry import laue_geometry
from mesolith.laue.index import laue_indexer
from mesolith.laue.peaks import find_laue_peaks
from mesolith.laue.solve import index_pattern
from mesolith.virtual.laue.images import CameraPlan, image_of_spots, streaked_spots
from mesolith.virtual.laue.patterns import exact_spots
from mesolith.virtual.rotation import matrices_from_vectors
from tests.laue.patterns import (
    STATION,
    crystals,
    indexer,
    instrument_of,
    virtual_reflections,
)

COARSE = replace(STATION, shape=(640, 640), pitch=3.2 * STATION.pitch)
BENDING = np.array([[4e-4, -8e-4, 3e-4]])


def test_streaks_are_where_a_turned_grain_has_its_spots() -> None:
    grains = crystals(21)
    spots, grain = streaked_spots(
        grains, virtual_reflections(), COARSE, BENDING, brightest=1e5, faintest=300.0
    )
    assert set(grain.tolist()) == {0}
    turned = replace(grains, orientation=matrices_from_vectors(BENDING) @ grains.orientation)
    moved = exact_spots(turned, virtual_reflections(), COARSE).place
    ends = spots.place + spots.streak
    stays = np.all((ends > 1.0) & (ends < 638.0), axis=1)
    assert stays.sum() > 100
    for place, streak in zip(spots.place[stays], spots.streak[stays], strict=True):
        assert np.hypot(*(moved - place - streak).T).min() < 0.02


def test_the_grain_of_an_image_is_found() -> None:
    grains = crystals(22)
    spots, _ = streaked_spots(
        grains, virtual_reflections(), COARSE, BENDING, brightest=1e5, faintest=300.0
    )
    image = image_of_spots(spots, CameraPlan(hot=30), COARSE.shape, np.random.default_rng(22))
    peaks = find_laue_peaks(image, shape=COARSE.shape)
    geometry = laue_geometry(instrument_of(COARSE), surface=COARSE.surface)
    answer = index_pattern(laue_indexer(indexer().reflections, geometry), peaks)
    assert len(answer.grains) == 1
    assert answer.grains.completeness[0] > 0.5
    true = np.linalg.inv(grains.lattice_vectors(1.0)[0]).T
    found = np.linalg.inv(answer.grains.lattice_vectors[0]).T
    # the same lattice: columns of one are whole combinations of the other's
    change = np.linalg.inv(true) @ found * np.cbrt(np.linalg.det(true) / np.linalg.det(found))
    assert np.abs(change - np.rint(change)).max() < 1e-3
    pull = answer.assignment.residual / np.sqrt(
        np.diagonal(peaks.covariance, axis1=1, axis2=2)[answer.assignment.peak]
    )
    assert np.median(np.abs(pull)) < 1.5
