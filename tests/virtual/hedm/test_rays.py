"""Rays of the virtual station: slow twins, exact cases, information in a grain, real spots."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray, full_tensor
from mesolith.virtual.hedm._kernels_diffraction import crossings, diffract
from mesolith.virtual.hedm.grains import CrystalGrains, random_grains
from mesolith.virtual.hedm.rays import Rays, rays_of
from mesolith.virtual.hedm.reflections import reflections_of
from mesolith.virtual.hedm.station import Station
from mesolith.virtual.rotation import matrices_from_vectors

HKL = reflections_of().hkl
CROOKED = Station(
    centre=(3_000.0, -2_000.0),
    tilt=(0.02, -0.015, 0.01),
    wedge=0.004,
    chi=-0.003,
    distortion=(-2e-4, -4e-4, -5e-4, 2.0, 2.0, 2.0),
    wobble=((3.0, 1.0, 0.0), (0.0, 2.0, 1.0), (1.0, 1.0, 1.0)),
)


@pytest.fixture(scope="module")
def grains() -> CrystalGrains:
    return random_grains(np.random.default_rng(3), 40)


@pytest.mark.parametrize("station", [Station(), CROOKED], ids=["straight", "crooked"])
def test_every_ray_obeys_the_laws(grains: CrystalGrains, station: Station) -> None:
    """Elastic scattering, a straight ray from the turned grain, and the panel's own distortion."""
    rays = rays_of(grains, HKL, station)
    turned = Rotation.from_rotvec(rays.omega[:, None] * station.axis).as_matrix()
    g = np.einsum("nij,njk,nk->ni", turned, grains.reciprocal[rays.grain], HKL[rays.member])
    beam = np.array([1.0 / station.wavelength, 0.0, 0.0])
    assert np.allclose(np.linalg.norm(beam + g, axis=1), beam[0], rtol=1e-12)
    assert np.allclose(rays.direction, (beam + g) * station.wavelength, rtol=0.0, atol=1e-12)

    start = np.einsum("nij,nj->ni", turned, grains.position[rays.grain])
    assert np.abs(rays.start - start).max() < 7.0
    assert (np.abs(rays.start - start).max() > 1.0) == (station is CROOKED)
    # from the pixel to the ideal point on the panel, in HEXRD's direction
    plane = station.pitch * np.column_stack([rays.fast - 1023.5, rays.slow - 1023.5])
    r, eta = np.hypot(*plane.T) / station.distortion_radius, np.arctan2(*plane.T[::-1])
    p = station.distortion
    scale = 1.0 + p[0] * r**2 * np.cos(2 * eta) + p[1] * r**2 * np.cos(4 * eta) + p[2] * r**2
    axes = station.panel_axes
    point = station.panel_origin + (plane * scale[:, None]) @ axes[:, :2].T
    along = point - rays.start
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    ray = rays.direction / np.linalg.norm(rays.direction, axis=1, keepdims=True)
    assert np.abs(along - ray).max() < 1e-12


def test_no_crossing_is_missed() -> None:
    """Sign changes on a fine grid, for vectors of all directions and long axes."""
    rng = np.random.default_rng(8)
    angle = np.linspace(-np.pi, np.pi, 20_001)
    found = np.empty(2)
    for _ in range(60):
        axis = np.array([0.3, -0.2, 1.0]) * rng.normal(size=3)
        axis /= np.linalg.norm(axis)
        g = rng.normal(size=3)
        turned = Rotation.from_rotvec(angle[:, None] * axis).apply(g)
        value = turned[:, 0] + 0.5 * 0.4 * g @ g
        expected = np.flatnonzero(np.diff(np.sign(value)) != 0)
        count = crossings(g, 0.4, axis, -np.pi, found)
        assert count == len(expected)
        if count:
            assert np.allclose(np.sort(found), angle[expected], rtol=0.0, atol=1.01 * 2e-4 * np.pi)


def test_a_vector_along_the_axis_never_crosses() -> None:
    found = np.empty(2)
    axis = np.array([0.0, 0.0, 1.0])
    assert crossings(np.array([0.0, 0.0, 0.3]), 0.16, axis, 0.0, found) == 0


