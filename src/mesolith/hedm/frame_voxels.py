"""Voxels of frames, a batch of frames at a time: read, smoothed, compared with the noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm._kernels_background import tile_offsets
from mesolith.hedm._kernels_peaks import find_cores, find_cores_listed, gather_voxels
from mesolith.hedm.background import Background
from mesolith.hedm.patches import NOISE_FACTOR
from mesolith.hedm.search_settings import PeakSearch
from mesolith.hedm.voxels import Voxels
from mesolith.io.frame_series import FrameSeries

Frames = NDArray[Any]
Image = NDArray[np.float32]

_BATCH, _STRIP = 10, 16
_TILE, _TILE_SAMPLES = 128, 24
_CAPACITY = 16_384
# noise of the background itself, smoothed on the detector alone: weights 1 2 1 along two axes
_STILL_FACTOR = 6.0 / 16.0


def voxels_of_frames(
    series: FrameSeries,
    background: Background,
    first: int,
    last: int,
    *,
    stretch: tuple[int, int],
    search: PeakSearch,
) -> Iterator[tuple[Voxels, int]]:
    """Voxels of the frames from ``first`` up to, not including, ``last``, in order.

    Yields some frames' voxels, and the frame up to which (exclusive) they are complete. Two
    frames beyond either end are read where ``stretch`` (first, last exclusive) has them; frame
    numbers below zero or beyond the series are those of a closed turn.
    """
    window = _Window(series, background, stretch)
    factor = float(np.sqrt(NOISE_FACTOR**2 + _STILL_FACTOR**2 / background.frames))
    threshold = window.noise * np.float32(search.grow_sigmas * factor)
    saturation = np.inf if series.saturation is None else series.saturation
    cores = _Cores(_BATCH + 3, _CAPACITY)
    room = _Room(4 * _CAPACITY)
    begin = first - 1
    window.load(0, begin - 1)
    window.load(1, begin)
    while begin <= last:
        number = min(_BATCH, last + 1 - begin)
        for slot in range(2, number + 2):
            window.load(slot, begin - 1 + slot)
        cores.find(window, number + 2, threshold)
        for slot in range(1, number + 1):
            if not stretch[0] <= begin - 1 + slot < stretch[1]:
                cores.count[slot + 1] = 0
        gathered = []
        for slot in range(number):
            frame = begin - 1 + slot
            if first <= frame < last:
                gathered.append(
                    room.gather(
                        *(frame, window.frames[slot], background.level, background.variance),
                        *(background.mask, window.offsets[slot], _TILE, float(saturation)),
                        *(search.seed_sigmas * factor, window.near, window.touched),
                        *cores.three(slot),
                    )
                )
        if gathered:
            yield Voxels.joined(gathered), begin - 1 + number
        cores.keep(number)
        window.keep(number)
        begin += number


class _Window:
    """Some frames that follow each other, and how the background of each is scaled."""

    def __init__(
        self, series: FrameSeries, background: Background, stretch: tuple[int, int]
    ) -> None:
        height, width = series.shape
        kind = np.uint16 if series.source.dtype == np.uint16 else np.float32
        self.series, self.background, self.stretch = series, background, stretch
        self.noise = np.sqrt(background.variance)
        self.stride = max(1, min(_TILE, height, width) // _TILE_SAMPLES)
        self.frames: Frames = np.zeros((_BATCH + 2, height, width), dtype=kind)
        self.offsets = np.full((_BATCH + 2, -(-height // _TILE), -(-width // _TILE)), -1.0)
        self.near = np.zeros((height, -(-width // 8) * 8), dtype=np.uint8)
        self.touched = np.zeros(height, dtype=np.uint8)
        self.listed: list[NDArray[np.int32]] | None = None
        if series.floor > 0.0:
            self.listed = [np.zeros((2, 0), dtype=np.int32) for _ in range(_BATCH + 2)]
        self._iterator: Iterator[Frames] | None = None

    def load(self, slot: int, frame: int) -> None:
        """Put a frame into a slot; beyond the stretch one that holds nothing."""
        inside = self.stretch[0] <= frame < self.stretch[1]
        if self.listed is not None:
            row, column = self.listed[slot]
            self.frames[slot, row, column] = 0
            self.listed[slot] = np.zeros((2, 0), dtype=np.int32)
            if inside:
                row, column, counts = self.series.listed(frame % len(self.series))
                self.frames[slot, row, column] = counts
                self.listed[slot] = np.stack([row, column]).astype(np.int32)
        elif inside:
            self.frames[slot] = self._read(frame)
            tile_offsets(
                *(self.frames[slot], self.background.level, self.noise, self.background.mask),
                *(_TILE, self.stride, self.offsets[slot]),
            )
        else:
            # a factor of 0 on the level, so that nothing is left of it
            self.frames[slot], self.offsets[slot] = 0, -1.0

    def _read(self, frame: int) -> Frames:
        if not 0 <= frame < len(self.series):
            return self.series.read(frame % len(self.series))
        if self._iterator is None:
            self._iterator = self.series.stream(frame)
        return next(self._iterator)

    def keep(self, number: int) -> None:
        """Move the last two of ``number + 2`` frames to the beginning."""
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


class _Cores:
    """Core voxels of a batch of frames: row j belongs to the frame one before slot j."""

    def __init__(self, rows: int, capacity: int) -> None:
        self.count: IntArray = np.zeros(rows, dtype=np.int64)
        self._allocate(rows, capacity)

    def _allocate(self, rows: int, capacity: int) -> None:
        self.row = np.zeros((rows, capacity), dtype=np.int32)
        self.column = np.zeros((rows, capacity), dtype=np.int32)
        self.smooth = np.zeros((rows, capacity), dtype=np.float32)

    def find(self, window: _Window, size: int, threshold: Image) -> None:
        """Search the first ``size`` frames of the window but for the outer two."""
        count = np.zeros(size, dtype=np.int64)
        while not self._filled(window, size, threshold, count):
            old = self.row, self.column, self.smooth
            kept = old[0].shape[1]
            self._allocate(len(old[0]), int(count.max() * 1.3))
            for new, values in zip((self.row, self.column, self.smooth), old, strict=True):
                new[:2, :kept] = values[:2]
        self.count[2:size] = count[1:-1]
        self.count[size:] = 0

    def _filled(self, window: _Window, size: int, threshold: Image, count: IntArray) -> bool:
        frames, background = window.frames[:size], window.background
        part = slice(1, 1 + size)
        out = (count, self.row[part], self.column[part], self.smooth[part])
        if window.listed is None:
            offsets: FloatArray = window.offsets[:size]
            return find_cores(
                *(frames, background.level, threshold, background.mask, offsets),
                *(_TILE, _STRIP, *out),
            )
        lists = window.listed[:size]
        begins = np.cumsum([0, *(one.shape[1] for one in lists)])
        listed = np.concatenate(lists, axis=1)
        return find_cores_listed(
            *(frames, threshold, background.mask, window.near, window.touched),
            *(begins, listed[0], listed[1], *out),
        )

    def three(self, slot: int) -> tuple[IntArray, Any, Any, Any]:
        """Number, rows, columns and smoothed counts of the frame in a slot and its neighbours."""
        part = slice(slot, slot + 3)
        return self.count[part], self.row[part], self.column[part], self.smooth[part]

    def keep(self, number: int) -> None:
        """Move the last two frames to the beginning."""
        for values in (self.row, self.column, self.smooth, self.count):
            values[:2] = values[number : number + 2].copy()


class _Room:
    """Arrays that voxels of one frame are gathered into; they grow when they are too short."""

    def __init__(self, capacity: int) -> None:
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        kinds = (np.int32, np.int32, np.float32, np.float32, np.float32, np.uint8)
        self.arrays: list[Any] = [np.empty(capacity, kind) for kind in kinds]

    def gather(self, frame: int, *inputs: Any) -> Voxels:
        """Voxels of one frame; ``inputs`` are those of `gather_voxels`."""
        found = gather_voxels(*inputs, *self.arrays)
        if found < 0:
            self._allocate(int(-found * 1.3))
            found = gather_voxels(*inputs, *self.arrays)
        number = np.full(found, frame, dtype=np.int32)
        return Voxels(number, *(array[:found].copy() for array in self.arrays))
