"""From voxels to spots: patches joined, cut, and each spot measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm._kernels_moments import moments
from mesolith.hedm._kernels_patches import (
    cut_patches,
    facts_of_spots,
    join_neighbours,
    judge_voxels,
    summits_with_seed,
    voxels_by_spot,
)
from mesolith.hedm._kernels_peaks import MASKED, RIM, SATURATED
from mesolith.hedm._kernels_profile import fit_profiles
from mesolith.hedm.search_settings import PeakSearch
from mesolith.hedm.voxels import Voxels

# standard deviation of white noise after weights 1 2 1 along three axes, over 64
NOISE_FACTOR = np.sqrt(6.0**3) / 64.0
_SWEEPS = 2
_STRONG, _ENOUGH = 20.0, 40


@dataclass(frozen=True, slots=True)
class Measured:
    """Spots as measured: ``place`` and ``covariance`` are of (column, row, frame), in cells.

    ``frames`` (n, 2) are the first and the last frame with a core voxel; ``flags`` the bits of
    all voxels together; ``misfit`` chi-square per degree of freedom, NaN without a profile.
    ``share`` is how much of what stands two sigma above background is in the highest voxel; 0
    where that one is below six sigma or saturated.
    """

    place: FloatArray
    covariance: FloatArray
    intensity: FloatArray
    intensity_se: FloatArray
    maximum: FloatArray
    widths: FloatArray
    pixels: IntArray
    frames: IntArray
    flags: IntArray
    shared: NDArray[np.bool_]
    misfit: FloatArray
    share: FloatArray

    def __len__(self) -> int:
        return len(self.place)

    def chosen(self, rows: NDArray[np.bool_]) -> Measured:
        """Those rows."""
        return Measured(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def joined(cls, lists: Sequence[Measured]) -> Measured:
        """All lists, one behind the other; at least one."""
        return cls(
            *(np.concatenate([getattr(one, field.name) for one in lists]) for field in fields(cls))
        )

    @classmethod
    def none(cls) -> Measured:
        """No spot."""
        whole, flat = np.empty(0, np.int64), np.empty(0)
        return cls(
            *(np.empty((0, 3)), np.empty((0, 3, 3)), flat, flat, flat, np.empty((0, 3)), whole),
            *(np.empty((0, 2), np.int64), whole, np.empty(0, np.bool_), flat, flat),
        )


@dataclass(slots=True)
class UsualWidths:
    """Widths that most spots have, learned from strong ones: (column, row, frame), cells."""

    logarithms: FloatArray
    tightness: FloatArray
    seen: list[FloatArray]

    @classmethod
    def unknown(cls) -> UsualWidths:
        """Before any spot was seen."""
        return cls(np.log([0.9, 0.9, 0.9]), np.array([1.5, 1.5, 1.5]), [])

    def learn(self, spots: Measured) -> None:
        """Take in the strong, whole and lonely ones of some spots."""
        strong = spots.intensity > _STRONG * spots.intensity_se
        clean = strong & np.isfinite(spots.misfit) & (spots.flags & (SATURATED | MASKED | RIM) == 0)
        self.seen.append(np.log(spots.widths[clean & ~spots.shared]))
        if sum(len(one) for one in self.seen) >= _ENOUGH:
            self.seen = [np.concatenate(self.seen)[-2000:]]
            self.logarithms = np.median(self.seen[0], axis=0)
            # omega widths differ with 1 / sin(eta), those on the detector hardly
            self.tightness = np.array([11.0, 11.0, 2.0])


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of some frames: spots, voxels to go on with, voxels for the blocks beside."""

    spots: Measured
    carried: Voxels
    left_over: Voxels


