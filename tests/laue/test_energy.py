"""Energy scans: exact cases, hand-computed numbers, planted truths and what shifts all points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.laue.energy import calibrate_energy, sized_lattices
from mesolith.laue.energy_choice import reflections_to_scan
from mesolith.laue.energy_line import lattice_against_distance
from mesolith.laue.energy_model import STRAIN, moved_reciprocal, predicted
from mesolith.laue.energy_peaks import chance_of_gain, energy_peaks
from mesolith.laue.energy_refine import Beliefs, Observed, refine_lattice
from mesolith.laue.energy_settings import EnergySettings
from mesolith.laue.geometry import laue_geometry, scattering_directions
from mesolith.laue.reflections import LaueReflections
from mesolith.records.laue_energy import SizedLattices
from mesolith.virtual.laue.crystal import HC_KEV_ANGSTROM
from mesolith.virtual.laue.energy import EnergyPlan
from tests.laue.energy_points import QUIET, ScannedPoint, crystal, phase, scanned_point
from tests.laue.patterns import LATTICE, STATION, geometry, instrument_of, true_reciprocal

NOISY = EnergyPlan()
SETTINGS = EnergySettings()


@pytest.fixture(scope="module")
def reflections() -> LaueReflections:
    return phase()


def answer(
    made: ScannedPoint, reflections: LaueReflections, settings: EnergySettings = SETTINGS
) -> SizedLattices:
    peaks, _ = energy_peaks(made.scan, settings)
    return sized_lattices(made.geometry, reflections, [made.point], made.scan, peaks, settings)


def mirrored_spots(vectors: np.ndarray, hkl: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of rays from the origin and energies, by mirror and spacing."""
    normal = hkl @ np.linalg.inv(vectors)
    spacing = 1.0 / np.linalg.norm(normal, axis=1)
    unit = normal * spacing[:, None]
    place = STATION.pixels(np.zeros((len(hkl), 3)), np.eye(3)[0] - 2.0 * unit[:, :1] * unit)
    return place, HC_KEV_ANGSTROM / (2.0 * spacing * -unit[:, 0])


def test_exact_energies_of_an_unstrained_crystal_give_its_lattice_parameter() -> None:
    true = 12.9537
    grain = crystal(3, strain=0.0)
    made = scanned_point(grain, STATION)
    hkl = made.point.found.assignment.hkl[:40].astype(float)
    place, energy = mirrored_spots(grain.orientation[0] * true, hkl)
    observed = Observed(
        hkl=hkl,
        depth=np.zeros(40),
        place=place,
        variance=np.full((40, 2), 0.1**2),
        energy_hkl=hkl[:6],
        energy=energy[:6],
        energy_variance=np.full(6, 1e-6),
    )
    turned = moved_reciprocal(
        true_reciprocal(grain)[0], np.array([2e-4, -1e-4, 1e-4, 0, 0, 0, 0, 0, 0])
    )
    fit = refine_lattice(
        turned, observed, geometry().row, np.eye(3) * LATTICE, Beliefs(along=10.0, strain=np.inf)
    )
    edge = np.cbrt(1.0 / np.linalg.det(fit.reciprocal))
    assert edge == pytest.approx(true, rel=1e-9)
    assert abs(fit.along) < 1e-4


def test_one_ev_at_ten_kev_is_1e_4_of_the_lattice() -> None:
    """PHYSICS: d = hc / (2 E sin(theta)), so dd/d = -dE/E = 1e-4."""
    hkl = np.array([[4.0, -10.0, 2.0]])
    made = predicted(true_reciprocal(crystal(3))[0], hkl, np.zeros(1), geometry().row)
    growth = made.energy_by[0, STRAIN][:3].sum() * 1e-4
    assert 10.0 * growth / made.energy[0] == pytest.approx(-1e-3, rel=1e-12)


def test_fifty_um_of_height_are_1_7e_4_at_45_degrees() -> None:
    """By hand: 50 um over 150 mm turn 2 theta by 3.33e-4, theta by half, times cot(45 deg)."""
    level = replace(STATION, middle=(0.0, 0.0, 150_000.0), tilt=(0.0, 0.0, 0.0))
    row = laue_geometry(instrument_of(level), surface=level.surface).row
    middle = np.full(1, 0.5 * (level.shape[0] - 1))
    true, seen = (
        -scattering_directions(row, middle, middle, np.array([depth]))[0, 0]
        for depth in (50.0, 0.0)
    )
    assert abs(seen / true - 1.0) == pytest.approx(1.667e-4, rel=2e-3)


def test_lattice_strain_and_height_come_back(reflections: LaueReflections) -> None:
    grain = crystal(5, dilatation=6e-4)
    made = scanned_point(grain, STATION, NOISY, seed=1, sigma_px=0.1, along=-14.0)
    found = answer(made, reflections)
    total = float(found.total_error("hydrostatic")[0])
    assert 2e-5 < total < 8e-5
    assert abs(found.hydrostatic[0] - 6e-4) < 3.0 * total
    assert found.lattice_parameter[0] == pytest.approx(LATTICE * (1.0 + found.hydrostatic[0]))
    off = np.abs(found.strain[0] - grain.strain[0])
    assert np.all(off < 4.0 * found.total_error("strain")[0])
    assert abs(found.along[0] + 14.0) < 4.0 * found.along_se[0] < 40.0


