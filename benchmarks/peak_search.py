"""Peak search on blocks of frames of a full layer: speed, memory, and whether errors are true.

Bar: at least 60 frames of 2048 x 2048 a second on two cores, in blocks of 600; memory of a
worker that does not grow with the frames; stated errors right within 15 %. The frames are those
of a virtual layer of 3,000 grains and more, with casing and lithium rings; one block is on disk
at a time. What is timed is the search alone, from file to spots, in two processes that work on a
half of each block. Printed beside: the bytes that must move for a frame, and how many frames a
second this machine could move.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from _harness import calibration_seconds, fresh_seed, write_result
from _virtual_frames import drawn_scene
from scipy.spatial import cKDTree

from mesolith.axes import FloatArray
from mesolith.hedm.peaks import PeakBlock, join_blocks, search_block
from mesolith.hedm.search_settings import PeakSearch
from mesolith.io.frame_series import FrameSeries
from mesolith.io.frame_source import Frame
from mesolith.io.frames import open_frames
from mesolith.io.frames_ge import write_ge

RATE, CORES, BLOCK, FIRST = 60.0, 2, 600, 900
GRAINS = 3_000
PULLS = (0.85, 1.15)
SATURATION = 16383.0
STEP = np.deg2rad(0.1)


def opened(path: str) -> FrameSeries:
    """Frames of the block on disk."""
    return open_frames(Path(path), omega_start=0.0, omega_step=STEP, saturation=SATURATION)


def searched(job: tuple[str, int, int]) -> tuple[PeakBlock, float, float]:
    """Spots of some frames, CPU seconds, and the most memory the process ever held, MB."""
    path, first, last = job
    start = time.process_time()
    block = search_block(opened(path), first, last, PeakSearch())
    return block, time.process_time() - start, most_memory()


def most_memory() -> float:
    """Most memory that this process ever held, MB; its parent's does not count. Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1e3
    return float("nan")


def bytes_a_second() -> float:
    """How fast one core copies memory, bytes read and written, best of five."""
    source = np.ones(64_000_000, dtype=np.uint16)
    target = np.empty_like(source)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        target[:] = source
        best = min(best, time.perf_counter() - start)
    return 2.0 * source.nbytes / best


def bytes_a_frame(series: FrameSeries, voxels: float) -> dict[str, float]:
    """Bytes that the search moves for one frame, by what for; read and written count apart."""
    size = float(np.prod(series.shape))
    sampled = 26.0 / 128.0  # rows, and of these the columns, that say how bright a frame is
    return {
        "file to window": 2 * 2 * size,
        "last two frames of a batch to the next": 2 * 2 * size * 2 / 12,
        "brightness of the frame": (2 * sampled + 12 * sampled**2) * size,
        "frame, level, threshold and mask, once a batch of 12": 2 * size * 14 / 12 + 9 * size / 12,
        "level, variance and mask of voxels, once a batch of 12": 9 * size / 12,
        "26 samples of four frames, in each half of the block": 2 * size * 26 * (2 * 4 + 4) / 300,
        "voxels: gathered, joined to a list, cut, sorted by spot": 6 * 25.0 * voxels,
    }


def rendered(frames: Any, first: int, last: int) -> Iterator[Frame]:
    """Frames one by one."""
    for _, block in frames.blocks(first=first, last=last):
        yield from block


