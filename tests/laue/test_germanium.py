"""The measured germanium list, orientation unknown, beside LaueTools' own result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.io.lauetools_detector import read_lauetools
from mesolith.io.lauetools_fit import read_lauetools_fit
from mesolith.io.lauetools_list import peaks_from_lauetools, read_lauetools_list
from mesolith.laue.geometry import laue_geometry
from mesolith.laue.index import laue_indexer
from mesolith.laue.reflections import laue_reflections
from mesolith.laue.solve import index_pattern
from mesolith.laue.spectrum import Spectrum
from mesolith.numerics.rotations import quaternion_from_matrix

CIF = Path(__file__).parent / "germanium.cif"
LATTICE = np.array([5.6575, 5.6575, 5.6575, *[np.pi / 2.0] * 3])


def test_95_of_97_peaks_are_reflections_of_one_germanium(
    measured: Callable[[str], Path],
) -> None:
    folder = measured("laue/lauetools_Ge_blanc")
    instrument = read_lauetools(folder / "calibGe111.det").instrument
    incidence = np.deg2rad(40.0)
    surface = np.array([-np.sin(incidence), 0.0, np.cos(incidence)])
    geometry = laue_geometry(instrument, surface=surface)
    reflections = laue_reflections(
        CIF, name="Ge", space_group=227, lattice=LATTICE, two_theta=geometry.two_theta,
        spectrum=Spectrum(5.0, 23.0), weakest=3e-5,
    )  # fmt: skip
    peaks = peaks_from_lauetools(read_lauetools_list(folder / "Ge_blanc_0000_LT_5.dat"))
    answer = index_pattern(laue_indexer(reflections, geometry), peaks)
    assert len(answer.grains) == 1
    links = answer.assignment
    assert answer.grains.spots[0] == 95
    assert np.linalg.norm(links.residual, axis=1).mean() <= 0.195
    (theirs,) = read_lauetools_fit(folder / "Ge_blanc_0000_LT_5.fit")
    assert set(links.peak.tolist()) == set(theirs.peak.tolist())
    left, _, right = np.linalg.svd(theirs.reciprocal)
    angle = misorientation_angle(
        answer.grains.orientation[0], quaternion_from_matrix(left @ right), rotation_operators(227)
    )
    assert np.degrees(angle) < 0.01
    # the same reflections, up to a symmetry, at the same energies
    energy = dict(zip(theirs.peak.tolist(), theirs.column("Energy").tolist(), strict=True))
    family = dict(zip(theirs.peak.tolist(), np.sort(np.abs(theirs.hkl), axis=1), strict=True))
    ours = np.sort(np.abs(links.hkl), axis=1)
    agree = [
        np.array_equal(row, family[peak]) and abs(e / energy[peak] - 1.0) < 2e-3
        for row, e, peak in zip(ours, links.energy, links.peak.tolist(), strict=True)
    ]
    assert np.mean(agree) > 0.9
    # a calibrant has no strain; what is found is what unknown depth and noise can put there
    sigma = answer.grains.standard_error("strain")[0]
    allowed = 4.0 * sigma + 25.0 * np.abs(answer.grains.depth_sensitivity[0])
    assert np.all(np.abs(answer.grains.strain[0]) < allowed)
