"""Structure factors against exact cases, another implementation, and the weak rings of garnet."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import gemmi
import numpy as np
import pytest

from mesolith.crystal.reflections import allowed_reflections
from mesolith.crystal.structure_factors import (
    form_factors,
    lorentz_factor,
    polarisation_factor,
    powder_intensities,
    powder_multiplicity,
    structure_factors,
)
from mesolith.errors import FileFormatError, InvalidValueError
from mesolith.materials.loader import load_material

KEV = 76.2
SILICON = """data_Si
_cell_length_a 5.4310
_cell_length_b 5.4310
_cell_length_c 5.4310
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F d -3 m :1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
Si1 Si 0 0 0 0.0059
"""


def grid_of_hkl(limit: int) -> np.ndarray:
    axis = np.arange(-limit, limit + 1)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return hkl[np.any(hkl != 0, axis=1)]


def test_silicon_has_the_phases_of_diamond(tmp_path: Path) -> None:
    cif = tmp_path / "Si.cif"
    cif.write_text(SILICON)
    hkl = np.array([[1, 1, 1], [2, 2, 0], [2, 2, 2], [4, 0, 0], [1, 0, 0]])
    size = np.abs(structure_factors(cif, hkl, None))
    square = (hkl**2).sum(axis=1) / 5.431**2 / 4.0
    damped = form_factors("Si", square, None).real * np.exp(-8.0 * math.pi**2 * 0.0059 * square)
    assert np.allclose(size / damped, [4.0 * math.sqrt(2.0), 8.0, 0.0, 8.0, 0.0], atol=1e-9)
    # measured at room temperature to 0.1 %; free atoms miss the bonding charge by 1 %
    assert size[0] / (4.0 * math.sqrt(2.0)) == pytest.approx(10.60, rel=0.02)


def test_lithium_is_body_centred() -> None:
    lithium = load_material("Li").cif
    hkl = grid_of_hkl(3)
    even = hkl.sum(axis=1) % 2 == 0
    factors = structure_factors(lithium, hkl, KEV)
    assert np.abs(factors[~even]).max() < 1e-9
    square = (hkl[even] ** 2).sum(axis=1) / 3.5092**2 / 4.0
    damped = form_factors("Li", square, KEV) * np.exp(-8.0 * math.pi**2 * 0.05 * square)
    assert np.allclose(factors[even], 2.0 * damped, rtol=1e-9)


@pytest.mark.parametrize("name", ["LLZTO-I-43d", "LLZTO-Ia-3d", "LLZO-Al-I-43d"])
def test_another_implementation_agrees(name: str) -> None:
    """gemmi's own sum over sites, without dispersion."""
    material = load_material(name)
    block = gemmi.cif.read(str(material.cif)).sole_block()
    structure = gemmi.make_small_structure_from_block(block)
    structure.change_occupancies_to_crystallographic()
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    hkl = grid_of_hkl(4)[::5]
    theirs = [calculator.calculate_sf_from_small_structure(structure, row.tolist()) for row in hkl]
    ours = structure_factors(material.cif, hkl, None)
    assert np.abs(ours - theirs).max() < 1e-6 * np.abs(theirs).max()


@pytest.mark.parametrize("name", ["LLZTO-I-43d", "LLZTO-Ia-3d"])
def test_what_the_group_forbids_vanishes(name: str) -> None:
    material = load_material(name)
    hkl = grid_of_hkl(5)
    size = np.abs(structure_factors(material.cif, hkl, KEV))
    allowed = allowed_reflections(material.space_group, hkl)
    assert size[~allowed].max() < 1e-9
    assert size[allowed].min() > 1.0
    assert np.abs(structure_factors(material.cif, np.array([[1, 4, 1]]), KEV)) < 1e-9


def test_rings_that_only_one_polymorph_has() -> None:
    """Shares of {400}, whole rings, as known of the published structure."""
    material = load_material("LLZTO-I-43d")
    hkl = np.array([[4, 0, 0], [5, 3, 0], [5, 1, 0], [3, 1, 0]])
    ring = powder_intensities(material.cif, hkl, KEV, space_group=220)
    share = 100.0 * ring / ring[0]
    assert 0.8 <= share[1] <= 1.3
    assert 0.4 <= share[2] <= 0.65
    assert 0.1 <= share[3] <= 0.2
    other = load_material("LLZTO-Ia-3d")
    ring = powder_intensities(other.cif, hkl, KEV, space_group=230)
    assert np.abs(ring[1:]).max() < 1e-9 * ring[0]


