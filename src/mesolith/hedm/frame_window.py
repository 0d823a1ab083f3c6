"""Some frames that follow each other, read one by one, and how the background of each is scaled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.hedm._kernels_background import tile_offsets
from mesolith.hedm.background import Background
from mesolith.io.frame_series import FrameSeries

Frames = NDArray[Any]
Image = NDArray[np.float32]

TILE = 128
_TILE_SAMPLES = 24
_LEAST_KEPT, _MOST_LIT = 0.5, 0.5
_LEAST_CHANGE, _MOST_CHANGE = -0.75, 3.0


class FrameWindow:
    """Frames in ``size + 2`` slots, the first and the last only there to smooth the others.

    ``offsets`` (slot, tile, tile) is by how much the background of a frame is above that of the
    block, relative. ``blind`` (slot + 1,) begins one frame earlier and tells which frames show
    neither background nor spots: more than half of what was looked at is saturated, is no number
    or lies outside the noise, or counts are four times those of the block or a quarter of them.
    They are taken out as if they had not been measured, and are listed in ``left_out``.
    """

    def __init__(
        self, series: FrameSeries, background: Background, stretch: tuple[int, int], size: int
    ) -> None:
        height, width = series.shape
        kind = np.uint16 if series.source.dtype == np.uint16 else np.float32
        self.series, self.background, self.stretch = series, background, stretch
        self.frames: Frames = np.zeros((size + 2, height, width), dtype=kind)
        self.offsets = np.full((size + 2, -(-height // TILE), -(-width // TILE)), -1.0)
        self.blind = np.zeros(size + 3, dtype=np.bool_)
        self.left_out: list[int] = []
        self.listed: list[NDArray[np.int32]] | None = None
        if series.floor > 0.0:
            self.listed = [np.zeros((2, 0), dtype=np.int32) for _ in range(size + 2)]
            self.near = np.zeros((height, width), dtype=np.uint8)
            self.touched = np.zeros(height, dtype=np.uint8)
        else:
            self._sample = _TileSample(background)

    def load(self, slot: int, frame: int) -> None:
        """Put a frame into a slot; beyond the stretch one that holds nothing."""
        inside = self.stretch[0] <= frame < self.stretch[1]
        if self.listed is not None:
            self._load_listed(slot, frame, self.listed, inside)
            return
        blind = False
        if inside:
            self._read(slot, frame)
            blind = self._scale(slot)
        if blind:
            self._leave_out(frame)
        if blind or not inside:
            # a factor of 0 on the level, so that nothing is left of it
            self.frames[slot], self.offsets[slot] = 0, -1.0
        self.blind[slot + 1] = blind

    def keep(self, number: int) -> None:
        """Move the last two of ``number + 2`` frames to the beginning."""
        self.blind[:3] = self.blind[number : number + 3]
        if self.listed is not None:
            for slot in range(2):
                other = number + slot
                (old, new), swapped = (self.listed[slot], self.listed[other]), self.listed
                self.frames[slot, old[0], old[1]] = 0
                self.frames[slot, new[0], new[1]] = self.frames[other, new[0], new[1]]
                swapped[slot] = new.copy()
            return
        self.frames[:2] = self.frames[number : number + 2]
        self.offsets[:2] = self.offsets[number : number + 2]

    def _read(self, slot: int, frame: int) -> None:
        series, out = self.series, self.frames[slot]
        series.read_into(frame % len(series), out)
        before = slot > 0 and self.stretch[0] < frame and not self.blind[slot]
        if before and 0 < frame < len(series):
            series.not_repeated(frame, out, self.frames[slot - 1])

    def _scale(self, slot: int) -> bool:
        """Offsets of a frame's tiles; whether the frame is blind."""
        frame, sample = self.frames[slot], self._sample
        kept = tile_offsets(frame, sample.pixel, sample.level, sample.noise, self.offsets[slot])
        change = float(np.median(self.offsets[slot]))
        moved = abs(float(np.median(self.offsets[slot] * sample.mean)))
        # of a level near zero a change many times as large may still be noise
        other_light = not _LEAST_CHANGE < change < _MOST_CHANGE and moved > sample.usual_noise
        if kept < _LEAST_KEPT or other_light:
            return True
        limit = self.series.saturation
        if limit is None:
            return False
        few = frame[:: sample.stride, :: 8 * sample.stride]
        return bool(np.mean(few >= limit) > _LEAST_KEPT)

    def _load_listed(
        self, slot: int, frame: int, listed: list[NDArray[np.int32]], inside: bool
    ) -> None:
        row, column = listed[slot]
        self.frames[slot, row, column] = 0
        listed[slot] = np.zeros((2, 0), dtype=np.int32)
        self.blind[slot + 1] = False
        if not inside:
            return
        row, column, counts = self.series.listed(frame % len(self.series))
        right = ~self.background.mask[row, column]
        if self.frames.dtype != np.uint16:
            right &= np.isfinite(counts)
        row, column, counts = row[right], column[right], counts[right]
        if len(row) > _MOST_LIT * self.background.mask.size:
            self._leave_out(frame)
            self.blind[slot + 1] = True
            return
        self.frames[slot, row, column] = counts
        listed[slot] = np.stack([row, column]).astype(np.int32)

    def _leave_out(self, frame: int) -> None:
        number = frame % len(self.series)
        if number not in self.left_out:
            self.left_out.append(number)


class _TileSample:
    """Some pixels of each tile: their places in the flat frame, level and noise, (tile, tile, n).

    The noise is -1 where a pixel does not count: masked ones, and where a tile has fewer. ``mean``
    (tile, tile) is the level of those that do, ``usual_noise`` the median of their noise.
    """

    def __init__(self, background: Background) -> None:
        height, width = background.level.shape
        self.stride = max(1, min(TILE, height, width) // _TILE_SAMPLES)
        step = np.arange(0, TILE, self.stride)
        row = (TILE * np.arange(-(-height // TILE))[:, None] + step)[:, None, :, None]
        column = (TILE * np.arange(-(-width // TILE))[:, None] + step)[None, :, None, :]
        inside = (row < height) & (column < width)
        row, column = np.minimum(row, height - 1), np.minimum(column, width - 1)
        good = inside & ~background.mask[row, column]
        noise = np.sqrt(background.variance[row, column])
        shape = (*good.shape[:2], -1)
        self.pixel = (row * width + column).astype(np.int32).reshape(shape)
        self.level: Image = background.level[row, column].reshape(shape)
        self.noise: Image = np.where(good, noise, np.float32(-1.0)).reshape(shape)
        counted = self.noise > 0.0
        total = np.where(counted, self.level, 0.0).sum(axis=2)
        self.mean = total / np.maximum(counted.sum(axis=2), 1)
        self.usual_noise = float(np.median(self.noise[counted])) if counted.any() else 0.0
