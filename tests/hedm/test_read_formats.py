"""Step hedm.read on formats that state little: what is said beside the files, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.errors import InvalidValueError, MissingColumnError, UnitError
from mesolith.hedm.formats import (
    UNSTATED,
    describe_hexrd,
    describe_midas_h5,
    describe_ubi,
    describe_ubi_h5,
)
from mesolith.hedm.settings import Options
from mesolith.io.hexrd import hexrd_from_grain_map, write_hexrd
from mesolith.io.imaged11 import UbiGrain, ubi_from_grain_map, write_grains_h5, write_ubi
from mesolith.io.midas_h5 import write_midas_h5
from mesolith.pipeline.settings import declared_settings
from tests.hedm.test_read import read
from tests.io.grain_maps import grain_map, grains_file

MAP = grain_map(12)
BESIDE: dict[str, Any] = {"space_group": 220, "lattice": 12.95, "radius_um": 27.5}


def files(folder: Path) -> dict[str, Path]:
    paths = {name: folder / f"grains.{name}" for name in ("hexrd", "ubi", "ubi-h5", "midas-h5")}
    write_hexrd(paths["hexrd"], hexrd_from_grain_map(MAP))
    write_ubi(paths["ubi"], ubi_from_grain_map(MAP))
    write_grains_h5(paths["ubi-h5"], ubi_from_grain_map(MAP))
    write_midas_h5(paths["midas-h5"], MAP)
    return paths


@pytest.mark.parametrize("name", ["hexrd", "ubi", "ubi-h5", "midas-h5"])
def test_the_same_grains_from_each_format(tmp_path: Path, name: str) -> None:
    beside = {} if name == "midas-h5" else BESIDE
    for stated in ({}, {"format": name}):
        found, remarks = read(
            tmp_path, files(tmp_path)[name], **{"state.grains": {**beside, **stated}}
        )
        assert np.abs(found.position - MAP.position).max() < 1e-9
        assert np.abs(found.orientation - MAP.orientation).max() < 1e-12
        assert np.abs(found.lattice - MAP.lattice).max() < 1e-12
        assert found.phases.space_group.tolist() == [220]
        assert found.phases.lattice[0] == pytest.approx(MAP.phases.lattice[0])
        assert found.error_source == "assumed"
        assumed = [remark.text for remark in remarks if remark.level == "assumed"]
        assert len(assumed) == (1 if name == "midas-h5" else 2)
        if name != "midas-h5":
            assert found.radius.tolist() == [27.5] * 12
            assert "27.5 um" in assumed[0]


@pytest.mark.parametrize("key", BESIDE)
def test_what_is_not_said_is_asked_for(tmp_path: Path, key: str) -> None:
    beside = {word: value for word, value in BESIDE.items() if word != key}
    with pytest.raises(MissingColumnError, match=f"does not state what {key} says") as caught:
        read(tmp_path, files(tmp_path)["hexrd"], **{"state.grains": beside})
    assert f"{key} = " in str(caught.value)


@pytest.mark.parametrize(
    ("lattice", "error", "words"),
    [
        ([12.95, 12.95], InvalidValueError, "lattice has 2 numbers"),
        (1.295, UnitError, "is not one in angstrom"),
        ([12.95, 12.95, 12.95, 1.57, 1.57, 1.57], UnitError, "radians, not degrees"),
    ],
)
def test_lattice_beside_the_files(
    tmp_path: Path, lattice: Any, error: type[Exception], words: str
) -> None:
    options = {**BESIDE, "lattice": lattice}
    with pytest.raises(error, match=words):
        read(tmp_path, files(tmp_path)["ubi"], **{"state.grains": options})


def test_six_numbers_for_a_lattice(tmp_path: Path) -> None:
    options = {**BESIDE, "lattice": [12.95, 12.95, 12.95, 90.0, 90.0, 90.0]}
    found, _ = read(tmp_path, files(tmp_path)["ubi"], **{"state.grains": options})
    assert found.phases.lattice[0] == pytest.approx(MAP.phases.lattice[0])


def test_a_file_that_states_its_own_is_believed(tmp_path: Path) -> None:
    found, remarks = read(tmp_path, grains_file(tmp_path), **{"state.grains": BESIDE})
    assert found.radius.max() != 27.5
    assert "space_group, lattice, radius_um beside the files is not used" in remarks[0].text


def test_grains_without_a_place(tmp_path: Path) -> None:
    first, *others = ubi_from_grain_map(MAP)
    grains = [UbiGrain(first.ubi, None, (), "", 0), *others]
    path = tmp_path / "grains.map"
    write_ubi(path, grains)
    with pytest.raises(InvalidValueError, match="1 of 12 grains state no translation"):
        read(tmp_path, path, **{"state.grains": BESIDE})
    found, remarks = read(tmp_path, path, **{"state.grains": BESIDE, "run.allow_partial": True})
    assert len(found) == 11
    assert "gap" in [remark.level for remark in remarks]
    described = describe_ubi(path)
    assert "1 of 12 grains state no translation" in described.problems[0]


def test_descriptions_ask_for_what_is_missing(tmp_path: Path) -> None:
    paths = files(tmp_path)
    for name, describe in (
        ("hexrd", describe_hexrd),
        ("ubi", describe_ubi),
        ("ubi-h5", describe_ubi_h5),
    ):
        described = describe(paths[name])
        assert (described.format, described.rows) == (name, 12)
        assert described.needs == UNSTATED
    described = describe_midas_h5(paths["midas-h5"])
    assert described.facts == ("12 grains", "space group 220")
    assert described.needs == ()
    of_layers = {"layer_z_um", "beam_height_um"}
    assert {key for key, _ in UNSTATED} == set(declared_settings(Options)) - of_layers
