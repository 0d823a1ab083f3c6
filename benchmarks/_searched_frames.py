"""Spots of a virtual layer, searched block by block in frames that are rendered on the fly.

No frame is written: `search_block` reads them through a `FrameSource` that renders what it is
asked for, as it would read a file of 30 GB. Spots of each block are kept, so that an interrupted
run goes on behind the last of them.
"""

from __future__ import annotations

import os
import pickle
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from _harness import HERE, key_of_code
from _virtual_frames import Scene, drawn_scene

from mesolith.hedm.peaks import PeakBlock, blocks_of, join_blocks, search_block
from mesolith.hedm.search_settings import PeakSearch
from mesolith.io.frame_series import FrameSeries, series_from_source
from mesolith.io.frame_source import Frame, FrameSource
from mesolith.records.spots import Spots
from mesolith.virtual.hedm.frames import VirtualFrames


def series_of(frames: VirtualFrames) -> FrameSeries:
    """The frames of a scan as a detector's file would give them, without dark or mask."""

    def read(k: int) -> Frame:
        ((_, block),) = frames.blocks(first=k, last=k + 1, size=1)
        return block[0]

    edge = frames.omega
    source = FrameSource(
        "rendered on the fly",
        frames.station.shape,
        np.dtype(np.uint16),
        frames.station.frames,
        read,
        saturation=float(frames.exposure.ceiling),
    )
    return series_from_source(source, omega=np.column_stack([edge[:-1], edge[1:]]))


def scene_and_spots(
    pool: Executor, draw: str, seed: int, folder: Path, **overrides: Any
) -> tuple[Scene, Spots]:
    """A drawn layer and the spots in its frames; ``folder`` keeps what is done."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "scene.pkl"
    if not made.is_file():
        kept(made, drawn_scene(draw, seed, **overrides))
    scene: Scene = pickle.loads(made.read_bytes())
    series = series_of(scene.frames)
    blocks = blocks_of(series)
    jobs = [(str(folder), first, last) for first, last in blocks]
    done = sum(_file(folder, first).is_file() for first, _ in blocks)
    if done:
        print(f"{draw}: {done} of {len(blocks)} blocks were kept from an earlier run", flush=True)
    list(pool.map(searched, jobs))
    found: list[PeakBlock] = [
        pickle.loads(_file(folder, first).read_bytes()) for first, _ in blocks
    ]
    return scene, join_blocks(series, found)


def searched(job: tuple[str, int, int]) -> None:
    """Search one block, unless it was."""
    folder, first, last = Path(job[0]), job[1], job[2]
    if not _file(folder, first).is_file():
        series = _series(job[0])
        kept(_file(folder, first), search_block(series, first, last, PeakSearch()))


def scratch_folder(benchmark: str, job: str) -> Path:
    """Where a run keeps what it has done of a job."""
    return HERE / "results" / "_trials" / benchmark / key_of_code(job)


def kept(file: Path, value: Any) -> None:
    """Write a value so that a file is either whole or absent."""
    beside = file.with_suffix(f".{os.getpid()}.tmp")
    beside.write_bytes(pickle.dumps(value, protocol=5))
    beside.replace(file)


@lru_cache(maxsize=1)
def _series(folder: str) -> FrameSeries:
    scene: Scene = pickle.loads((Path(folder) / "scene.pkl").read_bytes())
    return series_of(scene.frames)


def _file(folder: Path, first: int) -> Path:
    return folder / f"block-{first:05d}.pkl"