def test_friedel_mates_give_the_vector_and_the_place(grains: CrystalGrains) -> None:
    """The two spots of g and -g, half a turn apart, in the algebra of a straight station."""
    station = Station()
    rays = rays_of(grains, HKL, station)
    y = -(rays.fast - 1023.5) * station.pitch
    z = (rays.slow - 1023.5) * station.pitch
    mate_of = {tuple(hkl): k for k, hkl in enumerate((-HKL).tolist())}
    first = np.flatnonzero(rays.grain == 7)
    pairs = 0
    for i in first:
        mate = mate_of[tuple(HKL[rays.member[i]].tolist())]
        half_a_turn = np.abs(np.abs(rays.omega[first] - rays.omega[i]) - np.pi) < 1e-9
        for j in first[(rays.member[first] == mate) & half_a_turn]:
            pairs += 1
            slope = rays.direction[i, 1:] / rays.direction[i, 0]
            measured = np.array([y[i] + y[j], z[i] - z[j]]) / (2.0 * station.distance)
            assert np.allclose(measured, slope, rtol=1e-9)
            x_lab, y_lab, z_lab = rays.start[i]
            assert (y[i] - y[j]) / 2.0 == pytest.approx(y_lab - x_lab * slope[0], abs=1e-5)
            assert (z[i] + z[j]) / 2.0 == pytest.approx(z_lab - x_lab * slope[1], abs=1e-5)
    assert pairs > 300


def test_information_in_one_grain() -> None:
    """The best that 0.1 px and 0.05 deg on seven rings allow, from derivatives of this code."""
    station = Station()
    grains = random_grains(np.random.default_rng(0), 60)

    def measured(change: FloatArray) -> Rays:
        turn = matrices_from_vectors(change[3:6])
        moved = replace(
            grains,
            position=grains.position + change[:3],
            orientation=turn @ grains.orientation,
            strain=grains.strain + full_tensor(change[6:]),
        )
        return rays_of(moved, HKL, station)

    plain = measured(np.zeros(12))
    sigma = np.array([0.1, 0.1, math.radians(0.05)])
    derivative = np.empty((len(plain), 3, 12))
    for k, step in enumerate([1.0] * 3 + [1e-6] * 9):
        up, down = (measured(sign * step * np.eye(12)[k]) for sign in (1.0, -1.0))
        turn = np.mod(up.omega - down.omega + np.pi, 2.0 * np.pi) - np.pi
        change = np.column_stack([up.fast - down.fast, up.slow - down.slow, turn])
        derivative[:, :, k] = change / (2.0 * step * sigma)
    used = plain.sin_eta > math.sin(math.radians(6.0))
    assert used.sum() / 60 == pytest.approx(322, abs=1)
    variance = np.zeros(12)
    for grain in range(60):
        rows = derivative[used & (plain.grain == grain)].reshape(-1, 12)
        variance += np.diag(np.linalg.inv(rows.T @ rows)) / 60
    assert np.sqrt(variance[:3]) == pytest.approx([1.58, 1.58, 1.12], abs=0.03)
    assert np.degrees(np.sqrt(variance[3:6].sum())) == pytest.approx(0.0031, abs=1e-4)
    assert np.sqrt(variance[6:].mean()) == pytest.approx(1.9e-5, abs=3e-7)


def test_moving_the_sample_by_turning_it(grains: CrystalGrains) -> None:
    """A sample turned about the rotation axis gives the same spots at other angles."""
    station = Station()
    turned = grains.moved(np.zeros(3), np.array([0.0, 0.0, 0.3]))
    before, after = (rays_of(one, HKL, station) for one in (grains, turned))
    order = [np.lexsort((r.fast.round(6), r.member, r.grain)) for r in (before, after)]
    moved = np.mod(before.omega[order[0]] - after.omega[order[1]] + np.pi, 2 * np.pi) - np.pi
    assert np.allclose(before.slow[order[0]], after.slow[order[1]], atol=1e-6)
    assert np.allclose(moved, 0.3, atol=1e-9)


