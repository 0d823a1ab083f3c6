"""Several phases in one pattern, and one that is not there."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.laue.geometry import laue_geometry
from mesolith.laue.index import LaueIndexer, laue_indexer
from mesolith.laue.reflections import laue_reflections
from mesolith.laue.solve import index_phases
from mesolith.materials.loader import library_files
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.laue import LauePeaks, laue_peaks
from mesolith.virtual.laue.crystal import crystal_reflections
from mesolith.virtual.laue.patterns import LaueCrystals, PatternPlan, measure_pattern
from tests.laue.patterns import STATION, crystals, geometry, indexer, instrument_of, pattern

GERMANIUM = Path(__file__).parent / "germanium.cif"
GE, LI = 5.6575, 3.51


@cache
def cubic_indexer(cif: Path, name: str, space_group: int, lattice: float) -> LaueIndexer:
    reflections = laue_reflections(
        cif, name=name, space_group=space_group,
        lattice=np.array([lattice, lattice, lattice, *[np.pi / 2.0] * 3]),
        two_theta=geometry().two_theta,
    )  # fmt: skip
    return laue_indexer(reflections, geometry())


def germanium() -> LaueIndexer:
    return cubic_indexer(GERMANIUM, "Ge", 227, GE)


def lithium() -> LaueIndexer:
    return cubic_indexer(library_files("Li")[1], "Li", 229, LI)


@cache
def garnet_on_germanium(seed: int) -> tuple[LauePeaks, LaueCrystals, LaueCrystals, int]:
    """Peaks of one grain of each, the grains, and the number of the garnet's peaks."""
    garnet, crystal = crystals(seed), crystals(seed + 1000)
    one = pattern(seed, garnet)
    reflections = crystal_reflections(GERMANIUM, space_group=227, lattice_angstrom=GE)
    rng = np.random.default_rng([seed, 2])
    other = measure_pattern(crystal, reflections, STATION, PatternPlan(faintest=1e-3), rng)
    place = np.concatenate([one.place, other.place])
    bright = np.concatenate(
        [one.intensity / one.intensity.max(), 0.7 * other.intensity / other.intensity.max()]
    )
    return laue_peaks(place[:, 0], place[:, 1], bright), garnet, crystal, len(one.place)


def angle_deg(one: LaueCrystals, quaternion: np.ndarray, space_group: int) -> float:
    true = quaternion_from_matrix(one.orientation)[0]
    return float(
        np.degrees(misorientation_angle(true, quaternion, rotation_operators(space_group)))
    )


def test_two_phases_are_found_and_a_third_is_absent() -> None:
    peaks, garnet, crystal, count = garnet_on_germanium(40)
    answer = index_phases([lithium(), germanium(), indexer()], peaks)
    grains = answer.grains
    assert grains.phases.name == ("Li", "Ge", "LLZO")
    assert sorted(grains.phase.tolist()) == [1, 2]
    of_garnet, of_germanium = int(np.argmax(grains.phase)), int(np.argmin(grains.phase))
    assert angle_deg(garnet, grains.orientation[of_garnet], 230) < 0.02
    assert angle_deg(crystal, grains.orientation[of_germanium], 227) < 0.05
    # each lattice has the size of its own phase
    np.testing.assert_allclose(
        np.cbrt(np.linalg.det(grains.lattice_vectors))[[of_garnet, of_germanium]], [12.95, GE]
    )
    for grain, true in ((of_garnet, garnet), (of_germanium, crystal)):
        off = np.abs(grains.strain[grain] - true.strain[0])
        assert np.all(off < 5.0 * grains.standard_error("strain")[grain] + 1e-5)
    # whose peak is whose
    links = answer.assignment
    alone = ~links.shared & (links.weight > 0.0)
    assert np.mean((links.peak[alone] < count) == (links.grain[alone] == of_garnet)) > 0.97
    diamond = links.hkl[alone & (links.grain == of_germanium)]
    assert np.all(np.ptp(diamond % 2, axis=1) == 0)
    # what is there is sure, what is not there is not
    absent, there, sure = answer.phase_false
    assert absent > 1e-6
    assert max(there, sure) < 1e-12


def test_a_material_that_cannot_be_in_the_pattern_is_absent() -> None:
    peaks = garnet_on_germanium(40)[0]
    answer = index_phases([lithium()], peaks)
    assert len(answer.grains) == len(answer.assignment) == 0
    assert answer.grains.phases.name == ("Li",)
    assert answer.phase_false[0] > 1e-6


def test_guesses_belong_to_their_phase() -> None:
    peaks, _, crystal, _ = garnet_on_germanium(40)
    guess = np.linalg.inv(crystal.lattice_vectors(GE)[0]).T
    answer = index_phases([indexer(), germanium()], peaks, [[], [guess]], search=False)
    assert answer.grains.phase.tolist() == [1]
    assert answer.phase_false[0] == 1.0


def test_phases_of_two_stations_are_refused() -> None:
    peaks = garnet_on_germanium(40)[0]
    x, y, z = STATION.middle
    moved = laue_geometry(
        instrument_of(replace(STATION, middle=(x, y, z + 100.0))), surface=STATION.surface
    )
    with pytest.raises(InvalidValueError, match="different stations"):
        index_phases([indexer(), replace(germanium(), geometry=moved)], peaks)
    with pytest.raises(InvalidValueError, match="at least one phase"):
        index_phases([], peaks)
