"""A step at "cell" that works on one state: which one, and what hangs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import SettingsError
from mesolith.experiment import load_experiment
from mesolith.io.frames_hdf5 import write_frame_stack
from mesolith.io.midas_instrument import write_midas_instrument
from mesolith.pipeline.graph import Graph, PartInput, PartSpec
from mesolith.techniques import all_techniques
from mesolith.virtual.hedm.station import Station
from mesolith.workflow.plan import make_plan
from tests.hedm.virtual_layers import instrument_of

HEAD = """
[cell]
name = "frames"
stack = "Li|LLZO|Li"
diameter_um = 1600.0

[electrolyte]
material = "LLZTO-I-43d"

[clock]
cycler = { zone = "UTC", offset_s = 0.0 }

[frames]
detector = "raw/detector.txt"
MORE
"""
STATE = '\n[[state]]\nname = "{}"\nframes = {{ files = ["raw/{}.h5"] }}\n'


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., Graph]:
    raw = tmp_path / "raw"
    raw.mkdir()
    edges = np.deg2rad(np.column_stack([np.arange(8.0), np.arange(1.0, 9.0)]))
    for seed, name in enumerate(("a", "b", "c")):
        frames = np.random.default_rng(seed).poisson(40.0, (8, 16, 16)).astype(np.uint16)
        write_frame_stack(raw / f"{name}.h5", frames, edges)
    station = Station(shape=(16, 16), pitch=25_600.0)
    write_midas_instrument(raw / "detector.txt", instrument_of(station))

    def plan(*names: str, more: str = "") -> Graph:
        text = HEAD.replace("MORE", more) + "".join(STATE.format(n, n) for n in names)
        (tmp_path / "cell.toml").write_text(text, encoding="utf-8")
        return make_plan(load_experiment(tmp_path / "cell.toml", all_techniques())).graph

    return plan


def _parts(graph: Graph, step: str) -> list[PartSpec]:
    return [part for part in graph if part.step == step]


def _needs(part: PartSpec, name: str) -> list[str]:
    return [source.key for source in part.inputs[name] if isinstance(source, PartInput)]


def test_the_first_state_that_can_or_the_one_named(planned: Callable[..., Graph]) -> None:
    graph = planned("a", "b", "c")
    (calibrated,) = _parts(graph, "frames.calibrate")
    spots = {part.label: part.key for part in _parts(graph, "frames.spots")}
    assert calibrated.label == "a"
    assert _needs(calibrated, "frames.spots") == [spots["a"]]
    assert calibrated.settings["state.frames"]["layer_z_um"] == 0.0
    for part in _parts(graph, "frames.index"):
        assert _needs(part, "frames.calibrate") == [calibrated.key]
        assert _needs(part, "frames.spots") == [spots[part.label]]
    (named,) = _parts(planned("a", "b", more='calibrate_on = "b"'), "frames.calibrate")
    assert named.label == "b"
    assert _needs(named, "frames.spots") == [spots["b"]]


def test_a_state_measured_later_changes_nothing_before_it(planned: Callable[..., Graph]) -> None:
    before, after = planned("a"), planned("a", "b")
    for step in ("frames.calibrate", "frames.index"):
        keys = {part.key for part in _parts(after, step)}
        assert {part.key for part in _parts(before, step)} <= keys


def test_a_state_that_is_not_there_or_cannot(planned: Callable[..., Graph]) -> None:
    with pytest.raises(SettingsError, match="there is no state 'z'"):
        planned("a", more='calibrate_on = "z"')
