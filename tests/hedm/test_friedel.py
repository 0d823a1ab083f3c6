"""Friedel pairs: what two mates say of g and of their grain's place."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm import _kernels_friedel as kernels
from mesolith.hedm.friedel import (
    crossing_pairs,
    friedel_pairs,
    pairs_of_a_reflection,
    upright_spots,
)
from mesolith.instrument.goniometer import Goniometer, axis_tilt
from mesolith.instrument.instrument import Instrument, kernel_arrays
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.spots import Spots
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import SETTINGS, UPRIGHT, llzo, predicted_layer
from tests.instrument.setups import crooked
from tests.records.spot_lists import spots_at


def pairs_of_one_grain(instrument: Instrument) -> tuple[FloatArray, FloatArray, FloatArray]:
    """g (n, 3) and equations (n, 9) of the pairs of one grain, turntable axes; its place."""
    spots, lattice, position = predicted_layer(instrument, llzo(), 1, 2)
    pairs = friedel_pairs(upright_spots(spots, instrument, llzo().spacing, SETTINGS), SETTINGS)
    tilt = axis_tilt(instrument.goniometer)
    hkl = np.einsum("ij,nj->ni", (tilt.T @ lattice[0]).T, pairs.g)
    return hkl, pairs.equation, position[0] @ tilt


@pytest.mark.parametrize("instrument", [UPRIGHT, crooked()], ids=["upright", "crooked"])
def test_pairs_know_g_and_the_place(instrument: Instrument) -> None:
    hkl, equation, place = pairs_of_one_grain(instrument)
    assert len(hkl) > 100 if instrument is UPRIGHT else len(hkl) > 40
    # errors of 0.05 deg over the square root of two, at |hkl| up to 4.7
    off = np.abs(hkl - np.rint(hkl))
    assert np.median(off.max(axis=1)) < 2e-3
    true = off.max(axis=1) < 0.015
    assert true.mean() > 0.95
    rows = np.concatenate([equation[true][:, 3:5], equation[true][:, 6:8]])
    rows = np.column_stack([rows, np.repeat([0.0, 1.0], true.sum())])
    values = np.concatenate([equation[true][:, 5], equation[true][:, 8]])
    solved = np.linalg.lstsq(rows, values, rcond=None)[0]
    # noise of 14 um an equation, and 2 percent of tilt times 700 um on the crooked one
    assert np.abs(solved - place).max() < (8.0 if instrument is UPRIGHT else 20.0)


def test_pairs_against_all_pairs_tried() -> None:
    spots, _, _ = predicted_layer(UPRIGHT, llzo(), 3, 5)
    upright = upright_spots(spots, UPRIGHT, llzo().spacing, SETTINGS)
    found = friedel_pairs(upright, SETTINGS)
    rows, shell = upright.rows, upright.shell
    one, two = np.triu_indices(len(rows), 1)
    first = rows[one, 2] < np.pi
    one, two = np.where(first, one, two), np.where(first, two, one)
    y, z, omega, intensity = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3]
    off = np.angle(np.exp(1j * (omega[two] - omega[one] - np.pi)))
    radius = 0.5 * np.hypot(y[one] + y[two], z[one] - z[two])
    window = upright.windows[shell[one]]
    margin = 4.0 * np.sqrt(2.0) * 20.0
    spread = 0.1**2 + rows[one, 7] + rows[two, 7]
    good = (shell[one] == shell[two]) & (omega[one] < np.pi)
    good &= off**2 <= 16.0 * (rows[one, 6] + rows[two, 6])
    good &= (np.abs(y[one] - y[two]) <= 1600.0 + margin) & (np.abs(z[one] + z[two]) <= 100 + margin)
    good &= (radius >= window[:, 0]) & (radius <= window[:, 1])
    good &= (intensity[one] - intensity[two]) ** 2 <= 16.0 * spread
    wanted = {tuple(sorted(pair)) for pair in upright.order[np.column_stack([one, two])[good]]}
    assert {tuple(sorted(pair)) for pair in found.members} == wanted
    assert len(wanted) > 300


def test_taken_spots_make_no_pairs() -> None:
    spots, _, _ = predicted_layer(UPRIGHT, llzo(), 2, 6)
    upright = upright_spots(spots, UPRIGHT, llzo().spacing, SETTINGS)
    taken = np.zeros(len(spots), dtype=np.bool_)
    taken[::2] = True
    pairs = friedel_pairs(upright, SETTINGS, taken=taken)
    assert len(pairs)
    assert not taken[pairs.members].any()


def spots_of(place: FloatArray, omega: float) -> Spots:
    return spots_at(np.full(len(place), omega), fast=place[:, 0], slow=place[:, 1])


def test_spots_on_no_ring_take_nobodys_place() -> None:
    """The lowest on the first ring at omega 0 beside the highest on none."""
    wavelength = UPRIGHT.beam.wavelength
    angle = 2.0 * np.arcsin(0.5 * wavelength / llzo().spacing[0])
    eta = np.radians([30.0, 60.0, 150.0, -30.0, -60.0, -150.0])
    ray = np.column_stack([np.cos(eta), np.sin(eta)])
    on = 1023.5 + Station().distance * np.tan(angle) / Station().pitch * ray
    off = 1023.5 + np.array([[0.0, 950.0], [0.0, -950.0], [10.0, 940.0], [10.0, -940.0]])
    found = upright_spots(
        spots_of(np.concatenate([on, off]), 1e-3), UPRIGHT, llzo().spacing, SETTINGS
    )
    assert sorted(found.order.tolist()) == [0, 1, 2, 3, 4, 5]
    assert found.shell.tolist() == [0] * 6
    assert np.all(np.diff(found.rows[:, 1]) >= 0.0)


def test_what_an_upright_axis_would_not_bring_is_on_no_ring() -> None:
    """At the pole of a leaning axis; what the kernel is given to fill may hold anything."""
    tilted = Instrument(UPRIGHT.beam, Goniometer(0.02, 0.01), UPRIGHT.panels)
    up = 1023.5 + np.outer(np.linspace(200.0, 900.0, 60), [1.0, -1.0])
    at = np.concatenate([np.column_stack([np.full(60, 1023.5), up[:, k]]) for k in (0, 1)])
    source, panels = kernel_arrays(tilted)
    place, shell = np.full((len(at), 3), np.nan), np.full(len(at), 7)
    kernels.upright_spots(
        np.zeros(len(at), dtype=np.int64),
        np.ascontiguousarray(at.T),
        np.zeros(len(at)),
        source,
        panels,
        axis_tilt(tilted.goniometer),
        Station().distance,
        np.array([[0.0, 1e9]]),
        0.0,
        place,
        shell,
    )
    assert np.any(shell < 0)
    assert np.any(shell == 0)
    assert np.all(np.isfinite(place))


def slow_pair(one: FloatArray, two: FloatArray, distance: float, wavelength: float) -> FloatArray:
    """g of the first spot from rotation matrices and rays."""
    share = one[6] / (one[6] + two[6])
    omega = one[2] + share * np.angle(np.exp(1j * (two[2] - one[2] - np.pi)))
    ray = np.array([2.0 * distance, one[0] + two[0], one[1] - two[1]])
    g = (ray / np.linalg.norm(ray) - np.array([1.0, 0.0, 0.0])) / wavelength
    half = np.array([np.cos(omega / 2), 0.0, 0.0, np.sin(omega / 2)])
    turned: FloatArray = matrix_from_quaternion(half).T @ g
    return turned


def test_vectors_of_pairs_against_a_slow_twin() -> None:
    spots, _, _ = predicted_layer(UPRIGHT, llzo(), 2, 7)
    upright = upright_spots(spots, UPRIGHT, llzo().spacing, SETTINGS)
    pairs = friedel_pairs(upright, SETTINGS)
    back = np.empty(len(spots), dtype=np.int64)
    back[upright.order] = np.arange(len(upright.order))
    members: IntArray = back[pairs.members]
    for k in range(0, len(pairs), 20):
        one, two = upright.rows[members[k]]
        slow = slow_pair(one, two, upright.distance, upright.wavelength)
        assert np.allclose(pairs.g[k], slow, atol=1e-12)


def test_upright_places_against_a_slow_twin() -> None:
    """The same g, met by a beam along x and an axis along z."""
    tilted = Instrument(UPRIGHT.beam, Goniometer(0.01, 0.004), UPRIGHT.panels)
    spots, _, _ = predicted_layer(tilted, llzo(), 1, 8)
    found = upright_spots(spots, tilted, llzo().spacing, SETTINGS)
    tilt = axis_tilt(tilted.goniometer)
    panel = tilted.panels[0]
    for k in range(0, len(found.order), 25):
        row = found.order[k]
        flat = np.array([spots.fast[row], spots.slow[row]]) - 1023.5
        point = panel.origin + panel.rotation[:, :2] @ (200.0 * flat)
        g = tilt.T @ (point / np.linalg.norm(point) - [1.0, 0.0, 0.0]) / tilted.beam.wavelength

        # turn about z until the Laue condition holds, by bisection about the measured angle
        def off(angle: float, g: FloatArray = g) -> float:
            return float(
                np.cos(angle) * g[0] - np.sin(angle) * g[1] + 0.5 * tilted.beam.wavelength * g @ g
            )

        low, high = -0.2, 0.2
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if off(low) * off(middle) > 0.0 else (low, middle)
        ray = np.array(
            [
                1.0 - 0.5 * tilted.beam.wavelength**2 * g @ g,
                tilted.beam.wavelength * (np.sin(low) * g[0] + np.cos(low) * g[1]),
                tilted.beam.wavelength * g[2],
            ]
        )
        assert np.allclose(found.rows[k, :2], found.distance * ray[1:] / ray[0], atol=1e-3)
        assert np.angle(np.exp(1j * (found.rows[k, 2] - spots.omega[row] - low))) == pytest.approx(
            0.0, abs=1e-8
        )
    assert found.distance == pytest.approx(float(panel.origin @ tilt[:, 0]))


def test_the_other_crossing_of_the_mate_says_the_same() -> None:
    """-g a few degrees before g: g to the place over the distance, and two exact equations."""
    spots, lattice, position = predicted_layer(UPRIGHT, llzo(), 1, 3)
    pairs = crossing_pairs(upright_spots(spots, UPRIGHT, llzo().spacing, SETTINGS), SETTINGS)
    assert len(pairs) > 140
    hkl = pairs.g @ lattice[0]
    off = np.abs(hkl - np.rint(hkl)).max(axis=1)
    true = off < 0.015
    assert true.mean() > 0.97
    e = pairs.equation[true]
    rows = np.column_stack([np.concatenate([e[:, 3:5], e[:, 6:8]]), np.repeat([0.0, 1.0], len(e))])
    values = np.concatenate([e[:, 5], e[:, 8]])
    assert np.abs(np.linalg.lstsq(rows, values, rcond=None)[0] - position[0]).max() < 6.0
    assert np.std(rows @ position[0] - values) < 16.0


def test_how_many_pairs_a_rotation_brings() -> None:
    spots, _, _ = predicted_layer(UPRIGHT, llzo(), 1, 3)
    assert pairs_of_a_reflection(spots) == pytest.approx((2.0, 2.0))
    half, _, _ = predicted_layer(UPRIGHT, llzo(), 1, 3, omega_range=(-1.5, 1.5))
    assert pairs_of_a_reflection(half) == pytest.approx((0.0, 3.0 / np.pi), abs=0.01)