def test_a_height_that_is_not_fitted_ends_up_in_the_lattice(
    reflections: LaueReflections,
) -> None:
    made = scanned_point(crystal(5), STATION, along=-50.0, sigma_px=0.02)
    given = replace(SETTINGS, height_um=50.0, random_ev=0.05)
    fitted = answer(made, reflections, given)
    assert abs(fitted.hydrostatic[0]) < 1e-5
    assert fitted.along[0] == pytest.approx(-50.0, abs=3.0)
    assert abs(answer(made, reflections, replace(given, height_um=1e-3)).hydrostatic[0]) > 3e-5


@pytest.mark.parametrize("second", [0.5, 0.2, 0.8])
def test_two_lattices_5e_4_apart_are_resolved(second: float, reflections: LaueReflections) -> None:
    plan = replace(NOISY, split=5e-4, second=second, random_ev=0.0)
    made = scanned_point(crystal(6), STATION, plan, seed=2, sigma_px=0.1)
    peaks, split = energy_peaks(made.scan)
    assert split.resolved[0]
    assert split.false_probability[0] < 1e-12
    assert abs(split.split[0] - 5e-4) < 4.0 * split.split_se[0] < 4e-5
    assert abs(split.share[0] - second) < 4.0 * split.share_se[0] < 0.1
    found = sized_lattices(made.geometry, reflections, [made.point], made.scan, peaks)
    assert found.component.tolist() == [0, 1]
    apart = np.diff(found.hydrostatic)[0]
    assert apart == pytest.approx(split.split[0], abs=2e-6)


def test_one_lattice_stays_one_and_a_gradient_is_lopsided_not_two() -> None:
    alone = energy_peaks(scanned_point(crystal(7), STATION, NOISY, seed=3).scan)[1]
    assert not alone.resolved[0]
    assert alone.false_probability[0] > 1e-3
    sloping = replace(NOISY, strain_gradient=6e-6, counts=2000.0)
    tilted = energy_peaks(scanned_point(crystal(7), STATION, sloping, seed=3).scan)[1]
    assert tilted.lopsided[0] > 3.0
    assert not tilted.resolved[0]
    assert chance_of_gain(0.0) == 1.0
    assert chance_of_gain(20.0) < 1e-7


def test_common_modes_are_what_a_planted_error_does(reflections: LaueReflections) -> None:
    grain = crystal(8)
    settings = replace(SETTINGS, distance_um=20.0)
    plain = answer(scanned_point(grain, STATION), reflections, settings)
    modes = {mode.name: mode for mode in plain.common_modes}
    x, y, z = STATION.middle
    planted = {
        "photon energy": (scanned_point(grain, STATION, replace(QUIET, offset_ev=0.5)), 5e-4),
        "panel slow": (
            scanned_point(
                grain, STATION, believed=replace(STATION, middle=(x - 0.2 * STATION.pitch, y, z))
            ),
            0.2,
        ),
        "panel distance": (
            scanned_point(grain, STATION, believed=replace(STATION, middle=(x, y, z - 20.0))),
            20.0,
        ),
    }
    for name, (made, size) in planted.items():
        off = answer(made, reflections, settings)
        for field in ("hydrostatic", "strain"):
            moved = getattr(off, field) - getattr(plain, field)
            stated = size * modes[name].derivatives[field]
            np.testing.assert_allclose(moved, stated, atol=0.03 * np.abs(stated).max() + 1e-6)


def test_a_reference_crystal_tells_the_offset(reflections: LaueReflections) -> None:
    plan = replace(NOISY, offset_ev=2.0, random_ev=0.3, mosaic_deg=0.001)
    settings = replace(SETTINGS, random_ev=0.3, common_ev=3.0)
    made = scanned_point(
        crystal(9, strain=0.0), STATION, plan, seed=4, sigma_px=0.1, along=8.0, reflections=10
    )
    peaks, _ = energy_peaks(made.scan, settings)
    told = calibrate_energy(made.geometry, reflections, made.point, made.scan, peaks, settings)
    assert abs(told.offset_ev - 2.0) < 4.0 * told.sigma_ev < 1.6
    sample = scanned_point(crystal(10), STATION, plan, seed=5, sigma_px=0.1)
    peaks, _ = energy_peaks(sample.scan, settings)
    given = (sample.geometry, reflections, [sample.point], sample.scan, peaks, settings)
    found, blind = sized_lattices(*given, calibration=told), sized_lattices(*given)
    assert found.total_error("hydrostatic")[0] < 0.6 * blind.total_error("hydrostatic")[0]
    assert abs(found.hydrostatic[0]) < 3.0 * found.total_error("hydrostatic")[0]
    # an error of the panel reaches the sample through the reference, too
    slow = [
        {mode.name: mode for mode in one.common_modes}["panel slow"].derivatives["hydrostatic"][0]
        for one in (found, blind)
    ]
    assert told.by_mode[2] != 0.0
    assert slow[0] == pytest.approx(slow[1] - told.by_mode[2] * 1e-3 * _by_energy(blind), rel=0.03)


