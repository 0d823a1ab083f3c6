"""Results never go among raw data."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesolith.errors import OutputPlaceError
from mesolith.pipeline.place import refuse_inside


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("project/raw/pristine", "project/raw/plating", "beamtime"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "Grains.csv").touch()
    return tmp_path / "project"


@pytest.mark.parametrize(
    "place", [".mesolith", "result", "raw2/result", "../elsewhere", "../beamtime2"]
)
def test_other_places_are_fine(project: Path, place: str) -> None:
    raw = [project / "raw/pristine/Grains.csv", project.parent / "beamtime/Grains.csv"]
    refuse_inside(project / place, raw, project=project)


@pytest.mark.parametrize(
    "place",
    ["raw", "raw/result", "raw/pristine", "raw/pristine/a/b", "../beamtime", "x/../raw/result"],
)
def test_places_inside_raw_data_are_refused(project: Path, place: str) -> None:
    raw = [project / "raw/pristine/Grains.csv", project.parent / "beamtime/Grains.csv"]
    with pytest.raises(OutputPlaceError, match="inside the raw data folder") as refused:
        refuse_inside(project / place, raw, project=project)
    assert "--store or --output" in str(refused.value)


def test_raw_data_beside_cell_toml_leaves_no_place_there(project: Path) -> None:
    (project / "Grains.csv").touch()
    with pytest.raises(OutputPlaceError):
        refuse_inside(project / "result", [project / "Grains.csv"], project=project)


def test_a_place_around_raw_data_is_refused(project: Path) -> None:
    with pytest.raises(OutputPlaceError, match="holds the raw file"):
        refuse_inside(project, [project / "raw/pristine/Grains.csv"], project=project)


@pytest.mark.parametrize("place", ["out/result", "out/pristine/x", "../beamtime/result"])
def test_links_are_followed(project: Path, place: str) -> None:
    (project / "data").symlink_to(project.parent / "beamtime")
    (project / "out").symlink_to(project / "raw")
    raw = [project / "raw/pristine/Grains.csv", project / "data/Grains.csv"]
    with pytest.raises(OutputPlaceError):
        refuse_inside(project / place, raw, project=project)
