"""Measured spots at the places where detector files of other programs put them.

Each test also turns signs of the file around, one at a time: every turn must spoil the
agreement, or the test would pin nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from mesolith.axes import MANDEL, FloatArray, tensor_from_six
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.instrument.goniometer import Goniometer, to_laboratory
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel, laboratory_from_pixels, pixels_from_rays
from mesolith.instrument.predict import linearise_spots, predict_spots
from mesolith.instrument.scattering import (
    angles_from_laboratory,
    laboratory_from_spots,
    reciprocal_from_lattice_vectors,
    scattering_vectors,
)
from mesolith.io.hexrd import read_hexrd
from mesolith.io.hexrd_instrument import read_hexrd_instrument
from mesolith.io.imaged11 import read_ubi
from mesolith.io.imaged11_instrument import read_imaged11_instrument
from mesolith.io.lauetools_detector import read_lauetools
from mesolith.io.midas_instrument import read_midas_instrument
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_rotation_vector

Measured = Callable[[str], Path]
STRONG = np.array([[0, 1, 2], [1, 0, 4], [1, 1, 0], [1, 1, 3], [0, 2, 4], [1, 1, 6]])
RUBY = np.array([4.7608, 4.7608, 12.99568, np.pi / 2, np.pi / 2, 2.0 * np.pi / 3.0])


def _hexrd_grains(path: Path, sample_axes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lattice vectors (n, 3, 3) and positions (n, 3), um, on our sample axes."""
    grains = read_hexrd(path)
    stretch = np.linalg.inv(tensor_from_six(grains.inverse_stretch / MANDEL))
    turn = matrix_from_quaternion(quaternion_from_rotation_vector(grains.exponential_map))
    return (
        sample_axes @ stretch @ turn @ basis_from_lattice(RUBY),
        1000.0 * grains.translation @ sample_axes.T,
    )


def _wrapped(angle: FloatArray) -> FloatArray:
    return (angle + np.pi) % (2.0 * np.pi) - np.pi


class GeSpots:
    """Spots of one ruby on a GE-41RT: what HEXRD measured and what it made of them."""

    def __init__(self, measured: Measured, sweep: int) -> None:
        folder = "hedm/hexrd_single_GE"
        self.file = read_hexrd_instrument(measured(f"{folder}/include/ge_detector.yml"))
        table = np.loadtxt(measured(f"{folder}/results/RUBY_SWEEP_{sweep}/spots_00000.out"))
        table = table[np.isfinite(table).all(axis=1)]
        self.hkl, self.predicted_omega = table[:, 2:5], table[:, 9]
        self.two_theta, self.eta, self.omega = table[:, 10:13].T
        self.fast, self.slow = table[:, 13] / 0.2 + 1023.5, -table[:, 14] / 0.2 + 1023.5
        lattice, position = _hexrd_grains(
            measured(f"{folder}/results/RUBY_SWEEP_{sweep}/grains.out"), self.file.sample_axes
        )
        self.lattice, self.position = lattice[0], position[0]

    def angle_errors(self, instrument: Instrument) -> tuple[float, float]:
        """RMS difference to HEXRD's 2 theta and eta of the measured pixels, rad."""
        panel = np.zeros(len(self.fast), dtype=np.int64)
        points = laboratory_from_spots(instrument, panel, self.fast, self.slow)
        place = np.broadcast_to(self.position, points.shape)
        start = to_laboratory(instrument.goniometer, place, self.omega)
        two_theta, eta = angles_from_laboratory(instrument, points, start)
        # HEXRD's eta runs from our -y towards z
        off = _wrapped(np.pi / 2.0 - eta - self.eta)
        return (
            float(np.sqrt(np.mean((two_theta - self.two_theta) ** 2))),
            float(np.sqrt(np.mean(off**2))),
        )

    def residuals(self, instrument: Instrument) -> FloatArray:
        """Median size of measured minus predicted fast, slow (px) and omega (rad)."""
        g = self.hkl @ reciprocal_from_lattice_vectors(self.lattice).T
        panel = np.zeros(len(g), dtype=np.int64)
        found = linearise_spots(
            instrument, g, self.position, near_omega=self.omega, panel=panel
        ).value
        measured = np.column_stack([self.fast, self.slow, self.omega])
        return np.asarray(np.median(np.abs(found - measured), axis=0))


def _with_panel(instrument: Instrument, **changes: object) -> Instrument:
    return replace(instrument, panels=(replace(instrument.panels[0], **changes),))


