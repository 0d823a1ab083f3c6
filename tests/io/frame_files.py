"""Small frames with known counts, and the files that hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.io.frame_source import Frame

SHAPE = (20, 24)


def counted_frames(count: int, *, seed: int = 0, kind: str = "uint16") -> list[Frame]:
    """Frames of Poisson counts, no two alike; fast and slow differ in length."""
    rng = np.random.default_rng(seed)
    return [rng.poisson(60.0, SHAPE).astype(kind) for _ in range(count)]


def edges_deg(count: int, *, start: float = 10.0, step: float = 0.25) -> FloatArray:
    """Start and end of each frame, rad."""
    begin = start + step * np.arange(count)
    return np.deg2rad(np.column_stack([begin, begin + step]))


def write_images(folder: Path, frames: list[Frame], suffix: str, **header: str) -> list[Path]:
    """One picture file a frame, written by fabio."""
    import fabio

    kinds = {
        "tif": fabio.tifimage.TifImage,
        "edf": fabio.edfimage.EdfImage,
        "cbf": fabio.cbfimage.CbfImage,
    }
    paths = []
    for k, frame in enumerate(frames):
        path = folder / f"scan_{k:05d}.{suffix}"
        fields = {name: value.format(omega=10.0 + 0.25 * k) for name, value in header.items()}
        kinds[suffix](data=frame, header=fields).write(str(path))
        paths.append(path)
    return paths
