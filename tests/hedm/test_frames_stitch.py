"""Layers of a state as parts of its steps, and their grains as one map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.errors import EmptyFileError, SettingsError
from mesolith.experiment import load_experiment
from mesolith.hedm import frames_stitch, read
from mesolith.hedm.calibrate_spots import uncalibrated
from mesolith.hedm.figure_layers import layers_drawing
from mesolith.hedm.frames_index import ASSIGNMENT
from mesolith.hedm.frames_layers import INSTRUMENT, STATION, sample_area
from mesolith.hedm.layer_finds import filled_shares
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.work import Source, Work, read_remarks
from mesolith.records.grains import GrainMap
from mesolith.records.indexed import IndexedGrains, SpotAssignment
from mesolith.records.layer_finds import LayerFinds
from mesolith.techniques import all_techniques
from mesolith.workflow.plan import make_plan
from tests.hedm.cut_grains import RADIUS, Plan, Truth, cut_layers, middles, random_grains

PLAN = Plan(layers=3, grains=150)
SETTINGS: dict[str, Any] = {
    # the files of the middle layer come last
    "state.frames": {"layer_z_um": [-100.0, 100.0, 0.0]},
    "cell.diameter_um": 2.0 * RADIUS,
    "frames.sample_radius_um": None,
    "frames.beam_height_um": 120.0,
    "hedm.sigma_position_um": 20.0,
    "hedm.sigma_orientation_deg": 0.1,
    "hedm.sigma_strain": 1e-4,
    "hedm.minimum_completeness": 0.0,
    "hedm.strain_columns": "check",
}
CELL = """
[cell]
name = "layers"
stack = "Li|LLZO|Li"
diameter_um = 300.0
thickness_um = 300.0

[electrolyte]
material = "LLZTO-I-43d"

[clock]
cycler = { zone = "UTC", offset_s = 0.0 }

[frames]
detector = "raw/detector.txt"

[[state]]
name = "pristine"
frames = { files = ["raw/a.npz", "raw/b.npz", "raw/c.npz"], layer_z_um = [-100, 0, 100] }
"""


def work(folder: Path, step: str, inputs: dict[str, tuple[Path, ...]], **changes: Any) -> Work:
    folder.mkdir()
    sources = {name: tuple(Source("a", path) for path in paths) for name, paths in inputs.items()}
    return Work(step, "a", SETTINGS | changes, sources, folder)


def no_grains(like: IndexedGrains) -> IndexedGrains:
    rows = {
        name: getattr(like, name)[:0]
        for name in ("grain_id", "lattice_vectors", "position", "covariance", "phase")
    }
    rows |= {
        name: getattr(like, name)[:0]
        for name in ("completeness", "expected", "spots", "own_spots", "likelihood", "scatter")
    }
    return replace(like, **rows, volume_share=np.empty(0), volume_share_se=np.empty(0))


def write_layers(
    folder: Path, empty: tuple[int, ...] = (), light: tuple[float | None, ...] = (None,) * 3
) -> tuple[Truth, list[Path], Path]:
    """What indexing leaves of three layers, in the order of the settings' files."""
    rng = np.random.default_rng(1)
    position, turn = random_grains(PLAN, rng)
    layers, truth = cut_layers(PLAN, rng, position, turn)
    panel = Panel("p", np.array([64, 64]), np.full(2, 200.0), np.array([2.2e6, 0, 0]), np.eye(3))
    station = Instrument(beam_from_energy(76.2, height=100.0), Goniometer(0.0, 0.0), (panel,))
    spots = folder / "spots"
    spots.mkdir()
    write_record(spots / INSTRUMENT, station)
    indexed = []
    for k in (0, 2, 1):
        grains = layers[k].grains
        assert grains is not None
        grains = replace(no_grains(grains) if k in empty else grains, light=light[k])
        place = folder / f"index-{k}"
        place.mkdir()
        write_record(place / "record.h5", grains)
        write_record(place / STATION, uncalibrated(station, place=None, omega=None))
        count = len(grains)
        zeros = np.zeros(count)
        write_record(
            place / ASSIGNMENT,
            SpotAssignment(
                spot=1000 * k + np.arange(count),
                grain_id=grains.grain_id,
                hkl=np.tile([1, 2, 3], (count, 1)),
                residual=np.zeros((count, 3)),
                distance=zeros,
                weight=zeros,
                omega=zeros,
                eta=zeros,
            ),
        )
        indexed.append(place)
    return truth, indexed, spots


