"""A path leads to cells: a file, a cell's folder, or a project of several."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesolith.errors import SettingsError
from mesolith.experiment import find_cells
from mesolith.experiment.finding import find_places_of_cells


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / "project" / name).mkdir(parents=True)
        (tmp_path / "project" / name / "cell.toml").write_text("", encoding="utf-8")
    return tmp_path / "project"


def test_a_path_is_a_file_a_folder_or_a_project(project: Path) -> None:
    a, b = project / "a" / "cell.toml", project / "b" / "cell.toml"
    assert find_cells([a]) == [a]
    assert find_cells([project / "b"]) == [b]
    assert find_cells([project]) == [a, b]


def test_each_cell_comes_once(project: Path) -> None:
    assert len(find_cells([project / "b", project])) == 2


def test_cells_of_a_project_share_its_store(project: Path) -> None:
    assert {place.store for place in find_places_of_cells([project])} == {project / ".mesolith"}


def test_a_cell_alone_has_its_own_store_unless_the_project_has_one(project: Path) -> None:
    (place,) = find_places_of_cells([project / "a"])
    assert place.store == project / "a" / ".mesolith"
    (project / ".mesolith").mkdir()
    (place,) = find_places_of_cells([project / "a"])
    assert place.store == project / ".mesolith"
    (project / "a" / ".mesolith").mkdir()
    (place,) = find_places_of_cells([project / "a"])
    assert place.store == project / "a" / ".mesolith"


def test_a_path_without_a_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds a cell\.toml"):
        find_cells([tmp_path])
    with pytest.raises(SettingsError, match="no such file or folder"):
        find_cells([tmp_path / "absent"])