def resolve(
    voxels: Voxels,
    *,
    scratch: NDArray[np.int32],
    gain: float,
    frames: float,
    search: PeakSearch,
    usual: UsualWidths,
    first_open: int | None = None,
    last_open: int | None = None,
    over: bool = False,
) -> Resolved:
    """Measure all patches that are complete.

    Parameters
    ----------
    voxels
        Sorted by frame, row and column.
    scratch
        From `scratch_for` the shape of a frame.
    gain, frames
        Variance of one more count, and frames behind the background: see `Background`.
    search
        How patches are cut and measured.
    usual
        Widths of most spots; learns from these.
    first_open, last_open
        Frames behind and before which there are more, unknown ones. A patch that touches
        ``last_open`` is carried, or left over where ``over``; one that touches ``first_open``
        and not ``last_open`` is left over.
    over
        Whether no further frames of this block follow.
    """
    if len(voxels) == 0:
        return Resolved(Measured.none(), Voxels.empty(), Voxels.empty())
    patch, up, pairs = join_neighbours(
        *(voxels.frame, voxels.row, voxels.column, voxels.smooth, voxels.flags, scratch)
    )
    state = judge_voxels(
        *(voxels.frame, voxels.flags, patch, up),
        *(_or_never(first_open), _or_never(last_open)),
    )
    at_last, at_first = state & 4 > 0, state & 6 == 2
    carried = at_last & (not over)
    left_over = at_first | (at_last & over)
    done = state == 1
    spots = Measured.none()
    if done.any():
        summit = cut_patches(
            *(voxels.smooth, voxels.variance, up, pairs, gain, NOISE_FACTOR),
            *(search.split_sigmas, search.split_depth),
        )
        spots = _measured(voxels, summit, done, patch, gain, frames, search, usual)
        if search.one_voxel < 1.0:
            spots = spots.chosen(spots.share <= search.one_voxel)
        usual.learn(spots)
    return Resolved(spots, voxels.chosen(carried), voxels.chosen(left_over))


def scratch_for(shape: tuple[int, int]) -> NDArray[np.int32]:
    """Room in which `resolve` finds neighbours; it is left as it was."""
    return np.full((3, 3, shape[1] + 2), -1, dtype=np.int32)


def _or_never(frame: int | None) -> int:
    return -(2**30) if frame is None else frame


def _measured(
    voxels: Voxels,
    summit: NDArray[np.int32],
    done: NDArray[np.bool_],
    patch: NDArray[np.int32],
    gain: float,
    frames: float,
    search: PeakSearch,
    usual: UsualWidths,
) -> Measured:
    seeded = summits_with_seed(summit, done, voxels.flags)
    count = len(seeded)
    if count == 0:
        return Measured.none()
    home = patch[seeded]
    order = np.argsort(home, kind="stable")
    seeded, home = seeded[order], home[order]
    patch_begin = np.append(np.flatnonzero(np.diff(home, prepend=-1)), count)
    begin, place, (smooth, counts, variance), flags_of_voxels = voxels_by_spot(
        *(seeded, summit, voxels.frame, voxels.row, voxels.column),
        *(voxels.smooth, voxels.counts, voxels.variance, voxels.flags),
    )
    usable = flags_of_voxels & (SATURATED | MASKED) == 0
    value, covariance = np.zeros((count, 7)), np.zeros((count, 7, 7))
    misfit = np.full(count, np.nan)
    if search.profile:
        fit_profiles(
            *(begin, patch_begin, voxels.frame[seeded], place, smooth, counts, variance),
            *(usable, gain, frames, usual.logarithms, usual.tightness, _SWEEPS),
            *(value, covariance, misfit),
        )
    moments(
        *(begin, place, counts, variance, usable),
        *(gain, frames, np.isnan(misfit), value, covariance),
    )
    maximum, share = np.zeros(count), np.zeros(count)
    pixels, flags = np.zeros(count, np.int64), np.zeros(count, np.int64)
    first_last = np.zeros((count, 2), np.int64)
    facts_of_spots(
        *(begin, place[2], counts, variance, flags_of_voxels),
        *(maximum, pixels, first_last, flags, share),
    )
    sizes = np.diff(patch_begin)
    return Measured(
        place=value[:, 1:4],
        covariance=covariance[:, 1:4, 1:4],
        intensity=value[:, 0],
        intensity_se=np.sqrt(covariance[:, 0, 0]),
        maximum=maximum,
        widths=np.exp(value[:, 4:]),
        pixels=pixels,
        frames=first_last,
        flags=flags,
        shared=np.repeat(sizes > 1, sizes),
        misfit=misfit,
        share=share,
    )
