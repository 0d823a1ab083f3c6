"""Grain lists that others made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.crystal.lattice import basis_from_lattice
from mesolith.hedm.formats import describe_midas
from mesolith.io.midas import read_midas
from mesolith.io.midas_strain import strain_from_columns
from mesolith.io.midas_write import write_midas

Measured = Callable[[str], Path]
GRAINS = "hedm/midas_ff_example/GrainsSim.csv"


def test_grains_of_the_simulator(measured: Measured) -> None:
    found = read_midas(measured(GRAINS))
    grains = found.grain_map
    assert len(grains) == 250
    assert grains.lattice[:, 0].mean() == pytest.approx(4.079902, abs=5e-7)
    assert grains.phases.space_group.tolist() == [225]
    assert grains.radius.tolist() == [300.0] * 250
    assert grains.position[0] == pytest.approx([588.287193, -630.550267, -183.686664])
    assert grains.lattice[0, 3] == pytest.approx(np.radians(90.063657))
    zero = [f for f in found.findings if "all zero" in f.text]
    assert len(zero) == 2  # eFab and eKen


def test_writing_it_again_gives_its_numbers(measured: Measured, tmp_path: Path) -> None:
    """All columns but strain, Euler angles among them: they pin the writer to the measured file."""
    source, copy = measured(GRAINS), tmp_path / "Grains.csv"
    write_midas(copy, read_midas(source).grain_map)
    one, two = (
        np.array([line.split() for line in p.read_text().splitlines()[9:]], dtype=float)
        for p in (source, copy)
    )
    assert source.read_text().splitlines()[8] == copy.read_text().splitlines()[8]
    same = [0, *range(10, 24), 42, 43]
    assert np.abs(one[:, same] - two[:, same]).max() == pytest.approx(0.0, abs=1e-9)
    assert np.abs(one[:, 1:10] - two[:, 1:10]).max() < 1.5e-6
    turn = np.abs(one[:, 44:] - two[:, 44:])
    assert np.minimum(turn, 360.0 - turn).max() < 1e-3  # from O with six decimals


def test_orientation_maps_crystal_to_sample(measured: Measured) -> None:
    """eFab of a reduced grain is U eps U^T with U = O, row by row, in microstrain."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(measured("hedm/midas_ff_example/consolidated_Output.h5")) as file:
        rows = np.array(file["grains/summary"])
    row = rows[rows[:, 0] == 60][0]
    u = row[1:10].reshape(1, 3, 3)
    lattice = np.concatenate([row[13:16], np.radians(row[16:19])])[None]
    assert lattice[0, :3] == pytest.approx([4.080332, 4.08184, 4.081348], abs=1e-6)
    right = np.pi / 2
    reference = np.array([[4.08, 4.08, 4.08, right, right, right]])
    strain = 1e6 * strain_from_columns(lattice, reference, u)[0]
    assert row[24] == pytest.approx(526.624998, abs=1e-3)
    assert strain == pytest.approx(row[24:33].reshape(3, 3), abs=1.0)
    transposed = 1e6 * strain_from_columns(lattice, reference, u.swapaxes(1, 2))[0]
    assert np.abs(transposed - row[24:33].reshape(3, 3)).max() > 10.0
    assert np.linalg.det(basis_from_lattice(lattice))[0] > 0.0


def test_description_reads_the_header(measured: Measured) -> None:
    described = describe_midas(measured(GRAINS))
    assert described.rows == 250
    assert "space group 225" in described.facts
    assert described.problems == ()