def judged(spots: Any, truth: Any, start: float, count: int) -> dict[str, Any]:
    """Share found by counts, and errors over stated errors (68 % half width), of single spots."""
    frame = (truth.omega - start) / STEP - 0.5
    inside = (frame > 4.0) & (frame < count - 5.0) & (truth.counts > 50.0)
    true = np.column_stack([truth.fast, truth.slow, frame])[inside]
    counts = truth.counts[inside]
    found: FloatArray = np.column_stack([spots.fast, spots.slow, spots.omega / STEP - 0.5])
    distance, nearest = cKDTree(found).query(true)
    crowd = cKDTree(true).query(true, k=2)[0][:, 1] < 4.0
    seen = distance < 1.0
    sigma = np.sqrt(np.diagonal(spots.covariance, axis1=1, axis2=2)) / [1.0, 1.0, STEP]
    result: dict[str, Any] = {}
    for low, high in ((200, 300), (300, 500), (500, 1000), (1000, 3000), (3000, 1e9)):
        here = (counts >= low) & (counts < high)
        lonely = here & seen & ~crowd
        pull = (found[nearest[lonely]] - true[lonely]) / sigma[nearest[lonely]]
        width = 0.5 * np.diff(np.quantile(pull, [0.1587, 0.8413], axis=0), axis=0)[0]
        result[f"{low:g}"] = {
            "spots": int(here.sum()),
            "found": float(seen[here].mean()),
            "found where no other is near": float(seen[here & ~crowd].mean()),
            "pulls": width.round(3).tolist(),
        }
    return result


def main() -> int:
    """Run, print, write the result; 0 where the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=BLOCK, help="of the block")
    parser.add_argument("--draw", default="nominal", help="nominal, wide or misspecified")
    options = parser.parse_args()
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"  # of the workers
    scene = drawn_scene(options.draw, fresh_seed("peak search") % 2**32)
    frames, count = scene.frames, options.frames
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(CORES, mp_context=spawn) as pool,
    ):
        path = str(Path(folder) / "block.ge3")
        write_ge(Path(path), rendered(frames, FIRST, FIRST + count))
        half = count // 2
        small = [(path, 0, 60), (path, 60, 120)]
        little = [held for *_, held in pool.map(searched, small)]  # compiles, too
        start = time.perf_counter()
        answers = list(pool.map(searched, [(path, 0, half), (path, half, count)]))
        wall = time.perf_counter() - start
        series = opened(path)
        spots = join_blocks(series, [block for block, *_ in answers])
        limit = bytes_a_second()
        moved = bytes_a_frame(series, 3.6 * float(spots.pixels.sum()) / count)
    cpu = sum(seconds for _, seconds, _ in answers) / count
    held = [megabytes for *_, megabytes in answers]
    quality = judged(spots, frames.spots, frames.station.omega_start + FIRST * STEP, count)
    total = sum(moved.values())
    grains = len(scene.fragments)
    print(
        f"{len(spots) / count:.0f} spots found a frame, {grains} grains in the layer, "
        f"{grains / GRAINS:.2f} times those of the bar"
    )
    print(f"{count / wall:.1f} frames/s on {CORES} cores, {1e3 * cpu:.1f} ms CPU a frame")
    print(
        f"{total / 1e6:.0f} MB move for a frame; copying alone allows {limit / total:.0f}/s a core"
    )
    print(f"memory {max(little):.0f} MB after 60 frames, {max(held):.0f} MB after {count // 2}")
    for low, values in quality.items():
        print(f"from {low:>5} counts: {values}")
    pulls = np.array([values["pulls"] for low, values in quality.items() if float(low) >= 500])
    met = bool(
        count / wall >= RATE
        and grains >= GRAINS
        and max(held) < 1.15 * max(little)
        and np.all((pulls > PULLS[0]) & (pulls < PULLS[1]))
    )
    result = {
        "draw": options.draw,
        "frames": count,
        "grains": grains,
        "spots_a_frame": len(spots) / count,
        "frames_a_second": count / wall,
        "cpu_ms_a_frame": 1e3 * cpu,
        "bytes_a_frame": moved,
        "copy_bytes_a_second": limit,
        "memory_mb": {"60 frames": max(little), f"{count // 2} frames": max(held)},
        "quality": quality,
        "calibration_seconds": calibration_seconds(),
        "met": met,
    }
    write_result("peak_search", result)
    print("met" if met else "NOT met")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
