"""Lattices and their bases."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.crystal.lattice import basis_from_lattice, cell_volume, lattice_from_basis
from mesolith.errors import InvalidValueError

TRICLINIC = np.array([5.1, 6.3, 7.7, *np.radians([83.0, 98.0, 107.0])])


def test_axes_are_x_along_a_and_z_along_c_star() -> None:
    basis = basis_from_lattice(TRICLINIC)
    a, b = basis[:, 0], basis[:, 1]
    assert a == pytest.approx([5.1, 0.0, 0.0])
    assert b[2] == 0.0
    c_star = np.cross(a, b)
    assert c_star / np.linalg.norm(c_star) == pytest.approx([0.0, 0.0, 1.0])


def test_lattice_comes_back_from_its_basis() -> None:
    assert lattice_from_basis(basis_from_lattice(TRICLINIC)) == pytest.approx(TRICLINIC, rel=1e-14)


def test_volume_of_a_cube() -> None:
    cube = np.array([12.95, 12.95, 12.95, *[np.pi / 2] * 3])
    assert float(cell_volume(cube)) == pytest.approx(12.95**3)


def test_a_lattice_of_nan_names_its_row() -> None:
    lattices = np.tile(TRICLINIC, (3, 1))
    lattices[1, 2] = np.nan
    with pytest.raises(InvalidValueError, match=r"1 of 3 lattices .* row 1"):
        basis_from_lattice(lattices)


def test_degrees_taken_for_radians_are_noticed() -> None:
    with pytest.raises(InvalidValueError, match="angles between 0 and pi rad"):
        basis_from_lattice(np.array([5.0, 5.0, 5.0, 90.0, 90.0, 90.0]))


def test_angles_that_close_no_cell_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="close no cell"):
        basis_from_lattice(np.array([5.0, 5.0, 5.0, *np.radians([20.0, 20.0, 120.0])]))
