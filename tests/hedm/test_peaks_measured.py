"""Spots of measured frames lie where HEXRD's grains put them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from mesolith.hedm.peaks import find_spots
from mesolith.instrument.predict import predict_spots
from tests.hedm.ruby import on_parts, rubies, ruby_frames, strong_reflections

FRAMES = 480
NEAR = np.array([1.0 / 4.0, 1.0 / 4.0, 1.0 / np.deg2rad(0.5)])


def test_three_rubies(measured: Callable[[str], Path]) -> None:
    truth = rubies(measured)
    names = tuple(panel.name for panel in truth.instrument.panels)
    spots = on_parts(find_spots(ruby_frames(measured, "ff1", FRAMES)), names)
    # the files state 0.25 deg a frame; 1,441 frames make a turn (benchmarks/hedm_ruby.py)
    omega = spots.omega * 1440.0 / 1441.0
    hkl = strong_reflections(truth.lattice)
    expected = predict_spots(
        truth.instrument, truth.lattice_vectors, truth.position, hkl.astype(np.float64)
    )
    angle = np.mod(expected.omega, 2.0 * np.pi)
    # not within two frames of the ends, nor where a spot grazes the sphere for many frames
    seen = (expected.panel >= 0) & (expected.panel < 4) & (np.abs(expected.rate) > 0.03)
    seen &= (angle > 0.01) & (angle < np.deg2rad(0.25 * FRAMES) - 0.01)
    # the number of the part sets spots of different parts far apart
    place = np.column_stack([spots.fast, spots.slow, omega]) * NEAR
    tree = cKDTree(np.column_stack([place, 1e4 * spots.panel]))
    wanted = np.column_stack([expected.fast[seen], expected.slow[seen], angle[seen]]) * NEAR
    wanted = np.column_stack([wanted, 1e4 * expected.panel[seen]])
    distance, nearest = tree.query(wanted)
    found = distance < 1.5
    assert len(wanted) > 40
    assert found.mean() > 0.95
    elsewhere, _ = tree.query(wanted + np.array([0.0, 0.0, 10.0, 0.0]))
    assert np.mean(elsewhere < 1.5) < 0.02
    away = (np.column_stack([place, 1e4 * spots.panel])[nearest[found]] - wanted[found])[:, :3]
    away = np.median(away / NEAR, axis=0)
    assert np.all(np.abs(away[:2]) < 0.15)
    assert abs(np.rad2deg(away[2])) < 0.06
