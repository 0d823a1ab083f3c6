"""HEXRD's grains.out: traps and mistakes, each named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesolith.axes import MANDEL, tensor_from_six
from mesolith.crystal.elasticity import strain_from_lattice
from mesolith.errors import (
    ContradictionError,
    DuplicateError,
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    TruncatedFileError,
)
from mesolith.io.hexrd import (
    grain_map_from_hexrd,
    hexrd_from_grain_map,
    read_hexrd,
    write_hexrd,
)
from tests.io.grain_maps import grain_map


def written(folder: Path, n: int = 5) -> Path:
    path = folder / "grains.out"
    write_hexrd(path, hexrd_from_grain_map(grain_map(n)))
    return path


def with_cell(path: Path, *, row: int, column: int, value: str) -> None:
    lines = path.read_text().splitlines()
    cells = lines[row + 1].split()
    cells[column] = value
    lines[row + 1] = "  ".join(cells)
    path.write_text("\n".join(lines) + "\n")


def test_grain_map_there_and_back(tmp_path: Path) -> None:
    source = grain_map(30)
    path = tmp_path / "grains.out"
    write_hexrd(path, hexrd_from_grain_map(source))
    read = grain_map_from_hexrd(read_hexrd(path), path, phases=source.phases, radius=25.0)
    found = read.grain_map
    assert np.array_equal(found.grain_id, source.grain_id)
    assert np.array_equal(found.completeness, source.completeness)
    assert np.abs(found.position - source.position).max() < 1e-12
    assert np.abs(found.lattice - source.lattice).max() < 1e-13
    assert np.abs(found.orientation - source.orientation).max() < 1e-14
    assert found.radius.tolist() == [25.0] * 30
    assert read.findings[0].level == "assumed"
    assert "25 um for every grain" in read.findings[0].text


def test_numbers_survive_to_the_last_bit(tmp_path: Path) -> None:
    grains = hexrd_from_grain_map(grain_map(10))
    path = tmp_path / "grains.out"
    write_hexrd(path, grains)
    found = read_hexrd(path)
    for field in (
        *("grain_id", "completeness", "chi_square", "exponential_map", "translation"),
        *("inverse_stretch", "log_stretch"),
    ):
        assert np.array_equal(getattr(found, field), getattr(grains, field)), field


def test_small_stretch_is_the_strain_on_sample_axes(tmp_path: Path) -> None:
    """ln V is the strain turned onto HEXRD's axes, to second order in it."""
    source = grain_map(6)
    reference = source.phases.lattice[0]
    stated = hexrd_from_grain_map(source)
    strain = strain_from_lattice(source.lattice, reference, source.orientation)
    turn = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    theirs = turn.T @ strain @ turn
    size = np.abs(strain).max()
    assert np.abs(tensor_from_six(stated.log_stretch) - theirs).max() < 3.0 * size**2
    assert np.abs(stated.log_stretch).max() > 10.0 * size**2
    # and inv V with its sqrt(2) taken off is I - ln V, to second order
    inverse = tensor_from_six(stated.inverse_stretch / MANDEL)
    first = np.eye(3) - tensor_from_six(stated.log_stretch)
    assert np.abs(inverse - first).max() < 3.0 * size**2


def test_off_diagonals_without_their_root_of_two_are_noticed(tmp_path: Path) -> None:
    """A file in which inv(V_s) was written without the factor contradicts itself."""
    path = written(tmp_path)
    grains = read_hexrd(path)
    wrong = grains.inverse_stretch / MANDEL
    for k in (12, 13, 14):
        with_cell(path, row=2, column=k, value=repr(float(wrong[2, k - 9])))
    with pytest.raises(ContradictionError, match=r"inv\(V_s\) and ln\(V_s\) of 1 of 5") as caught:
        read_hexrd(path)
    assert "line 4" in str(caught.value)
    assert "sqrt(2)" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "error", "words"),
    [
        (0, "1.5", FileFormatError, "grain ID 1.5 is no integer"),
        (0, "1", DuplicateError, "1 grain ids occur more than once"),
        (1, "81.4", InvalidValueError, "completeness 81.4 is not between 0 and 1"),
        (4, "nan", InvalidValueError, "1 of 5 grains hold NaN"),
        (4, "1e300", InvalidValueError, "a number beyond 1e"),
        (7, "x", FileFormatError, r"column t_vec_c\[1\] holds 'x', not a number"),
        (9, "2.0", InvalidValueError, r"inv\(V_s\) stretches by"),
    ],
)
def test_mistakes(
    tmp_path: Path, column: int, value: str, error: type[Exception], words: str
) -> None:
    path = written(tmp_path)
    with_cell(path, row=3, column=column, value=value)
    with pytest.raises(error, match=words) as caught:
        read_hexrd(path)
    assert "grains.out" in str(caught.value)


def test_cut_and_empty_files(tmp_path: Path) -> None:
    path = written(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1][:200]]))
    with pytest.raises(TruncatedFileError, match="of 21 numbers; it is the last one"):
        read_hexrd(path)
    path.write_text("\n".join([lines[0], lines[1][:200], lines[2]]))
    with pytest.raises(FileFormatError, match="of 21 numbers"):
        read_hexrd(path)
    path.write_text(lines[0] + "\n")
    with pytest.raises(EmptyFileError, match="lists no grains"):
        read_hexrd(path)
    path.write_text("\n")
    with pytest.raises(EmptyFileError, match="the file is empty"):
        read_hexrd(path)


def test_one_phase_of_several(tmp_path: Path) -> None:
    source = grain_map(8, phases=2)
    stated = hexrd_from_grain_map(source, phase=1)
    assert np.array_equal(stated.grain_id, source.grain_id[source.phase == 1])