def _mirrored(panel: Panel, axis: int) -> Panel:
    """The panel with the tilts that move its normal along one laboratory axis turned around."""
    mirror = np.eye(3)
    mirror[axis, axis] = -1.0
    rotation = panel.rotation.copy()
    rotation[:, 2] = mirror @ rotation[:, 2]
    rotation[:, 0] -= (rotation[:, 0] @ rotation[:, 2]) * rotation[:, 2]
    rotation[:, 0] /= np.linalg.norm(rotation[:, 0])
    rotation[:, 1] = np.cross(rotation[:, 2], rotation[:, 0])
    return replace(panel, rotation=rotation)


@pytest.mark.parametrize("sweep", [0, 1, 2])
def test_ge_angles_are_hexrds(measured: Measured, sweep: int) -> None:
    """Pixels give HEXRD's 2 theta and eta: distance, centre, tilts, distortion, grain's place."""
    spots = GeSpots(measured, sweep)
    instrument = spots.file.instrument
    panel = instrument.panels[0]
    two_theta, eta = spots.angle_errors(instrument)
    # the lists were made shortly before the last refinement of the instrument file
    assert two_theta < 3e-5
    assert eta < 3e-5
    assert panel.distortion is not None
    bent = panel.distortion
    turned = {
        "no distortion": _with_panel(instrument, distortion=None),
        "distortion outwards": _with_panel(
            instrument, distortion=replace(bent, amplitude=-bent.amplitude)
        ),
        "y mirrored": _with_panel(instrument, origin=panel.origin * [1.0, -1.0, 1.0]),
        "z mirrored": _with_panel(instrument, origin=panel.origin * [1.0, 1.0, -1.0]),
    }
    for name, other in turned.items():
        assert spots.angle_errors(other)[0] > 2.0 * two_theta, name


def test_ge_spots_are_where_and_when_they_were_measured(measured: Measured) -> None:
    """Prediction from HEXRD's grain: omega, the stage's tilt, the order of axes."""
    spots = GeSpots(measured, 1)
    instrument = spots.file.instrument
    off = spots.residuals(instrument)
    assert off[:2].max() < 0.15
    assert off[2] < np.deg2rad(0.02)
    g = spots.hkl @ reciprocal_from_lattice_vectors(spots.lattice).T
    panel = np.zeros(len(g), dtype=np.int64)
    predicted = linearise_spots(
        instrument, g, spots.position, near_omega=spots.predicted_omega, panel=panel
    ).value[:, 2]
    late = np.sqrt(np.mean((predicted - spots.predicted_omega) ** 2))
    assert late < 5e-5
    # the same by vectors, without the kernels
    ray = instrument.beam.direction / instrument.beam.wavelength
    ray = ray + to_laboratory(instrument.goniometer, g, predicted)
    place = np.broadcast_to(spots.position, g.shape)
    start = to_laboratory(instrument.goniometer, place, predicted)
    fast, slow = pixels_from_rays(instrument.panels[0], start, ray)
    assert np.median(np.abs(fast - spots.fast)) < 0.15
    assert np.median(np.abs(slow - spots.slow)) < 0.15
    upright = replace(instrument, goniometer=Goniometer(0.0, 0.0))
    leaning = replace(instrument, goniometer=Goniometer(-instrument.goniometer.wedge, 0.0))
    sideways = replace(instrument, goniometer=Goniometer(0.0, instrument.goniometer.wedge))
    for other in (upright, leaning, sideways):
        moved = linearise_spots(
            other, g, spots.position, near_omega=spots.predicted_omega, panel=panel
        ).value[:, 2]
        assert np.sqrt(np.mean((moved - spots.predicted_omega) ** 2)) > 5.0 * late
    for sign in ([-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]):
        spots.position = spots.position * sign
        assert spots.residuals(instrument)[:2].max() > 2.0 * off[:2].max()
        spots.position = spots.position * sign


def _ruby_frames(path: Path) -> tuple[FloatArray, FloatArray]:
    """Points (frame, row, column) and counts of a HEXRD frame cache."""
    with np.load(path) as cache:
        count = int(cache["nframes"])
        rows = [cache[f"{k}_row"] for k in range(count)]
        points = np.column_stack(
            [
                np.repeat(np.arange(count), [len(row) for row in rows]),
                np.concatenate(rows),
                np.concatenate([cache[f"{k}_col"] for k in range(count)]),
            ]
        ).astype(np.float64)
        return points, np.concatenate([cache[f"{k}_data"] for k in range(count)]).astype(float)


