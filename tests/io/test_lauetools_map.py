"""LaueTools' table of a map: a measured one's stress from its orientation and strain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.crystal.elasticity import (
    cubic_stiffness,
    rotate_to_sample,
    strain_from_lattice,
    stress_from_strain,
    von_mises_from_stress,
)
from mesolith.crystal.lattice import lattice_from_basis
from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MissingColumnError,
    TruncatedFileError,
)
from mesolith.io.lauetools_map import (
    read_lauetools_map,
    recognise_lauetools_map,
    sample_axes,
)

Measured = Callable[[str], Path]
UO2 = "laue/lauetools_UO2/UO2_SUMMARY_0_to_609.dat"
# silicon, MPa: Hall (1967), 10.1103/PhysRev.161.756; its authors took it for the oxide
SILICON = cubic_stiffness(165.64e3, 63.94e3, 79.51e3)
UNIT_MPA = 100.0


def test_stress_and_its_equivalent_follow_from_orientation_and_strain(measured: Measured) -> None:
    table = read_lauetools_map(measured(UO2))
    assert len(table) == 610
    orientation = table.orientation(tilt=np.deg2rad(40.0))
    strain = rotate_to_sample(table.strain_crystal, orientation)
    np.testing.assert_allclose(strain, table.strain_sample, atol=5e-9)
    stress = stress_from_strain(strain, SILICON, orientation)
    # bar: 0.04 of their unit; their numbers have six digits
    np.testing.assert_allclose(stress, table.stress_sample, atol=1e-5 * UNIT_MPA)
    equivalent = von_mises_from_stress(stress)
    np.testing.assert_allclose(equivalent, table.von_mises, atol=1e-5 * UNIT_MPA)
    assert 10.0 < np.median(equivalent) < 1000.0


def test_the_strain_follows_from_the_lattice(measured: Measured) -> None:
    """Its matrices have six digits, its strains are of a lattice of unchanged a or volume."""
    table = read_lauetools_map(measured(UO2))
    lattice = lattice_from_basis(np.swapaxes(np.linalg.inv(table.reciprocal), 1, 2))
    cube = np.array([1.0, 1.0, 1.0, *[np.pi / 2.0] * 3])
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(table), 1))
    strain = strain_from_lattice(lattice, cube, still)
    strain -= np.trace(strain, axis1=1, axis2=2)[:, None, None] / 3.0 * np.eye(3)
    off: FloatArray = strain - table.strain_crystal
    assert np.median(np.abs(off)) < 3e-6


def test_sample_axes_lie_as_the_surface_does() -> None:
    axes = sample_axes(np.deg2rad(40.0))
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-15)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    # out of the surface: up, and against the beam
    np.testing.assert_allclose(axes[:, 2], [-np.sin(0.698132), 0.0, np.cos(0.698132)], atol=1e-6)


def damaged(measured: Measured, folder: Path, change: Callable[[list[str]], list[str]]) -> Path:
    lines = measured(UO2).read_text(encoding="utf-8").splitlines()[:8]
    path = folder / "table.dat"
    path.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    return path


def test_damage_is_named(measured: Measured, tmp_path: Path) -> None:
    whole = damaged(measured, tmp_path, lambda lines: lines)
    assert recognise_lauetools_map(whole, whole.read_bytes()) == 1.0
    assert recognise_lauetools_map(whole, b"2theta chi X Y I\n1 2 3 4 5\n") == 0.0
    assert len(read_lauetools_map(whole)) == 6
    cut = damaged(measured, tmp_path, lambda lines: [*lines[:-1], lines[-1][:90]])
    with pytest.raises(TruncatedFileError, match="line 8"):
        read_lauetools_map(cut)
    gone = damaged(measured, tmp_path, lambda lines: [line.replace("von_", "") for line in lines])
    with pytest.raises(MissingColumnError, match="no column von_mises"):
        read_lauetools_map(gone)
    nan = damaged(measured, tmp_path, lambda lines: [*lines[:3], "nan" + lines[3][8:], *lines[4:]])
    with pytest.raises(InvalidValueError, match="line 4"):
        read_lauetools_map(nan)
    other = damaged(measured, tmp_path, lambda lines: lines[2:])
    with pytest.raises(FileFormatError, match="line 2"):
        read_lauetools_map(other)
    bare = damaged(measured, tmp_path, lambda lines: lines[:2])
    with pytest.raises(EmptyFileError, match="no row"):
        read_lauetools_map(bare)
    bare.write_text("")
    with pytest.raises(EmptyFileError, match="the file is empty"):
        read_lauetools_map(bare)
