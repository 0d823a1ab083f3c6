"""Frames with known spots: Gaussians over pixels and frames, Poisson counts, read noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm

from mesolith.axes import FloatArray
from mesolith.io.frame_series import FrameSeries, series_from_source
from mesolith.io.frame_source import Frame, FrameSource

READ_NOISE, PEDESTAL = 6.0, 100.0
START, STEP = np.deg2rad(-30.0), np.deg2rad(0.1)


def spot_table(rows: Any) -> FloatArray:
    """Spots (n, 7): counts, column, row, frame, and their standard deviations."""
    return np.asarray(rows, dtype=np.float64).reshape(-1, 7)


def ring_background(shape: tuple[int, int], level: float = 60.0) -> FloatArray:
    """A flat background with a powder ring about the middle, photons a pixel."""
    y, x = np.indices(shape)
    radius = np.hypot(y - shape[0] / 2, x - shape[1] / 2)
    return level + 40.0 * np.exp(-0.5 * ((radius - 0.3 * shape[0]) / 1.5) ** 2)


def expected(
    shape: tuple[int, int], frames: int, spots: FloatArray, background: FloatArray
) -> FloatArray:
    """Mean photons (frame, slow, fast)."""
    mean = np.tile(background, (frames, 1, 1))
    for counts, column, row, frame, wide, high, long in spots:
        share = [
            np.diff(norm.cdf(np.arange(length + 1) - 0.5, centre, width))
            for length, centre, width in (
                (frames, frame, long),
                (shape[0], row, high),
                (shape[1], column, wide),
            )
        ]
        seen = [np.flatnonzero(s > 1e-9) for s in share]
        if min(len(cells) for cells in seen) == 0:
            continue
        part = [slice(cells[0], cells[-1] + 1) for cells in seen]
        z, y, x = (s[p] for s, p in zip(share, part, strict=True))
        mean[tuple(part)] += counts * z[:, None, None] * y[:, None] * x
    return mean


def noisy(mean: FloatArray, *, seed: int, gain: float = 1.0, limit: float = 65535.0) -> Frame:
    """Counts as a 16-bit detector gives them, ``gain`` counts a photon, on a pedestal."""
    rng = np.random.default_rng(seed)
    counts = gain * rng.poisson(mean) + rng.normal(PEDESTAL, READ_NOISE, mean.shape)
    return np.clip(np.rint(counts), 0.0, limit).astype(np.uint16)


def series_of(
    counts: Frame, *, start: float = START, step: float = STEP, **known: Any
) -> FrameSeries:
    """Frames (n, slow, fast) in memory as a series."""
    edges = start + step * np.arange(len(counts) + 1)
    source = FrameSource(
        place="frames in memory",
        shape=counts.shape[1:],
        dtype=counts.dtype,
        count=len(counts),
        read=lambda k: counts[k],
        omega=np.column_stack([edges[:-1], edges[1:]]),
    )
    return series_from_source(source, **known)


def frame_of(omega: FloatArray, *, start: float = START, step: float = STEP) -> FloatArray:
    """Place of an angle among the frames; the middle of the first one is 0."""
    return (omega - start) / step - 0.5