def test_three_rubies_on_eight_panels(measured: Measured) -> None:
    """Counts of the frames gather where the composite instrument predicts spots."""
    folder = "hedm/hexrd_multiruby_dexelas"
    file = read_hexrd_instrument(measured(f"{folder}/include/dexelas_id3a_20200130_comp.yml"))
    instrument = file.instrument
    assert [panel.name for panel in instrument.panels][:2] == ["ff1_0_0", "ff1_0_1"]
    lattice, position = _hexrd_grains(
        measured(f"{folder}/results/composite_fit_grains_grains.out"), file.sample_axes
    )
    reciprocal = reciprocal_from_lattice_vectors(basis_from_lattice(RUBY))
    hkl = np.array(list(itertools.product(range(-4, 5), range(-4, 5), range(-12, 13))))
    length = np.linalg.norm(hkl @ reciprocal.T, axis=1)
    strong = np.linalg.norm(STRONG @ reciprocal.T, axis=1)
    obverse = (-hkl[:, 0] + hkl[:, 1] + hkl[:, 2]) % 3 == 0
    hkl = hkl[obverse & (np.abs(length[:, None] - strong) < 1e-9).any(axis=1)]
    predicted = predict_spots(instrument, lattice, position, hkl)
    offsets = []
    for name in ("ff1", "ff2"):
        points, counts = _ruby_frames(
            measured(f"{folder}/imageseries/mruby-0129_000004_{name}_000012-cachefile.npz")
        )
        for k, panel in enumerate(instrument.panels):
            if not panel.name.startswith(name):
                continue
            # a sub-panel's place in the frame: ff1_ROW_COLUMN
            row, column = (int(word) for word in panel.name.split("_")[1:])
            spot = predicted.panel == k
            frame = np.rad2deg(predicted.omega[spot]) % 360.0 / 0.25 - 0.5
            slow = predicted.slow[spot] + 1944 * row
            fast = predicted.fast[spot] + 1536 * column
            for expected in np.column_stack([frame, slow, fast]):
                within = slice(*np.searchsorted(points[:, 0], expected[0] + [-4.0, 4.0]))
                near = (np.abs(points[within] - expected)[:, 1:] < 12.0).all(axis=1)
                if near.sum() > 5:
                    weights = counts[within][near]
                    centre = np.average(points[within][near], axis=0, weights=weights)
                    offsets.append(centre - expected)
                else:
                    offsets.append([np.nan] * 3)
    off = np.array(offsets)
    found = np.isfinite(off[:, 0])
    assert len(off) > 100
    assert found.mean() > 0.9
    assert np.abs(np.median(off[found, 1:], axis=0)).max() < 0.1
    assert np.median(np.abs(off[found, 1:]), axis=0).max() < 0.3
    # HEXRD's composite fit took omega half a frame off: 0.14 deg, the same for each grain
    assert np.median(off[found, 0]) == pytest.approx(0.6, abs=0.15)


class Aluminium:
    """Peaks of 36 aluminium grains and ImageD11's map of them."""

    def __init__(self, measured: Measured) -> None:
        folder = "hedm/imaged11_makemap"
        self.file = read_imaged11_instrument(measured(f"{folder}/test.prm"), shape=(2048, 2048))
        table = np.loadtxt(measured(f"{folder}/test.flt"))
        self.slow, self.fast = table[:, 0], table[:, 1]
        self.omega = self.file.omega_sign * np.deg2rad(table[:, 2])
        self.grains = read_ubi(measured(f"{folder}/map.ubi"))

    def distance(self, instrument: Instrument, omega_sign: float = 1.0) -> FloatArray:
        """Distance of each peak from the nearest hkl of any grain, each at its own place."""
        panel = instrument.panels[0]
        points = laboratory_from_pixels(panel, self.fast, self.slow)
        best = np.full(len(points), np.inf)
        for grain in self.grains:
            place = self.file.sample_axes @ grain.translation
            g = scattering_vectors(instrument, points, omega_sign * self.omega, place)
            hkl = g @ (grain.ubi @ self.file.sample_axes.T).T
            best = np.minimum(best, np.linalg.norm(hkl - np.rint(hkl), axis=1))
        return best


