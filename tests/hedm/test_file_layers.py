"""Grain lists of several layers in one state: cut grains become one, as from frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.errors import ContradictionError, DuplicateError
from mesolith.hedm import read
from mesolith.hedm.file_layers import beam_height
from mesolith.hedm.frames_stitch import FINDS
from mesolith.hedm.indexed import grain_map_from_indexed, indexed_from_grain_map
from mesolith.io.midas_write import write_midas
from mesolith.io.record_file import read_record
from mesolith.pipeline.work import Source, Work, read_remarks
from mesolith.records.grains import GrainMap
from mesolith.records.layer_finds import LayerFinds
from tests.hedm.cut_grains import HEIGHT, Plan, Truth, cut_layers, middles, random_grains

PLAN = Plan(layers=3, grains=150)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Truth, list[GrainMap]]:
    """A Grains.csv a layer, from the top layer down, ids from 0 in each."""
    rng = np.random.default_rng(4)
    layers, truth = cut_layers(PLAN, rng, *random_grains(PLAN, rng))
    folder = tmp_path_factory.mktemp("lists")
    paths, maps = [], []
    for k, layer in reversed(list(enumerate(layers))):
        assert layer.grains is not None
        maps.append(grain_map_from_indexed(layer.grains, volume=layer.volume))
        paths.append(folder / f"layer{k}.csv")
        write_midas(paths[-1], maps[-1])
    return paths, truth, maps


def work(
    folder: Path,
    paths: list[Path],
    step: str = "hedm.read",
    *,
    sigma: float = 2.0,
    sigma_strain: float = 5e-5,
    **options: Any,
) -> Work:
    settings = {
        "state.grains": {"format": "midas", **options},
        "hedm.sigma_position_um": sigma,
        "hedm.sigma_orientation_deg": 0.01,
        "hedm.sigma_strain": sigma_strain,
        "hedm.minimum_completeness": 0.0,
        "hedm.strain_columns": "check",
    }
    folder.mkdir(exist_ok=True)
    sources = {"raw": tuple(Source("a", path) for path in paths)}
    return Work(step, "a", settings, sources, folder)


@pytest.mark.parametrize(("sigma", "source"), [(2.0, "given"), (20.0, "assumed")])
def test_lists_of_layers_are_stitched(
    tmp_path: Path,
    written: tuple[list[Path], Truth, list[GrainMap]],
    sigma: float,
    source: str,
) -> None:
    paths, truth, _ = written
    heights = middles(PLAN)[::-1].tolist()
    reading = work(tmp_path / "read", paths, sigma=sigma, layer_z_um=heights)
    read.trial(reading)
    read.compute(reading)
    found = read_record(reading.folder / "record.h5", GrainMap)
    owner = np.concatenate(truth.owner)
    assert len(found) == len(np.unique(owner))
    apart = np.linalg.norm(found.position[:, None] - truth.position[None], axis=2)
    nearest = np.argmin(apart, axis=1)
    assert len(np.unique(nearest)) == len(found)
    assert float(np.median(apart.min(axis=1))) < 5.0
    volume = 4.0 / 3.0 * np.pi * found.radius**3
    assert volume == pytest.approx(truth.volume[nearest], rel=0.4)
    assert (found.lit_volume, found.error_source) == (None, source)
    told = [remark.text for remark in read_remarks(reading.folder)]
    assert told[0].startswith(f"{len(owner)} finds in 3 layers are {len(found)} grains")

    finding = replace(
        work(tmp_path / "finds", paths, "hedm.finds", layer_z_um=heights),
        inputs={"hedm.read": (Source("a", reading.folder),)},
    )
    assert read.parts_of_finds(finding) == [{}]
    read.compute_finds(finding)
    finds = read_record(finding.folder / "record.h5", LayerFinds)
    np.testing.assert_array_equal(finds.layer_z, middles(PLAN))
    assert finds.grains == len(found)
    assert (reading.folder / FINDS).exists()


def test_one_layer_is_put_to_its_height(
    tmp_path: Path, written: tuple[list[Path], Truth, list[GrainMap]]
) -> None:
    paths, _, maps = written
    reading = work(tmp_path / "read", paths[:1], layer_z_um=70.0)
    read.compute(reading)
    found = read_record(reading.folder / "record.h5", GrainMap)
    assert found.position[:, 2] == pytest.approx(maps[0].position[:, 2] + 70.0, abs=1e-5)
    assert read.parts_of_finds(reading) == []


def test_lists_that_cannot_be_stitched_are_told(
    tmp_path: Path, written: tuple[list[Path], Truth, list[GrainMap]]
) -> None:
    paths, _, _ = written
    with pytest.raises(ContradictionError, match="3 files for 2 layers"):
        read.trial(work(tmp_path / "a", paths, layer_z_um=[0.0, 100.0]))
    with pytest.raises(ContradictionError, match="two of the 3 layers have the same height"):
        read.compute(work(tmp_path / "b", paths, layer_z_um=[0.0, 100.0, 100.0]))
    with pytest.raises(DuplicateError, match="occur in several files") as caught:
        read.compute(work(tmp_path / "c", paths))
    assert "layer_z_um" in str(caught.value.remedy)


def test_the_beam_is_as_high_as_layers_are_apart_unless_said() -> None:
    assert beam_height({}, [100.0, -100.0, 0.0], "a") == HEIGHT
    assert beam_height({"beam_height_um": 80.0}, [0.0], "a") == 80.0
    with pytest.raises(ContradictionError, match="how high the beam was"):
        beam_height({}, [0.0], "a")


def test_a_list_keeps_what_it_says_as_indexed_grains(
    written: tuple[list[Path], Truth, list[GrainMap]],
) -> None:
    _, _, maps = written
    volume = 4.0 / 3.0 * np.pi * float(np.sum(maps[0].radius ** 3))
    back = grain_map_from_indexed(indexed_from_grain_map(maps[0]), volume=volume)
    for name in ("position", "lattice", "radius", "covariance", "completeness"):
        np.testing.assert_allclose(
            getattr(back, name), getattr(maps[0], name), rtol=1e-9, atol=1e-16, err_msg=name
        )
    turn = np.abs(np.sum(back.orientation * maps[0].orientation, axis=1))
    assert turn == pytest.approx(1.0, abs=1e-12)