def test_three_layers_become_one_map_in_the_sample(tmp_path: Path) -> None:
    truth, indexed, spots = write_layers(tmp_path)
    inputs = {"frames.index": tuple(indexed), "frames.spots": (spots,)}
    stitch = work(tmp_path / "stitch", "frames.stitch", inputs)
    frames_stitch.compute(stitch)
    remarks = [remark.text for remark in read_remarks(stitch.folder)]
    owner = np.concatenate(truth.owner)
    different = len(np.unique(owner))
    assert remarks[0].startswith(f"{len(owner)} finds in 3 layers are {different} grains")
    assert "of their stated errors in orientation" in remarks[1]

    reading = work(tmp_path / "read", "hedm.read", {"frames.stitch": (stitch.folder,)})
    read.compute(reading)
    found = read_record(reading.folder / "record.h5", GrainMap)
    assert len(found) == different
    # the instrument's beam is 100 um high, whatever the settings allow
    finds = read_record(stitch.folder / frames_stitch.FINDS, LayerFinds)
    assert finds.grain_volume == pytest.approx(3 * np.pi * RADIUS**2 * 100.0, rel=1e-9)
    volume = 4.0 / 3.0 * np.pi * np.sum(found.radius**3)
    assert volume == pytest.approx(finds.grain_volume, rel=1e-9)
    np.testing.assert_array_equal(finds.layer_z, middles(PLAN))
    apart = np.linalg.norm(found.position[:, None] - truth.position[None], axis=2)
    assert np.all(apart.min(axis=1) < 25.0)
    assert len(np.unique(np.argmin(apart, axis=1))) == different


