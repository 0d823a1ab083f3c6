"""Tables of true grains: any order of columns, every mistake named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesolith.errors import EmptyFileError, FileFormatError, MissingColumnError
from mesolith.io.truth_table import read_truth

HEADER = (
    "found_id,grain_id,x_um,y_um,z_um,radius_um,stress_von_mises_mpa,stress_hydrostatic_mpa,extra"
)


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "grains_plating 1.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    truth = read_truth(table(tmp_path, HEADER, "-1,7,1.5,2,3,27,40,-12.25,x", "9,8,0,0,0,1,2,3,y"))
    assert truth.found_id.tolist() == [-1, 9]
    assert truth.grain_id.tolist() == [7, 8]
    assert truth.position[0].tolist() == [1.5, 2.0, 3.0]
    assert truth.stress_hydrostatic.tolist() == [-12.25, 3.0]
    assert truth.stress_von_mises.tolist() == [40.0, 2.0]


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(EmptyFileError, match="no grains"):
        read_truth(table(tmp_path, HEADER))
    with pytest.raises(MissingColumnError, match="lacks radius_um"):
        read_truth(table(tmp_path, HEADER.replace("radius_um", "size"), "1,1,1,1,1,1,1,1,1"))
    with pytest.raises(FileFormatError, match=r"plating 1\.csv:3: cannot be read"):
        read_truth(table(tmp_path, HEADER, "1,1,1,1,1,1,1,1,1", "1,1,one,1,1,1,1,1,1"))
    with pytest.raises(FileFormatError, match=":2: cannot be read"):
        read_truth(table(tmp_path, HEADER, "1,1"))