def test_electrons_and_absorption_in_the_forward_direction() -> None:
    """F(000): its real part counts electrons, its imaginary part is the absorption."""
    material = load_material("LLZTO-I-43d")
    origin = np.zeros((1, 3), dtype=np.int64)
    electrons = 8 * (6.5 * 3 + 3 * 57 + 1.5 * 40 + 0.5 * 73 + 12 * 8)
    plain = structure_factors(material.cif, origin, None)[0]
    assert plain.real == pytest.approx(electrons, rel=2e-3)
    assert abs(plain.imag) < 1e-9
    # linear absorption 2 r_e wavelength Im F / V in 1/cm; 18.4 with Compton scattering
    wavelength, volume = 12.39842e-8 / KEV, 12.945**3 * 1e-24
    imaginary = structure_factors(material.cif, origin, KEV)[0].imag
    absorption = 2.0 * 2.8179e-13 * wavelength * imaginary / volume
    assert absorption == pytest.approx(17.4, abs=0.3)
    # below the K edge of tantalum, 67.4 keV, it is less than the power of the energy says
    below = structure_factors(material.cif, origin, 67.0)[0].imag
    assert below < 0.85 * structure_factors(material.cif, origin, 68.0)[0].imag


def test_multiplicity() -> None:
    hkl = np.array([[4, 0, 0], [2, 2, 0], [2, 1, 1], [3, 2, 1], [2, 2, 2], [4, 2, 0]])
    for group in (220, 230):
        assert powder_multiplicity(group, hkl).tolist() == [6, 12, 24, 48, 8, 24]
    assert powder_multiplicity(142, np.array([[4, 1, 1], [1, 1, 4]])).tolist() == [16, 8]


def test_polarisation_and_lorentz_factors() -> None:
    angle = 0.3
    up = np.array([math.cos(angle), 0.0, math.sin(angle)])
    aside = np.array([math.cos(angle), math.sin(angle), 0.0])
    assert polarisation_factor(up) == pytest.approx(1.0)
    assert polarisation_factor(2.0 * aside) == pytest.approx(math.cos(angle) ** 2)
    for direction in (up, aside):
        plain = polarisation_factor(direction, 0.5)
        assert plain == pytest.approx((1.0 + math.cos(angle) ** 2) / 2.0)
    factor = lorentz_factor(np.array([0.1, 0.1]), np.array([-0.5, 0.0]))
    assert factor[0] == pytest.approx(20.0)
    assert np.isinf(factor[1])


def test_no_intensity_without_atoms_or_tables(tmp_path: Path) -> None:
    empty = tmp_path / "empty.cif"
    empty.write_text(SILICON.split("loop_")[0])
    hkl = np.array([[1, 1, 1]])
    with pytest.raises(FileFormatError, match="no unit cell or no atoms"):
        structure_factors(empty, hkl, KEV)
    with pytest.raises(FileFormatError, match="cannot be read as a CIF"):
        structure_factors(tmp_path / "none.cif", hkl, KEV)
    cif = load_material("Li").cif
    with pytest.raises(InvalidValueError, match=r"known at 0\.5 keV"):
        structure_factors(cif, hkl, 0.5)
    with pytest.raises(InvalidValueError, match="no form factor is tabulated for 'Og'"):
        form_factors("Og", np.array([0.1]), None)
    with pytest.raises(InvalidValueError, match="beyond backscattering at 3 keV"):
        powder_intensities(cif, np.array([[6, 0, 0]]), 3.0, space_group=229)


RUBY = """data_ruby
_cell_length_a 4.7608
_cell_length_b 4.7608
_cell_length_c 12.99568
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_space_group_name_H-M_alt 'R -3 c :H'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
Al1 Al 0 0 0.35216 0.0033
O1 O 0.30624 0 0.25 0.0040
"""


@pytest.mark.parametrize("sweep", [0, 1, 2])
def test_measured_intensities_of_a_ruby(
    measured: Callable[[str], Path], tmp_path: Path, sweep: int
) -> None:
    """Summed counts of HEXRD's spots follow abs(F)^2, Lorentz' and the polarisation factor.

    Medians of the families with at least six spots and none near saturation; some spots of a
    family lie in a shadow, all others agree within some per cent.
    """
    cif = tmp_path / "ruby.cif"
    cif.write_text(RUBY)
    name = f"hedm/hexrd_single_GE/results/RUBY_SWEEP_{sweep}/spots_00000.out"
    spots = np.loadtxt(measured(name))
    spots = spots[np.isfinite(spots).all(axis=1)]
    square = np.abs(structure_factors(cif, spots[:, 2:5].astype(np.int64), 80.725)) ** 2
    # HEXRD's eta counts from its x, which lies across beam and rotation axis
    two_theta, eta = spots[:, 10], spots[:, 11]
    across, up = np.sin(two_theta) * np.cos(eta), np.sin(two_theta) * np.sin(eta)
    direction = np.column_stack([np.cos(two_theta), -across, up])
    expected = lorentz_factor(np.sin(two_theta), np.cos(eta)) * polarisation_factor(direction)
    families = []
    for family in np.unique(np.round(square)):
        rows = np.round(square) == family
        if rows.sum() >= 6 and spots[rows, 6].max() < 13_500.0:
            families.append((family, np.median(spots[rows, 5] / expected[rows])))
    strength, seen = np.log(np.array(families)).T
    assert len(families) >= 15
    assert np.ptp(strength) > math.log(15.0)
    assert np.polyfit(strength, seen, 1)[0] == pytest.approx(1.0, abs=0.06)
    away = seen - strength - np.median(seen - strength)
    assert np.median(np.abs(away)) < 0.10