def test_the_peaks_of_makemap_index(measured: Measured) -> None:
    """88.7 % of 2,026 peaks lie within 0.05 of an hkl, as ImageD11 finds too."""
    peaks = Aluminium(measured)
    instrument = peaks.file.instrument
    panel = instrument.panels[0]
    off = peaks.distance(instrument)
    assert len(off) == 2026
    assert np.mean(off < 0.05) == pytest.approx(0.887, abs=0.001)
    assert np.mean(peaks.distance(instrument, -1.0) < 0.05) < 0.1  # omega the other way
    for k in (0, 1):  # fast, then slow, counted the other way about the beam
        turned = panel.rotation * np.where(np.arange(3) == k, -1.0, 1.0)
        turned[:, 2] *= -1.0
        centre = np.array([peaks.fast, peaks.slow])[k].mean()
        assert abs(centre - 1024.0) < 100.0
        assert np.mean(peaks.distance(_with_panel(instrument, rotation=turned)) < 0.05) < 0.1
    for axis in (1, 2):  # the tilts about z, then y
        worse = peaks.distance(replace(instrument, panels=(_mirrored(panel, axis),)))
        assert np.median(worse) > 1.005 * np.median(off)


def test_midas_spots_lie_where_its_parameters_say(measured: Measured) -> None:
    """MIDAS' own laboratory coordinates, and its grains' spots on whole hkl."""
    folder = "hedm/midas_ff_example"
    instrument = read_midas_instrument(measured(f"{folder}/Parameters.txt")).instrument
    with h5py.File(measured(f"{folder}/consolidated_Output.h5")) as file:
        for row in file["grains/summary"][()]:
            spots = {
                key: values[()]
                for key, values in file[f"grains/grain_{int(row[0]):04d}/spots"].items()
            }
            points = laboratory_from_pixels(instrument.panels[0], spots["dety"], spots["detz"])
            np.testing.assert_allclose(points[:, 1], spots["ylab"], atol=0.002)
            np.testing.assert_allclose(points[:, 2], spots["zlab"], atol=0.002)
            two_theta, eta = angles_from_laboratory(instrument, points)
            np.testing.assert_allclose(np.rad2deg(two_theta), 2.0 * spots["theta"], atol=2e-5)
            np.testing.assert_allclose(np.rad2deg(eta), spots["eta"], atol=2e-5)
            lattice = row[13:19] * [1.0, 1.0, 1.0, *[np.pi / 180.0] * 3]
            vectors = row[1:10].reshape(3, 3) @ basis_from_lattice(lattice)
            omega = np.deg2rad(spots["omega"])
            for sign, most in ((1.0, 0.02), (-1.0, None)):
                hkl = scattering_vectors(instrument, points, sign * omega, row[10:13]) @ vectors
                off = np.abs(hkl - np.rint(hkl)).max()
                assert off < most if most else off > 0.3


def test_laue_spots_have_lauetools_angles(measured: Measured) -> None:
    """Germanium: 2 theta and chi of 95 spots, and mirrored detectors that miss them."""
    folder = "laue/lauetools_Ge_blanc"
    instrument = read_lauetools(measured(f"{folder}/calibGe111.det")).instrument
    path = measured(f"{folder}/Ge_blanc_0000_LT_5.fit")
    rows = [
        [float(word) for word in line.split()[5:14]]
        for line in path.read_text().splitlines()
        if line.strip() and line.split()[0][0].isdigit() and len(line.split()) > 20
    ]
    table = np.array(rows)
    assert len(table) == 95
    x, y, two_theta, chi = table[:, 0], table[:, 1], table[:, 7], table[:, 8]

    def errors(instrument: Instrument) -> tuple[float, float]:
        points = laboratory_from_pixels(instrument.panels[0], x, y)
        ours, _ = angles_from_laboratory(instrument, points)
        ours_chi = np.arctan2(points[:, 1], points[:, 2])  # -x/z on LaueTools' axes
        return (
            float(np.abs(np.rad2deg(ours) - two_theta).max()),
            float(np.abs(np.rad2deg(ours_chi) - chi).max()),
        )

    # the .det keeps three digits of the fit's angles
    assert max(errors(instrument)) < 2e-3
    panel = instrument.panels[0]
    for axis, factor in ((0, [1.0, -1.0, 1.0]), (1, [-1.0, 1.0, 1.0])):
        mirrored = _with_panel(
            instrument, rotation=np.diag(factor) @ panel.rotation @ np.diag([1.0, 1.0, -1.0])
        )
        assert max(errors(mirrored)) > 1.0, axis