def test_frames_that_cover_part_of_a_turn(grains: CrystalGrains) -> None:
    whole = rays_of(grains, HKL, Station())
    part = rays_of(grains, HKL, Station(frames=900))
    assert len(part) == int((whole.omega < -np.pi / 2).sum())
    assert part.omega.max() < -np.pi / 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pitch": 0.0}, "pitch of a virtual station"),
        ({"distortion": (0.0,)}, "6 numbers, not 1"),
        ({"frames": 4000}, "more than a turn"),
    ],
)
def test_impossible_stations(change: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidValueError, match=told):
        replace(Station(), **change)  # type: ignore[arg-type]


# HEXRD's axes on ours: its beam runs along -z, its rotation axis is y
FROM_HEXRD = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def numbers_after(key: str, text: str) -> FloatArray:
    """The number or the list of numbers that first follows a key of the instrument file."""
    found = re.search(rf"^ *{key}:((?:\s+(?:- )?[-+.\de]+$)+)", text, re.MULTILINE)
    assert found is not None
    return np.array([float(word) for word in found[1].replace("- ", " ").split()])


@pytest.mark.parametrize("sweep", [0, 1, 2])
def test_spots_of_a_real_ruby(measured: Callable[[str], Path], sweep: int) -> None:
    """Grain and instrument as HEXRD fitted them: the virtual rays fall on the measured spots.

    Both signs of the rotation, the tilt of its axis (chi turns about HEXRD's x, which is our
    -y), the panel's tilt, the distortion's direction and the grain's place all enter.
    """
    folder = measured("hedm/hexrd_single_GE")
    setup = (folder / "include" / "ge_detector.yml").read_text()
    place = FROM_HEXRD @ numbers_after("translation", setup) * 1e3
    tilt = FROM_HEXRD @ numbers_after("tilt", setup)
    chi = float(numbers_after("chi", setup)[0])
    station = Station(
        energy_kev=float(numbers_after("energy", setup)[0]),
        distance=float(place[0]),
        centre=(float(place[1]), float(place[2])),
        tilt=(float(tilt[0]), float(tilt[1]), float(tilt[2])),
        wedge=-chi,
        distortion=tuple(numbers_after("parameters", setup)),
    )
    grain = np.loadtxt(folder / "results" / f"RUBY_SWEEP_{sweep}" / "grains.out")
    spots = np.loadtxt(folder / "results" / f"RUBY_SWEEP_{sweep}" / "spots_00000.out")
    spots = spots[np.isfinite(spots).all(axis=1)]
    a, c = 4.7608, 12.99568
    cell = np.array([[a, -a / 2.0, 0.0], [0.0, a * math.sqrt(0.75), 0.0], [0.0, 0.0, c]])
    six = grain[9:15] / np.array([1.0, 1.0, 1.0, *[math.sqrt(2.0)] * 3])
    to_ours = FROM_HEXRD @ Rotation.from_rotvec([chi, 0.0, 0.0]).as_matrix()
    crystal = Rotation.from_rotvec(grain[3:6]).as_matrix() @ cell
    lattice = to_ours @ np.linalg.inv(full_tensor(six)) @ crystal
    out, where = np.empty((2 * len(spots), 9)), np.empty((2 * len(spots), 2), dtype=np.int64)
    count = diffract(
        np.linalg.inv(lattice).T[None],
        (to_ours @ grain[6:9] * 1e3)[None],
        np.array([0]),
        spots[:, 2:5].copy(),
        station.wavelength,
        station.axis,
        station.omega_start,
        station.panel_origin,
        station.panel_axes,
        np.array(station.distortion),
        station.distortion_radius,
        np.zeros((3, 3)),
        out,
        where,
    )
    assert count == 2 * len(spots)
    late = np.mod(out[:, 0] - spots[where[:, 1], 15] + np.pi, 2 * np.pi) - np.pi
    late = late.reshape(-1, 2)
    nearest = 2 * np.arange(len(spots)) + np.argmin(np.abs(late), axis=1)
    away = (out[nearest, 1:3] / 1e3 - spots[:, 13:15]) / 0.2
    assert len(spots) > 270
    assert np.all(np.median(np.abs(away), axis=0) < [0.15, 0.10])
    assert np.all(np.abs(np.median(away, axis=0)) < 0.05)
    assert np.median(np.abs(late).min(axis=1)) < math.radians(0.006)
