"""ImageD11's grain maps: traps and mistakes, each named."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MesolithError,
    OrientationError,
    TruncatedFileError,
)
from mesolith.io.grain_file import one_phase
from mesolith.io.imaged11 import (
    UbiGrain,
    grain_map_from_ubi,
    read_grains_h5,
    read_parameters,
    read_ubi,
    ubi_from_grain_map,
    write_grains_h5,
    write_ubi,
)
from tests.io.grain_maps import grain_map

PHASES = grain_map(1).phases


def written(folder: Path, n: int = 4) -> Path:
    write_ubi(folder / "grains.map", ubi_from_grain_map(grain_map(n)))
    return folder / "grains.map"


def test_grain_map_there_and_back(tmp_path: Path) -> None:
    source = grain_map(20)
    grains = ubi_from_grain_map(source)
    write_ubi(tmp_path / "grains.map", grains)
    write_grains_h5(tmp_path / "grains.h5", grains)
    for path, read in (
        (tmp_path / "grains.map", read_ubi),
        (tmp_path / "grains.h5", read_grains_h5),
    ):
        again = read(path)
        found = grain_map_from_ubi(again, path, phases=source.phases, radius=25.0).grain_map
        assert np.array_equal(found.position, source.position)
        assert np.abs(found.lattice - source.lattice).max() < 1e-13
        assert np.abs(found.orientation - source.orientation).max() < 1e-14
    assert np.array_equal(found.grain_id, source.grain_id)  # HDF5 keeps the names


def test_rows_of_a_ubi_are_the_lattice_vectors(tmp_path: Path) -> None:
    path = tmp_path / "grains.ubi"
    path.write_text("#translation: 1 2 3\n#UBI:\n0 -4 0\n5 0 0\n0 0 6\n")
    right = np.pi / 2
    phases = one_phase(47, np.array([4.0, 5.0, 6.0, right, right, right]))
    found = grain_map_from_ubi(read_ubi(path), path, phases=phases, radius=10.0).grain_map
    assert found.lattice[0] == pytest.approx([4.0, 5.0, 6.0, right, right, right])
    # a points along -y: a turn by -90 degrees about z
    assert found.orientation[0] == pytest.approx([np.sqrt(0.5), 0.0, 0.0, -np.sqrt(0.5)])
    assert found.position[0].tolist() == [1.0, 2.0, 3.0]


def test_absent_translation_is_not_zero(tmp_path: Path) -> None:
    path = written(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for k, line in enumerate(lines) if k != 6) + "\n")
    grains = read_ubi(path)
    assert [grain.translation is None for grain in grains] == [False, True, False, False]
    with pytest.raises(InvalidValueError, match="1 of 4 grains state no translation") as caught:
        grain_map_from_ubi(grains, path, phases=PHASES, radius=10.0)
    assert "which is not (0, 0, 0)" in str(caught.value)
    assert "line 8" in str(caught.value)
    found = grain_map_from_ubi(grains, path, phases=PHASES, radius=10.0, allow_partial=True)
    assert found.grain_map.grain_id.tolist() == [0, 2, 3]
    assert [finding.level for finding in found.findings] == ["assumed", "gap"]
    # both writers keep it absent
    write_ubi(path, grains)
    assert read_ubi(path)[1].translation is None
    write_grains_h5(tmp_path / "grains.h5", grains)
    assert read_grains_h5(tmp_path / "grains.h5")[1].translation is None
    nowhere = [grain for grain in grains if grain.translation is None]
    with pytest.raises(InvalidValueError, match="1 of 1 grains state no translation"):
        grain_map_from_ubi(nowhere, path, phases=PHASES, radius=10.0, allow_partial=True)


def test_text_without_words(tmp_path: Path) -> None:
    path = tmp_path / "grains.ubi"
    path.write_text("4 0 0\n0 4 0\n0 0 4\n\n0 4 0\n0 0 4\n4 0 0\n")
    grains = read_ubi(path)
    assert len(grains) == 2
    assert all(grain.translation is None for grain in grains)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", EmptyFileError, "the file is empty"),
        ("#UBI:\n", EmptyFileError, "lists no grains"),
        ("#UBI:\n4 0 0\n0 4 0\n", TruncatedFileError, "a UBI has 2 of 3 rows"),
        ("#UBI:\n4 0 0\n#UBI:\n0 4 0\n", TruncatedFileError, "a UBI has 1 of 3 rows"),
        ("#UBI:\n4 0\n0 4 0\n0 0 4\n", FileFormatError, "three numbers are expected"),
        ("#UBI:\n4 0 a\n0 4 0\n0 0 4\n", FileFormatError, "three numbers are expected"),
        ("#UBI:\n4 0 nan\n0 4 0\n0 0 4\n", InvalidValueError, "holds NaN, infinity"),
        ("#translation: 1 2\n", FileFormatError, "the translation is '1 2'"),
    ],
)
def test_mistakes_in_a_text(
    tmp_path: Path, text: str, error: type[MesolithError], words: str
) -> None:
    path = tmp_path / "grains.map"
    path.write_text(text)
    with pytest.raises(error, match=words) as caught:
        read_ubi(path)
    assert "grains.map" in str(caught.value.where)


@pytest.mark.parametrize(
    ("ubi", "error", "words"),
    [
        (np.diag([4.0, 4.0, -4.0]), OrientationError, "1 of 1 grains have left-handed axes"),
        (np.diag([0.4, 0.4, 0.4]), InvalidValueError, "no lattice in angstrom"),
        (np.array([[4.0, 0, 0], [4.0, 0, 0], [0, 0, 4.0]]), InvalidValueError, "lie in one plane"),
    ],
)
def test_no_lattice(ubi: np.ndarray, error: type[MesolithError], words: str) -> None:
    grain = UbiGrain(ubi, np.zeros(3), (), "grains.map, line 3", 0)
    with pytest.raises(error, match=words) as caught:
        grain_map_from_ubi([grain], Path("grains.map"), phases=PHASES, radius=10.0)
    assert caught.value.where == "grains.map, line 3"


def test_mistakes_in_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "grains.h5"
    path.write_bytes(b"no HDF5")
    with pytest.raises(FileFormatError, match="no readable HDF5"):
        read_grains_h5(path)
    with h5py.File(path, "w") as file:
        file.create_group("grains/1")
    with pytest.raises(EmptyFileError, match="no group holds a data set ubi"):
        read_grains_h5(path)
    with h5py.File(path, "w") as file:
        file["grains/1/ubi"] = np.eye(2)
    with pytest.raises(InvalidValueError, match=r"ubi has the shape \(2, 2\)"):
        read_grains_h5(path)
    with h5py.File(path, "w") as file:
        file["grains/1/ubi"] = 4.0 * np.eye(3)
        file["grains/1/translation"] = np.array([1.0, np.nan, 2.0])
    with pytest.raises(InvalidValueError, match="translation is not three numbers") as caught:
        read_grains_h5(path)
    assert "/grains/1" in str(caught.value.where)


def test_names_in_hdf5(tmp_path: Path) -> None:
    """Numbers count as numbers; groups that share one, or have none, are counted instead."""
    path = tmp_path / "grains.h5"
    with h5py.File(path, "w") as file:
        for name in ("10", "9", "2"):
            file[f"grains/{name}/ubi"] = 4.0 * np.eye(3)
    assert [grain.number for grain in read_grains_h5(path)] == [2, 9, 10]
    with h5py.File(path, "w") as file:
        for name in ("1", "01", "a"):
            file[f"{name}/ubi"] = 4.0 * np.eye(3)
    assert [grain.number for grain in read_grains_h5(path)] == [0, 1, 2]


def test_parameters(tmp_path: Path) -> None:
    path = tmp_path / "some.par"
    path.write_text("cell__a 5.77\nc13 None\n# note\ncrystal_symmetry cubic\n")
    assert read_parameters(path) == {"cell__a": 5.77, "crystal_symmetry": "cubic"}
    path.write_text("\n")
    with pytest.raises(EmptyFileError, match="no parameters"):
        read_parameters(path)
