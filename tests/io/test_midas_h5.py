"""MIDAS' consolidated HDF5: the order of columns that the content allows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from mesolith.errors import (
    ContradictionError,
    DuplicateError,
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MesolithError,
    MissingColumnError,
    OrientationError,
    UnitError,
)
from mesolith.io.midas_h5 import read_midas_h5, write_midas_h5
from mesolith.io.midas_write import COLUMNS
from tests.io.grain_maps import grain_map


def written(folder: Path, n: int = 6) -> Path:
    write_midas_h5(folder / "grains.h5", grain_map(n))
    return folder / "grains.h5"


def change(path: Path, edit: Callable[[h5py.File, np.ndarray], np.ndarray | None]) -> None:
    """Replace the table by what ``edit`` makes of it; None leaves it out."""
    with h5py.File(path, "r+") as file:
        table = file["grains/summary"][()]
        del file["grains/summary"]
        table = edit(file, table)
        if table is not None:
            file["grains/summary"] = table


def put(column: str, value: float, row: int = 2) -> Callable[..., np.ndarray]:
    def edit(file: h5py.File, table: np.ndarray) -> np.ndarray:
        table[row, COLUMNS.index(column)] = value
        return table

    return edit


def test_columns_in_an_order_that_the_names_tell(tmp_path: Path) -> None:
    """Names that fit the content are believed, whatever their order."""
    path = written(tmp_path)
    plain = read_midas_h5(path).grain_map
    order = [*range(10, len(COLUMNS)), *range(10)]

    def reorder(file: h5py.File, table: np.ndarray) -> np.ndarray:
        names = ["Radius" if COLUMNS[k] == "GrainRadius" else COLUMNS[k] for k in order]
        file["grains"].attrs["column_names"] = np.array(names, dtype=h5py.string_dtype())
        return table[:, order]

    change(path, reorder)
    found = read_midas_h5(path)
    assert found.findings == ()
    assert np.array_equal(found.grain_map.position, plain.position)
    assert np.array_equal(found.grain_map.radius, plain.radius)


def test_names_that_contradict_the_content(tmp_path: Path) -> None:
    path = written(tmp_path)
    plain = read_midas_h5(path).grain_map

    def rename(file: h5py.File, table: np.ndarray) -> np.ndarray:
        names = np.array(COLUMNS[5:] + COLUMNS[:5], dtype=h5py.string_dtype())
        file["grains"].attrs["column_names"] = names
        return table

    change(path, rename)
    found = read_midas_h5(path)
    assert np.array_equal(found.grain_map.position, plain.position)
    assert "column names contradict the content" in found.findings[0].text


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (put("O11", 0.2), ContradictionError, "the orientations are not orthogonal"),
        (put("Confidence", 97.0), ContradictionError, "confidence is not between 0 and 1"),
        (put("eFab12", 4000.0), ContradictionError, "eFab is not symmetric"),
        (put("GrainRadius", -1.0), ContradictionError, "a radius is not positive"),
        (put("GrainID", 1.5), ContradictionError, "a grain's id is no integer"),
        (put("GrainID", 1.0), DuplicateError, "grain ids occur more than once"),
        (put("PhaseNr", 2.0), ContradictionError, "PhaseNr 2 where 1 phase is known"),
        (put("X", np.nan), InvalidValueError, "1 of 6 grains hold NaN"),
        (put("a", 1.295), UnitError, "differ from the %Lattice Parameter"),
        (lambda file, table: table[:0], EmptyFileError, "the file lists no grains"),
        (lambda file, table: table[:, :40], FileFormatError, "47 columns are expected"),
        (lambda file, table: None, FileFormatError, "no data set /grains/summary"),
    ],
)
def test_mistakes(
    tmp_path: Path,
    edit: Callable[..., np.ndarray | None],
    error: type[MesolithError],
    words: str,
) -> None:
    path = written(tmp_path)
    change(path, edit)
    with pytest.raises(error, match=words) as caught:
        read_midas_h5(path)
    assert "grains.h5" in str(caught.value.where)
    assert caught.value.remedy


def test_mirrored_axes(tmp_path: Path) -> None:
    path = written(tmp_path)

    def mirror(file: h5py.File, table: np.ndarray) -> np.ndarray:
        table[:, 1:4] *= -1.0
        return table

    change(path, mirror)
    with pytest.raises(OrientationError, match="left-handed"):
        read_midas_h5(path)


def test_grains_with_nan_are_left_out_on_request(tmp_path: Path) -> None:
    path = written(tmp_path)
    change(path, put("Y", np.nan))
    found = read_midas_h5(path, allow_partial=True)
    assert len(found.grain_map) == 5
    assert found.findings[0].level == "gap"


def test_phase_that_the_file_does_not_state(tmp_path: Path) -> None:
    path = written(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["parameters"]
    with pytest.raises(MissingColumnError, match="no space group and lattice"):
        read_midas_h5(path)
    phases = grain_map(1).phases
    assert len(read_midas_h5(path, phases=phases).grain_map) == 6


def test_one_phase_a_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="the map has 2 phases"):
        write_midas_h5(tmp_path / "grains.h5", grain_map(4, phases=2))
