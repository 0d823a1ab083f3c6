"""Spots of a rotation from its frames: streaming, block by block, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm._kernels_background import tile_offsets
from mesolith.hedm._kernels_peaks import MASKED, RIM, SATURATED, find_cores, gather_voxels
from mesolith.hedm.background import Background, background_from_frames
from mesolith.hedm.patches import NOISE_FACTOR, Measured, UsualWidths, resolve, scratch_for
from mesolith.hedm.search_settings import PeakSearch
from mesolith.hedm.voxels import Voxels
from mesolith.io.frame_series import FrameSeries
from mesolith.records.spots import Spots

Frames = NDArray[Any]

_BATCH, _STRIP = 16, 16
_TILE, _TILE_SAMPLES = 128, 32
_CAPACITY = 16_384
_BLOCK, _LEAST_BACKGROUND = 600, 100


@dataclass(frozen=True, slots=True)
class PeakBlock:
    """Spots that lie within a block of frames, and the voxels of those at its ends.

    ``first`` and ``last`` (exclusive) count frames of the series. ``gain``, ``frames`` and
    ``usual`` (logarithms of widths and their tightness) serve to measure the spots that are
    joined later.
    """

    first: int
    last: int
    spots: Measured
    ends: Voxels
    gain: float
    frames: float
    usual: FloatArray


def find_spots(
    series: FrameSeries, search: PeakSearch | None = None, *, block: int = _BLOCK
) -> Spots:
    """All spots of a rotation.

    The counts of each frame above background are smoothed over a pixel and a frame (weights
    1 2 1 along the three axes, close to the best filter for faint spots); voxels above a
    threshold in units of the noise are joined over frames; patches are cut between their
    maxima; a Gaussian integrated over pixels and frames is fitted to each spot, the neighbours'
    profiles taken off. Errors come from the counts and the measured noise.

    Memory is that of some twenty frames and thirty samples for the background, whatever the
    length of the series. ``block`` frames share one background; spots over the border of two
    blocks are measured whole, and over the ends of a full turn too.

    Raises
    ------
    DuplicateError
        A frame is repeated.
    InvalidValueError
        Fewer than eight frames.
    """
    search = search or PeakSearch()
    blocks = [search_block(series, first, last, search) for first, last in blocks_of(series, block)]
    return join_blocks(series, blocks, search)


def blocks_of(series: FrameSeries, block: int = _BLOCK) -> list[tuple[int, int]]:
    """First and last (exclusive) frame of blocks of about equal length, none across a gap."""
    begins = [*np.flatnonzero(~series.joined).tolist(), len(series)]
    cut = []
    for begin, end in pairwise(begins):
        parts = max(1, round((end - begin) / block))
        edges = np.linspace(begin, end, parts + 1).round().astype(int)
        cut += list(pairwise(edges.tolist()))
    return cut


def search_block(series: FrameSeries, first: int, last: int, search: PeakSearch) -> PeakBlock:
    """Spots of the frames from ``first`` up to, not including, ``last``.

    Two frames beyond each end are read where the stretch goes on, so that nothing changes at
    the border. Voxels of patches that touch an end behind which there are more frames are
    handed on in ``ends``.
    """
    spare = max(0, _LEAST_BACKGROUND - (last - first))
    background = background_from_frames(
        series,
        first=max(0, first - spare),
        last=min(len(series), last + spare),
        gain=search.gain,
    )
    begin, end = _stretch(series, first)
    if series.closed:
        begin, end = begin - 2, end + 2
    more_before, more_behind = begin < first, last < end
    usual = UsualWidths.unknown()
    scratch = scratch_for(series.shape)
    found, ends = [], []
    carried = Voxels.empty()
    for voxels, upto in _stream(series, background, first, last, (begin, end), search):
        over = upto == last
        result = resolve(
            Voxels.joined([carried, voxels]),
            scratch=scratch,
            gain=background.gain,
            frames=background.frames,
            search=search,
            usual=usual,
            first_open=first if more_before else None,
            last_open=upto - 1 if more_behind or not over else None,
            over=over,
        )
        carried = result.carried
        found.append(result.spots)
        ends.append(result.left_over)
    return PeakBlock(
        first=first,
        last=last,
        spots=Measured.joined(found) if found else Measured.none(),
        ends=Voxels.joined(ends).sorted(),
        gain=background.gain,
        frames=background.frames,
        usual=np.stack([usual.logarithms, usual.tightness]),
    )


def join_blocks(
    series: FrameSeries, blocks: Sequence[PeakBlock], search: PeakSearch | None = None
) -> Spots:
    """One list of spots from all blocks, those at their borders measured from both sides.

    ``blocks`` are in the order of their frames and leave none out.
    """
    search = search or PeakSearch()
    count = len(series)
    ends = Voxels.joined([block.ends for block in blocks])
    if series.closed:
        # cut the turn in the middle of the first block, where no patch is open
        cut = (blocks[0].first + blocks[0].last) // 2
        frame = np.where(ends.frame < cut, ends.frame + count, ends.frame).astype(np.int32)
        ends = replace(ends, frame=frame).sorted()
    logarithms, tightness = np.median([block.usual for block in blocks], axis=0)
    joined = resolve(
        ends,
        scratch=scratch_for(series.shape),
        gain=float(np.median([block.gain for block in blocks])),
        frames=min(block.frames for block in blocks),
        search=search,
        usual=UsualWidths(logarithms, tightness, []),
        over=True,
    )
    measured = Measured.joined([*(block.spots for block in blocks), joined.spots])
    return spots_from_measured(series, measured)


def spots_from_measured(series: FrameSeries, measured: Measured) -> Spots:
    """Spots in px and rad, in the order of omega, row and column."""
    count, step = len(series), series.step
    stretches = series.stretches
    begins = np.append(np.flatnonzero(~series.joined), count)
    inside = np.clip(np.mean(measured.frames, axis=1).astype(np.int64), 0, 2 * count) % count
    stretch = np.searchsorted(begins, inside, side="right") - 1
    omega = stretches[stretch, 0] + (measured.place[:, 2] - begins[stretch] + 0.5) * step
    at_ends = np.zeros(len(measured), dtype=np.bool_)
    if series.closed:
        turn = stretches[0, 1] - stretches[0, 0]
        omega = stretches[0, 0] + np.mod(measured.place[:, 2] * step + 0.5 * step, turn)
    else:
        at_ends = np.any(
            (measured.frames == begins[stretch, None])
            | (measured.frames == begins[stretch + 1, None] - 1),
            axis=1,
        )
        omega = np.clip(omega, stretches[stretch, 0], stretches[stretch, 1])
    scale = np.array([1.0, 1.0, step])
    order = np.lexsort((measured.place[:, 0], measured.place[:, 1], omega))
    covariance = measured.covariance * scale[:, None] * scale
    return Spots(
        panel=np.zeros(len(measured), dtype=np.int64),
        fast=measured.place[order, 0],
        slow=measured.place[order, 1],
        omega=omega[order],
        covariance=covariance[order],
        intensity=measured.intensity[order],
        intensity_se=measured.intensity_se[order],
        maximum=measured.maximum[order],
        widths=(measured.widths * scale)[order],
        pixels=measured.pixels[order],
        saturated=(measured.flags & SATURATED > 0)[order],
        partial=((measured.flags & (MASKED | RIM) > 0) | at_ends)[order],
        overlapping=measured.shared[order],
        panel_name=(series.panel or "panel",),
        omega_range=stretches,
        omega_step=step,
    )


def _stretch(series: FrameSeries, frame: int) -> tuple[int, int]:
    """First and last (exclusive) frame of the stretch that holds a frame."""
    begins = np.append(np.flatnonzero(~series.joined), len(series))
    at = int(np.searchsorted(begins, frame, side="right"))
    return int(begins[at - 1]), int(begins[at])


def _stream(
    series: FrameSeries,
    background: Background,
    first: int,
    last: int,
    stretch: tuple[int, int],
    search: PeakSearch,
) -> Iterator[tuple[Voxels, int]]:
    """Voxels of the frames in turn, and the frame up to which (exclusive) they are complete."""
    height, width = series.shape
    side = _TILE
    tiles = (-(-height // side), -(-width // side))
    stride = max(1, min(side, height, width) // _TILE_SAMPLES)
    noise = np.sqrt(background.variance)
    # the background's own error is smoothed on the detector, and not over frames
    factor = np.sqrt(NOISE_FACTOR**2 + (6.0 / 16.0) ** 2 / background.frames)
    threshold = noise * np.float32(search.grow_sigmas * factor)
    saturation = np.inf if series.saturation is None else series.saturation
    level, variance, mask = background.level, background.variance, background.mask
    kind = np.uint16 if series.source.dtype == np.uint16 else np.float32
    frames = np.zeros((_BATCH + 2, height, width), dtype=kind)
    offsets = np.full((_BATCH + 2, *tiles), -1.0)
    near = np.zeros((height, -(-width // 8) * 8), dtype=np.uint8)
    cores = _Cores(_BATCH + 3, _CAPACITY)
    reader = _Reader(series, stretch)

    def load(slot: int, frame: int) -> None:
        counts = reader.read(frame)
        if counts is None:
            # a factor of 0 on the level, so that the frame holds nothing
            frames[slot], offsets[slot] = 0, -1.0
            return
        frames[slot] = counts
        if series.floor > 0.0:
            offsets[slot] = 0.0
        else:
            tile_offsets(frames[slot], level, noise, mask, side, stride, offsets[slot])

    begin = first - 1
    load(0, begin - 1)
    load(1, begin)
    room = _Room(4 * _CAPACITY)
    while begin <= last:
        number = min(_BATCH, last + 1 - begin)
        for slot in range(2, number + 2):
            load(slot, begin - 1 + slot)
        cores.find(frames[: number + 2], level, threshold, mask, offsets[: number + 2], side)
        for slot in range(1, number + 1):
            if not stretch[0] <= begin - 1 + slot < stretch[1]:
                cores.count[slot + 1] = 0
        gathered = []
        for slot in range(number):
            frame = begin - 1 + slot
            if first <= frame < last:
                gathered.append(
                    room.gather(
                        *(frame, frames[slot], level, variance, mask, offsets[slot], side),
                        *(float(saturation), search.seed_sigmas * factor, near),
                        *cores.three(slot),
                    )
                )
        upto = begin - 1 + number
        if gathered:
            yield Voxels.joined(gathered), upto
        cores.keep(number)
        frames[:2], offsets[:2] = frames[number : number + 2], offsets[number : number + 2]
        begin += number


class _Reader:
    """Frames of one stretch, one after the other; None beyond its ends.

    The stretch of a full turn reaches beyond the ends of the series, round to the other end.
    """

    def __init__(self, series: FrameSeries, stretch: tuple[int, int]) -> None:
        self.series, self.stretch = series, stretch
        self.iterator: Iterator[Frames] | None = None

    def read(self, frame: int) -> Frames | None:
        first, last = self.stretch
        if not first <= frame < last:
            return None
        if not 0 <= frame < len(self.series):
            return self.series.read(frame % len(self.series))
        if self.iterator is None:
            self.iterator = self.series.stream(frame)
        return next(self.iterator)


class _Cores:
    """Core voxels of a batch of frames: row j belongs to the frame two before slot j."""

    def __init__(self, rows: int, capacity: int) -> None:
        self.count: IntArray = np.zeros(rows, dtype=np.int64)
        self._allocate(rows, capacity)

    def _allocate(self, rows: int, capacity: int) -> None:
        self.row = np.zeros((rows, capacity), dtype=np.int32)
        self.column = np.zeros((rows, capacity), dtype=np.int32)
        self.smooth = np.zeros((rows, capacity), dtype=np.float32)

    def find(
        self,
        frames: Frames,
        level: NDArray[np.float32],
        threshold: NDArray[np.float32],
        mask: NDArray[np.bool_],
        offsets: FloatArray,
        side: int,
    ) -> None:
        size = len(frames)
        count = np.zeros(size, dtype=np.int64)
        while not find_cores(
            *(frames, level, threshold, mask, offsets, side, _STRIP, count),
            *(self.row[1 : 1 + size], self.column[1 : 1 + size], self.smooth[1 : 1 + size]),
        ):
            old = self.row, self.column, self.smooth
            kept = old[0].shape[1]
            self._allocate(len(old[0]), int(count.max() * 1.3))
            for new, values in zip((self.row, self.column, self.smooth), old, strict=True):
                new[:2, :kept] = values[:2]
        self.count[2:size] = count[1:-1]
        self.count[size:] = 0

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
        found = gather_voxels(*inputs, *self.arrays)
        if found < 0:
            self._allocate(int(-found * 1.3))
            found = gather_voxels(*inputs, *self.arrays)
        number = np.full(found, frame, dtype=np.int32)
        return Voxels(number, *(array[:found].copy() for array in self.arrays))