def test_assignments_name_whole_grains(tmp_path: Path) -> None:
    _, indexed, spots = write_layers(tmp_path)
    inputs = {"frames.index": tuple(indexed), "frames.spots": (spots,)}
    stitch = work(tmp_path / "stitch", "frames.stitch", inputs)
    frames_stitch.compute(stitch)
    inputs = {"frames.index": tuple(indexed), "frames.stitch": (stitch.folder,)}
    assign = work(tmp_path / "assign", "frames.assign", inputs)
    frames_stitch.compute_assignment(assign)
    found = read_record(assign.folder / "record.h5", SpotAssignment)
    copied = work(tmp_path / "finds", "frames.finds", {"frames.stitch": (stitch.folder,)})
    frames_stitch.compute_finds(copied)
    finds = read_record(copied.folder / "record.h5", LayerFinds)
    richest = int(np.argmax(np.bincount(finds.layer)))
    assert np.all(found.spot // 1000 == richest)
    here = finds.layer == richest
    ids = dict(zip(finds.layer_grain_id[here], finds.grain_id[here], strict=True))
    assert [ids[k] for k in found.spot % 1000] == found.grain_id.tolist()
    # the same scattering vector, by the lattice of the part and by that of the whole grain
    part = read_record(tmp_path / f"index-{richest}" / "record.h5", IndexedGrains)
    whole = read_record(stitch.folder / "record.h5", IndexedGrains)
    of_part = np.linalg.inv(part.lattice_vectors).swapaxes(1, 2) @ np.array([1.0, 2.0, 3.0])
    of_whole = np.linalg.inv(whole.lattice_vectors[found.grain_id]).swapaxes(1, 2)
    reached = np.einsum("nij,nj->ni", of_whole, found.hkl)
    np.testing.assert_allclose(reached, of_part[found.spot % 1000], atol=1e-3)


def test_a_layer_beyond_the_sample_is_told(tmp_path: Path) -> None:
    _, indexed, spots = write_layers(tmp_path, empty=(2,))
    inputs = {"frames.index": tuple(indexed), "frames.spots": (spots,)}
    stitch = work(tmp_path / "stitch", "frames.stitch", inputs)
    frames_stitch.compute(stitch)
    levels = {remark.text: remark.level for remark in read_remarks(stitch.folder)}
    assert levels["the layers at 100 um show no grain"] == "warning"
    finds = read_record(stitch.folder / frames_stitch.FINDS, LayerFinds)
    assert set(finds.layer) == {0, 1}


def test_a_layer_with_half_the_light_is_half_full(tmp_path: Path) -> None:
    _, indexed, spots = write_layers(tmp_path, light=(1.0e6, 1.1e6, 0.5e6))
    inputs = {"frames.index": tuple(indexed), "frames.spots": (spots,)}
    stitch = work(tmp_path / "stitch", "frames.stitch", inputs)
    frames_stitch.compute(stitch)
    told = [remark.text for remark in read_remarks(stitch.folder)]
    assert any(text.startswith("the layer at 100 um has 48 % of the light") for text in told)
    finds = read_record(stitch.folder / frames_stitch.FINDS, LayerFinds)
    full = np.pi * RADIUS**2 * 100.0
    assert finds.layer_volume == pytest.approx(np.array([1.0, 1.0, 0.5 / 1.05]) * full)
    assert finds.volume[finds.layer == 2].sum() == pytest.approx(0.5 / 1.05 * full)
    drawn = layers_drawing("a", finds)
    assert drawn.table["filled_share"] == pytest.approx([1.0, 1.0, 0.5 / 1.05])
    assert drawn.table["finds"] == pytest.approx(np.bincount(finds.layer))


@pytest.mark.parametrize(
    ("light", "share"),
    [
        ([np.nan, np.nan], [1.0, 1.0]),
        ([1.0, 0.4], [1.0, 0.4]),
        ([0.9, 1.0, 1.1, 0.0], [1.0, 1.0, 1.0, 1.0]),  # 0: no grain, nothing to share out
        ([0.3, 1.0, 1.05, 0.95, 0.1], [0.3, 1.0, 1.0, 1.0, 0.1]),
    ],
)
def test_how_full_layers_are(light: list[float], share: list[float]) -> None:
    assert filled_shares(np.array(light)) == pytest.approx(share)


def test_layers_without_a_grain_are_refused(tmp_path: Path) -> None:
    _, indexed, spots = write_layers(tmp_path, empty=(0, 1, 2))
    inputs = {"frames.index": tuple(indexed), "frames.spots": (spots,)}
    with pytest.raises(EmptyFileError, match="none of 3 layers shows a grain"):
        frames_stitch.compute(work(tmp_path / "stitch", "frames.stitch", inputs))


def test_a_sample_of_unknown_width_is_refused() -> None:
    with pytest.raises(SettingsError, match="how wide the sample is"):
        sample_area(SETTINGS | {"cell.diameter_um": None})
    assert sample_area(SETTINGS | {"cell.diameter_um": None, "frames.sample_radius_um": 2.0}) == (
        pytest.approx(4.0 * np.pi)
    )


def test_each_layer_is_a_part_and_all_meet_in_one(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for name in ("a.npz", "b.npz", "c.npz", "detector.txt"):
        (tmp_path / "raw" / name).write_bytes(name.encode())
    (tmp_path / "cell.toml").write_text(CELL, encoding="utf-8")
    experiment = load_experiment(tmp_path / "cell.toml", all_techniques())
    graph = make_plan(experiment, only=["hedm.read"]).graph
    parts = {step: [p for p in graph if p.step == step] for step in {p.step for p in graph}}
    assert len(parts["frames.spots"]) == len(parts["frames.index"]) == 3
    assert [part.selector["layer"] for part in parts["frames.index"]] == [0, 1, 2]
    (stitch,), (reading,), (shown,) = (
        parts[step] for step in ("frames.stitch", "hedm.read", "frames.shown")
    )
    assert len(shown.part_inputs) == 4
    # a figure hangs on the keys of cell.toml that it asks for
    asked = {
        part.label: part.settings["cell"]["conditions"].get("hedm.ipf_axis")
        for part in parts["result.figure"]
    }
    assert asked.pop("orientation_map") == "z"
    assert not any(asked.values())
    keys = [source.key for source in stitch.part_inputs]
    assert keys[:3] == [part.key for part in parts["frames.index"]]
    assert [source.key for source in reading.part_inputs] == [stitch.key]