def _by_energy(found: SizedLattices) -> float:
    modes = {mode.name: mode for mode in found.common_modes}
    return float(modes["photon energy"].derivatives["hydrostatic"][0])


def test_the_chosen_reflections_beat_the_brightest(reflections: LaueReflections) -> None:
    made = scanned_point(crystal(11), STATION)
    rows = reflections_to_scan(made.geometry, made.point, 6)
    assert len(set(rows.tolist())) == 6
    energy = made.point.found.assignment.energy[rows]
    assert np.all((energy > 8.0) & (energy < 20.0))
    errors = []
    for chosen in (rows, reflections_to_scan(made.geometry, made.point, 6, brightest=6)):
        hkl = made.point.found.assignment.hkl[chosen].astype(float)
        seen = Observed(
            hkl=made.point.found.assignment.hkl[:60].astype(float),
            depth=made.point.found.assignment.depth[:60],
            place=np.stack([made.point.peaks.fast[:60], made.point.peaks.slow[:60]], axis=1),
            variance=np.full((60, 2), 0.1**2),
            energy_hkl=hkl,
            energy=made.point.found.assignment.energy[chosen],
            energy_variance=np.full(6, 1e-6),
        )
        fit = refine_lattice(
            true_reciprocal(made.crystals)[0], seen, made.geometry.row, np.eye(3) * LATTICE,
            Beliefs(along=10.0, strain=4e-4),
        )  # fmt: skip
        third = np.zeros(11)
        third[3:6] = 1.0 / 3.0
        errors.append(np.sqrt(third @ fit.covariance @ third))
    assert errors[0] < errors[1]
    with pytest.raises(InvalidValueError, match="6 are wanted"):
        reflections_to_scan(made.geometry, made.point, 6, lowest_kev=19.99)


def test_a_step_at_the_interface_survives_common_errors(reflections: LaueReflections) -> None:
    one = answer(scanned_point(crystal(12), STATION, NOISY, sigma_px=0.1), reflections)
    line = _line_of(one, np.array([3e-4, 3e-4, 0.0, 0.0]))
    trend = lattice_against_distance(
        line, np.array([1.0, 2.0, 8.0, 9.0]), np.array([0.0, 5.0, 10.0])
    )
    assert trend.points.tolist() == [2, 2]
    assert trend.difference == pytest.approx(3e-4, rel=1e-3)
    # the same modes move all points alike
    assert trend.difference_se == pytest.approx(float(one.hydrostatic_se[0]), rel=1e-3)
    assert trend.total_se[0] > 1.2 * trend.random_se[0]
    with pytest.raises(InvalidValueError, match="bins"):
        lattice_against_distance(line, np.zeros(4), np.array([0.0, 5.0]))


def _line_of(one: SizedLattices, growth: np.ndarray) -> SizedLattices:
    count = len(growth)

    def times(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, count, axis=0)

    arrays = {
        name: times(getattr(one, name))
        for name in (
            *("lattice_parameter_se", "component", "share", "position", "lattice_vectors"),
            *("strain", "hydrostatic", "hydrostatic_se", "covariance", "along", "along_se"),
            *("reflections", "scatter", "phase"),
        )
    }
    modes = tuple(
        replace(
            mode,
            derivatives={name: times(values) for name, values in mode.derivatives.items()},
        )
        for mode in one.common_modes
    )
    return SizedLattices(
        lattice_parameter=one.lattice_parameter[0] * (1.0 + growth),
        point=np.arange(count),
        phases=one.phases,
        common_modes=modes,
        **arrays,
    )


def test_scans_that_cannot_be_used_are_refused(reflections: LaueReflections) -> None:
    made = scanned_point(crystal(13), STATION, NOISY)
    scan = made.scan
    few = scan.reflection < 3
    few |= np.arange(len(few)) % 12 == 0
    short = replace(
        scan, counts=scan.counts[few], energy=scan.energy[few], reflection=scan.reflection[few]
    )
    with pytest.raises(InvalidValueError, match="4 steps"):
        energy_peaks(short)
    with pytest.raises(InvalidValueError, match="0 counts in all"):
        energy_peaks(replace(scan, counts=np.zeros(len(scan.counts))))
    with pytest.raises(InvalidValueError, match="negative or missing"):
        replace(scan, counts=scan.counts - 1e6)
    with pytest.raises(InvalidValueError, match="wanted in keV"):
        replace(scan, energy=1e3 * scan.energy)
    peaks, _ = energy_peaks(scan)
    with pytest.raises(InvalidValueError, match="0 points are given"):
        sized_lattices(made.geometry, reflections, [], scan, peaks)
    with pytest.raises(InvalidValueError, match="random_ev"):
        EnergySettings(random_ev=0.0)
