"""Two formulations of one pattern: mirrored rays from sampled depths, and the analysis' own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesolith.laue.geometry import laue_geometry
from mesolith.laue.predict import predict_spots
from mesolith.virtual.laue.patterns import exact_spots, information_limit
from tests.laue.patterns import (
    LATTICE,
    STATION,
    crystals,
    indexer,
    instrument_of,
    pattern,
    true_reciprocal,
    virtual_reflections,
)


def test_spots_energies_and_depths_agree() -> None:
    station = replace(STATION, tilt=(0.05, -0.03, 0.02), incidence=0.7, middle=(2e3, -1e3, 1.4e5))
    grains = crystals(11)
    made = exact_spots(grains, virtual_reflections(), station)
    geometry = laue_geometry(instrument_of(station), surface=station.surface)
    ours = predict_spots(true_reciprocal(grains)[0], indexer().reflections, geometry)
    hkl = {tuple(row): k for k, row in enumerate(indexer().reflections.hkl[ours.direction])}
    member = virtual_reflections().hkl[made.member]
    primitive = member // np.gcd.reduce(member, axis=1)[:, None]
    pairs = [(k, hkl[tuple(row)]) for k, row in enumerate(primitive) if tuple(row) in hkl]
    one, other = np.array(pairs).T
    assert len(one) > 300
    # a spot of one harmonic is the same in both; of several the assumed spectrum weighs them
    single = ours.doubt[other] < 1e-6
    assert single.sum() > 150
    one, other = one[single], other[single]
    off = np.linalg.norm(made.place[one] - ours.place[other], axis=1)
    # but for a few whose other harmonics are too weak for our list
    assert np.mean(off < 2e-3) > 0.99
    assert off.max() < 0.2
    one, other = one[off < 2e-3], other[off < 2e-3]
    np.testing.assert_allclose(made.energy[one], ours.energy[other], rtol=1e-9)
    # ours come from a table in steps of energy
    np.testing.assert_allclose(made.depth[one], ours.depth[other], rtol=0.02)


def test_a_deep_grain_is_seen_where_its_rays_start() -> None:
    grains = crystals(12)
    deep = replace(grains, top=np.array([40.0]), bottom=np.array([50.0]))
    surface, below = (exact_spots(g, virtual_reflections(), STATION) for g in (grains, deep))
    assert np.all((below.depth >= 40.0) & (below.depth <= 50.0))
    both = np.isin(surface.member, below.member)
    shift = below.place[np.isin(below.member, surface.member)] - surface.place[both]
    # the panel's slow axis lies along the beam: 30 um deeper is about 0.4 px further
    assert 0.2 < np.median(shift[:, 1]) < 0.6
    assert np.all(below.intensity.max() < surface.intensity.max())


def test_a_list_is_what_its_plan_says() -> None:
    grains = crystals(13, (1.0, 0.5))
    clean = pattern(13, grains, missed=0.0, spurious=0.0, sigma_px=0.0, family_log_sigma=0.0)
    assert np.all(np.diff(clean.intensity) <= 0.0)
    assert np.all(clean.grain >= 0)
    noisy = pattern(13, grains, missed=0.3, spurious=0.2, family_log_sigma=0.0)
    real = noisy.grain >= 0
    assert 0.6 < real.sum() / len(clean.grain) < 0.8
    assert abs((~real).sum() / real.sum() - 0.2) < 0.01
    assert not noisy.hkl[~real].any()
    every = np.hypot(*(clean.place[:, None] - clean.place[None]).transpose(2, 0, 1))
    assert every[np.triu_indices(len(every), 1)].min() > 1.0


def test_the_information_limit_falls_with_noise_and_with_peaks() -> None:
    grains = crystals(14)
    made = pattern(14, grains, spurious=0.0)
    told = (grains, 0, made.hkl, made.depth, LATTICE, STATION)
    strain, turn = information_limit(*told, 0.1)
    np.testing.assert_allclose(information_limit(*told, 0.2), (2.0 * strain, 2.0 * turn), rtol=1e-6)
    few = (grains, 0, made.hkl[:20], made.depth[:20], LATTICE, STATION)
    assert information_limit(*few, 0.1)[0] > 1.5 * strain
    assert 1e-5 < strain < 1e-4
