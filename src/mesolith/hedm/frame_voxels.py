"""Voxels of frames, a batch of frames at a time: read, smoothed, compared with the noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import IntArray
from mesolith.errors import InvalidValueError
from mesolith.hedm._kernels_peaks import RIM, find_cores, find_cores_listed, gather_voxels
from mesolith.hedm.background import Background
from mesolith.hedm.frame_window import TILE, FrameWindow
from mesolith.hedm.patches import NOISE_FACTOR
from mesolith.hedm.search_settings import PeakSearch
from mesolith.hedm.voxels import Voxels
from mesolith.io.frame_series import FrameSeries

Image = NDArray[np.float32]

_BATCH, _STRIP = 12, 16
_CAPACITY = 16_384
# noise of the background itself, smoothed on the detector alone: weights 1 2 1 along two axes
_STILL_FACTOR = 6.0 / 16.0
_MOST_CORES = 0.15


def voxels_of_frames(
    series: FrameSeries,
    background: Background,
    first: int,
    last: int,
    *,
    stretch: tuple[int, int],
    search: PeakSearch,
    left_out: list[int] | None = None,
) -> Iterator[tuple[list[Voxels], int]]:
    """Voxels of the frames from ``first`` up to, not including, ``last``, in order.

    Yields the voxels of some frames, one list each, and the frame up to which (exclusive) they
    are complete; the arrays are written over by the next ones. Two
    frames beyond either end are read where ``stretch`` (first, last exclusive) has them; frame
    numbers below zero or beyond the series are those of a closed turn. Frames that show neither
    background nor spots are added to ``left_out``.

    Raises
    ------
    InvalidValueError
        More than 15 % of the pixels stand out, for which there is no telling one spot from
        another.
    """
    window = FrameWindow(series, background, stretch, _BATCH)
    if left_out is not None:
        window.left_out = left_out
    factor = float(np.sqrt(NOISE_FACTOR**2 + _STILL_FACTOR**2 / background.frames))
    threshold = np.sqrt(background.variance) * np.float32(search.grow_sigmas * factor)
    saturation = np.inf if series.saturation is None else series.saturation
    cores = _Cores(_BATCH + 3, _CAPACITY)
    room = _Room(_BATCH, 4 * _CAPACITY)
    begin = first - 1
    window.load(0, begin - 1)
    window.load(1, begin)
    while begin <= last:
        number = min(_BATCH, last + 1 - begin)
        for slot in range(2, number + 2):
            window.load(slot, begin - 1 + slot)
        cores.find(window, number + 2, threshold, begin)
        for slot in range(1, number + 1):
            inside = stretch[0] <= begin - 1 + slot < stretch[1]
            if window.blind[slot + 1] or not inside:
                cores.count[slot + 1] = 0
        # slot 0 holds the frame before ``begin``
        low, high = max(0, first - begin + 1), min(number, last - begin + 1)
        if high > low:
            part = slice(low, high)
            voxels = room.gather(
                *(begin - 1, part, window.frames[part], background.level, background.variance),
                *(background.mask, window.offsets[part], TILE, _STRIP, float(saturation)),
                *(search.seed_sigmas * factor, *cores.around(part)),
            )
            for slot, one in zip(range(low, high), voxels, strict=True):
                if window.blind[slot + 1]:
                    voxels[slot - low] = Voxels.empty()
                elif window.blind[slot] or window.blind[slot + 2]:
                    one.flags[:] |= RIM
            yield voxels, begin - 1 + number
        cores.keep(number)
        window.keep(number)
        begin += number


class _Cores:
    """Core voxels of a batch of frames: row j belongs to the frame one before slot j."""

    def __init__(self, rows: int, capacity: int) -> None:
        self.count: IntArray = np.zeros(rows, dtype=np.int64)
        self._allocate(rows, capacity)

    def _allocate(self, rows: int, capacity: int) -> None:
        self.row = np.zeros((rows, capacity), dtype=np.int32)
        self.column = np.zeros((rows, capacity), dtype=np.int32)
        self.smooth = np.zeros((rows, capacity), dtype=np.float32)

    def find(self, window: FrameWindow, size: int, threshold: Image, begin: int) -> None:
        """Search the first ``size`` frames of the window but for the outer two.

        ``begin`` is the number of the first frame that is searched.
        """
        count = np.zeros(size, dtype=np.int64)
        while not self._filled(window, size, threshold, count):
            _not_everywhere(window, count, begin)
            old = self.row, self.column, self.smooth
            kept = old[0].shape[1]
            self._allocate(len(old[0]), int(count.max() * 1.3))
            for new, values in zip((self.row, self.column, self.smooth), old, strict=True):
                new[:2, :kept] = values[:2]
        _not_everywhere(window, count, begin)
        self.count[2:size] = count[1:-1]
        self.count[size:] = 0

    def _filled(self, window: FrameWindow, size: int, threshold: Image, count: IntArray) -> bool:
        frames, background = window.frames[:size], window.background
        part = slice(1, 1 + size)
        out = (count, self.row[part], self.column[part], self.smooth[part])
        if window.listed is None:
            return find_cores(
                *(frames, background.level, threshold, background.mask, window.offsets[:size]),
                *(TILE, _STRIP, *out),
            )
        lists = window.listed[:size]
        begins = np.cumsum([0, *(one.shape[1] for one in lists)])
        listed = np.concatenate(lists, axis=1)
        return find_cores_listed(
            *(frames, threshold, background.mask, window.near, window.touched),
            *(begins, listed[0], listed[1], *out),
        )

    def around(self, slots: slice) -> tuple[IntArray, Any, Any, Any]:
        """Number, rows, columns and smoothed counts of frames, and one before and behind them."""
        part = slice(slots.start, slots.stop + 2)
        return self.count[part], self.row[part], self.column[part], self.smooth[part]

    def keep(self, number: int) -> None:
        """Move the last two frames to the beginning."""
        for values in (self.row, self.column, self.smooth, self.count):
            values[:2] = values[number : number + 2].copy()


def _not_everywhere(window: FrameWindow, count: IntArray, begin: int) -> None:
    """Raise where too many pixels of a frame are core; slot 1 holds frame ``begin``."""
    share = count / window.background.mask.size
    if share.max() > _MOST_CORES:
        at = begin + int(np.argmax(share)) - 1
        series = window.series
        raise InvalidValueError(
            f"in frame {at % len(series)} {share.max():.0%} of the pixels stand out of the "
            "background",
            where=series.panel or series.source.place,
            remedy="Raise seed_sigmas and grow_sigmas, or search these frames apart if light or "
            "detector changed. Frames that were cut at a threshold below their background must "
            "be cut again at a higher one.",
        )


class _Room:
    """Arrays that voxels of frames are gathered into; they grow when they are too short."""

    def __init__(self, frames: int, capacity: int) -> None:
        self.count = np.zeros(frames, dtype=np.int64)
        self._allocate(frames, capacity)

    def _allocate(self, frames: int, capacity: int) -> None:
        kinds = (np.int32, np.int32, np.float32, np.float32, np.float32, np.uint8)
        self.arrays: list[Any] = [np.empty((frames, capacity), kind) for kind in kinds]

    def gather(self, before: int, slots: slice, *inputs: Any) -> list[Voxels]:
        """Voxels of the frames in some slots, slot 0 being frame ``before``.

        ``inputs`` are those of `gather_voxels`.
        """
        count = self.count[: slots.stop - slots.start]
        while not gather_voxels(*inputs, count, *(array[: len(count)] for array in self.arrays)):
            self._allocate(len(self.count), int(count.max() * 1.3))
        return [
            Voxels(
                np.full(found, before + slot, dtype=np.int32),
                *(array[k, :found] for array in self.arrays),
            )
            for k, (slot, found) in enumerate(
                zip(range(slots.start, slots.stop), count.tolist(), strict=True)
            )
        ]
