"""Energies of monochromatic pictures from stacks and logs, in whichever unit, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from mesolith.errors import (
    ContradictionError,
    FileFormatError,
    InvalidValueError,
    MissingColumnError,
)
from mesolith.io.energy_stack import open_energy_stack, write_energy_stack

FRAMES = np.arange(3 * 20 * 18, dtype=np.uint16).reshape(3, 20, 18)
ENERGY = np.array([10.0, 10.001, 10.002])


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "scan.h5"
    write_energy_stack(path, FRAMES, ENERGY)
    return path


def logged(stack: Path, text: str) -> np.ndarray:
    log = stack.with_suffix(".log")
    log.write_text(text, encoding="utf-8")
    return open_energy_stack(stack, log=log).energy


def test_pictures_and_energies_of_a_stack(stack: Path) -> None:
    found = open_energy_stack(stack)
    np.testing.assert_array_equal(found.source.read(2), FRAMES[2])
    np.testing.assert_array_equal(found.energy, ENERGY)


@pytest.mark.parametrize(
    "text",
    [
        "# picture energy_ev\n0 10000\n1 10001\n2 10002\n",
        "point,Energy (keV),seconds\n1,10.0,5\n2,10.001,5\n3,10.002,5\n",
        "#S 4 ascan energy\n#L energy seconds\n10000 1\n10001 1\n10002 1\n# done\n",
        "mono_energy\tsize\n10.000\t1\n10.001\t1\n10.002\t1\n",
    ],
)
def test_a_log_tells_energies_in_its_unit(stack: Path, text: str) -> None:
    np.testing.assert_allclose(logged(stack, text), ENERGY)


def test_wrong_energies_are_refused(stack: Path, tmp_path: Path) -> None:
    with pytest.raises(ContradictionError, match="3 pictures and 2 energies"):
        logged(stack, "energy_ev\n10000\n10001\n")
    with pytest.raises(InvalidValueError, match="from 10000 to 10002 keV"):
        logged(stack, "energy_kev\n10000\n10001\n10002\n")
    with pytest.raises(FileFormatError, match="no number in the column energy_ev"):
        logged(stack, "picture energy_ev\n0 10000\n1 nan\n2 10002\n")
    with pytest.raises(MissingColumnError, match="no column energy"):
        logged(stack, "picture theta\n0 10\n1 11\n2 12\n")
    with pytest.raises(FileFormatError, match="2 stacks"):
        open_energy_stack([stack, stack])
    bare = tmp_path / "bare.h5"
    with h5py.File(bare, "w") as file:
        file["data"] = FRAMES
    with pytest.raises(MissingColumnError, match="no photon energies"):
        open_energy_stack(bare)
