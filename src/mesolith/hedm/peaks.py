"""Spots of a rotation from its frames: streaming, block by block, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.hedm._kernels_peaks import MASKED, RIM, SATURATED
from mesolith.hedm.background import background_findings, background_from_frames
from mesolith.hedm.frame_voxels import voxels_of_frames
from mesolith.hedm.patches import Measured, UsualWidths, resolve, scratch_for
from mesolith.hedm.search_settings import PeakSearch
from mesolith.hedm.voxels import Voxels
from mesolith.io.finding import Finding
from mesolith.io.frame_series import FrameSeries
from mesolith.records.field import quantities
from mesolith.records.spots import Spots

_BLOCK, _LEAST_BACKGROUND = 600, 100
_BATCHES, _MOST_OPEN = 2, 3.0


@dataclass(frozen=True, slots=True)
class PeakBlock:
    """Spots that lie within a block of frames, and the voxels of those at its ends.

    ``first`` and ``last`` (exclusive) count frames of the series. ``gain``, ``frames`` and
    ``usual`` (logarithms of widths and their tightness) serve to measure the spots that are
    joined later. ``findings`` is what a reader of the spots must know.
    """

    first: int
    last: int
    spots: Measured
    ends: Voxels
    gain: float
    frames: float
    usual: FloatArray
    findings: tuple[Finding, ...] = ()


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
        Fewer than eight frames, no pixel that can be used, or so many bright ones that spots
        cannot be told apart.
    """
    return find_spots_and_say(series, search, block=block)[0]


def find_spots_and_say(
    series: FrameSeries, search: PeakSearch | None = None, *, block: int = _BLOCK
) -> tuple[Spots, tuple[Finding, ...]]:
    """`find_spots`, and what a reader of the spots must know, each thing once."""
    search = search or PeakSearch()
    blocks = [search_block(series, first, last, search) for first, last in blocks_of(series, block)]
    findings = dict.fromkeys(finding for one in blocks for finding in one.findings)
    return join_blocks(series, blocks, search), tuple(findings)


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
    left_out: list[int] = []
    carried, waiting = Voxels.empty(), []
    for voxels, upto in voxels_of_frames(
        *(series, background, first, last),
        stretch=(begin, end),
        search=search,
        left_out=left_out,
    ):
        over = upto == last
        # patches that are still open are looked at again: rather seldom than often
        waiting.append(Voxels.joined(voxels))
        if len(waiting) < _BATCHES and not over:
            continue
        _not_endless(series, carried, upto)
        result = resolve(
            Voxels.joined([carried, *waiting]),
            scratch=scratch,
            gain=background.gain,
            frames=background.frames,
            search=search,
            usual=usual,
            first_open=first if more_before else None,
            last_open=upto - 1 if more_behind or not over else None,
            over=over,
        )
        carried, waiting = result.carried, []
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
        findings=(*background_findings(background, series), *_blind_findings(series, left_out)),
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


def spots_of_panels(spots: Sequence[Spots]) -> Spots:
    """One list of spots from those of several panels in the same rotation, in order of omega.

    Raises ``ContradictionError`` where the panels measured different angles.
    """
    first = spots[0]
    for other in spots[1:]:
        same = other.omega_range.shape == first.omega_range.shape
        if not same or np.any(
            np.abs(other.omega_range - first.omega_range) > 0.1 * first.omega_step
        ):
            raise ContradictionError(
                f"panel {other.panel_name[0]} measured {_in_degrees(other.omega_range)}, panel "
                f"{first.panel_name[0]} {_in_degrees(first.omega_range)}",
                remedy="Join panels of one and the same rotation.",
            )
    order = np.argsort(np.concatenate([one.omega for one in spots]), kind="stable")
    base = np.cumsum([0, *(len(one.panel_name) for one in spots[:-1])])
    rows: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in spots])[order]
        for name, declared in quantities(Spots).items()
        if declared.shape[:1] == ("spot",) and name != "panel"
    }
    panel = np.concatenate([one.panel + at for one, at in zip(spots, base, strict=True)])[order]
    names = tuple(name for one in spots for name in one.panel_name)
    return replace(first, panel=panel, panel_name=names, **rows)


def _not_endless(series: FrameSeries, carried: Voxels, upto: int) -> None:
    """Raise where the patches that are still open hold more voxels than some frames have pixels."""
    if len(carried) > _MOST_OPEN * series.shape[0] * series.shape[1]:
        raise InvalidValueError(
            f"up to frame {upto - 1} the bright pixels hang together over "
            f"{upto - int(carried.frame.min())} frames",
            where=series.panel or series.source.place,
            remedy="Raise seed_sigmas and grow_sigmas, or mask what does not turn with the "
            "sample. Frames that were cut at a threshold below their background must be cut "
            "again at a higher one.",
        )


def _blind_findings(series: FrameSeries, left_out: list[int]) -> list[Finding]:
    if not left_out:
        return []
    which = ", ".join(str(frame) for frame in sorted(left_out)[:10])
    more = "" if len(left_out) <= 10 else f" and {len(left_out) - 10} more"
    return [
        Finding(
            "warning",
            series.panel or series.source.place,
            f"frames {which}{more} are left out: most of their pixels are saturated, are no "
            "numbers, or show other light than the frames around. Spots beside them are marked "
            "as partial.",
        )
    ]


def _in_degrees(ranges: FloatArray) -> str:
    return ", ".join(f"{start:.6g} to {end:.6g} deg" for start, end in np.rad2deg(ranges))


def _stretch(series: FrameSeries, frame: int) -> tuple[int, int]:
    """First and last (exclusive) frame of the stretch that holds a frame."""
    begins = np.append(np.flatnonzero(~series.joined), len(series))
    at = int(np.searchsorted(begins, frame, side="right"))
    return int(begins[at - 1]), int(begins[at])
