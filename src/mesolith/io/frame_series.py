"""Frames of one panel in one rotation: checked, and in the order of their angles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError, DuplicateError, InvalidValueError, MissingFrameError
from mesolith.io.frame_source import BoolArray, Frame, FrameSource

_TOLERANCE = 0.05  # of a frame's turn
_TURN = 2.0 * np.pi


@dataclass(frozen=True, slots=True)
class FrameSeries:
    """Frames in the order of increasing omega, read one by one.

    ``omega`` is where each frame starts and ends, rad, shape (n, 2), start < end, increasing.
    ``joined`` (n,) tells whether a frame begins where the one before it ended; the first never
    does. ``dark`` (slow, fast) is the mean of dark frames, counts; ``mask`` is True where a
    pixel cannot be used. ``backwards`` is True where the rotation ran from high to low angles.
    """

    source: FrameSource
    omega: FloatArray
    joined: BoolArray
    backwards: bool
    dark: FloatArray | None
    mask: BoolArray | None
    saturation: float | None
    panel: str

    def __len__(self) -> int:
        return len(self.omega)

    @property
    def shape(self) -> tuple[int, int]:
        """(slow, fast) of a frame, px."""
        return self.source.shape

    @property
    def floor(self) -> float:
        """Counts up to this were set to zero when the file was written; 0 where all were kept."""
        return self.source.floor

    @property
    def step(self) -> float:
        """Rotation during one frame, rad, positive."""
        return float(np.median(self.omega[:, 1] - self.omega[:, 0]))

    @property
    def stretches(self) -> FloatArray:
        """Measured stretches without a gap, start and end, rad, shape (stretch, 2)."""
        begin = np.flatnonzero(~self.joined)
        last = np.append(begin[1:], len(self)) - 1
        return np.column_stack([self.omega[begin, 0], self.omega[last, 1]])

    @property
    def closed(self) -> bool:
        """Whether the last frame ends where the first begins, a full turn later."""
        span = self.omega[-1, 1] - self.omega[0, 0]
        return abs(span - _TURN) < _TOLERANCE * self.step and bool(self.joined[1:].all())

    def read(self, frame: int) -> Frame:
        """Frame in the order of ``omega``, [slow, fast], as the detector counted."""
        return self.source.read(len(self) - 1 - frame if self.backwards else frame)

    def read_into(self, frame: int, out: Frame) -> None:
        """Frame in the order of ``omega`` into ``out`` [slow, fast], of its type or wider."""
        at = len(self) - 1 - frame if self.backwards else frame
        into = self.source.read_into
        if into is None or out.dtype != self.source.dtype or not out.flags.c_contiguous:
            out[:] = self.source.read(at)
        else:
            into(at, out)

    def listed(self, frame: int) -> tuple[Frame, Frame, Frame]:
        """Rows, columns and counts of the pixels of a frame that are not zero."""
        if self.source.listed is not None:
            return self.source.listed(len(self) - 1 - frame if self.backwards else frame)
        dense = self.read(frame)
        row, column = np.nonzero(dense)
        return row, column, dense[row, column]

    def stream(self, first: int = 0, last: int | None = None) -> Iterator[Frame]:
        """Frames from ``first`` up to, not including, ``last``, one at a time.

        Raises
        ------
        DuplicateError
            A frame is bit for bit the one before: the detector or the copy repeated it. Noise
            makes no frame twice; frames with a floor may be equal when nothing was left.
        """
        before: Frame | None = None
        for k in range(first, len(self) if last is None else last):
            frame = self.read(k)
            if before is not None:
                self.not_repeated(k, frame, before)
            before = frame
            yield frame

    def not_repeated(self, number: int, frame: Frame, before: Frame) -> None:
        """Raise ``DuplicateError`` where frame ``number`` is bit for bit the one before it.

        Frames without a single count may be equal: a shutter was closed, or nothing scattered.
        """
        if self.floor == 0.0 and _same(frame, before) and frame.any():
            angle = np.rad2deg(self.omega[number, 0])
            raise DuplicateError(
                f"frame {number} (omega {angle:.6g} deg) is bit for bit frame {number - 1}",
                where=self.source.place,
                remedy="The detector or the copy repeated a frame, and the angles behind it "
                "are wrong: copy the frames again, or leave it out with its angle.",
            )


def series_from_source(
    source: FrameSource,
    *,
    omega: FloatArray | None = None,
    dark: FloatArray | None = None,
    mask: BoolArray | None = None,
    saturation: float | None = None,
    panel: str | None = None,
    allow_partial: bool = False,
) -> FrameSeries:
    """Frames in order, with what is known beside the file.

    Parameters
    ----------
    source
        The frames as the file holds them.
    omega
        Start and end of each frame in the file's order, rad, shape (n, 2), for files that state
        no angles; where they do, both must agree.
    dark
        Mean of dark frames, counts, shape (slow, fast).
    mask
        True where a pixel cannot be used, (slow, fast); joined with the file's own.
    saturation, panel
        Take the place of the file's own.
    allow_partial
        Go on with gaps between the angles.

    Raises
    ------
    ContradictionError
        Dark or mask of another size, angles beside the file that are not its own, more or fewer
        angles than frames, or frames that differ in how far they turn.
    DuplicateError
        Two frames at one angle.
    MissingFrameError
        No angles at all, or a gap between them.
    """
    stated = _agreed(source, omega)
    backwards = bool(stated[0, 1] < stated[0, 0])
    edges = np.sort(stated, axis=1)[::-1] if backwards else stated
    for name, image in (("dark", dark), ("mask", mask)):
        if image is not None and image.shape != source.shape:
            raise ContradictionError(
                f"the {name} has {image.shape[0]} x {image.shape[1]} pixels, the frames "
                f"{source.shape[0]} x {source.shape[1]}",
                where=source.place,
                remedy=f"Give a {name} of the same panel, binning and region.",
            )
    if mask is None:
        mask = source.mask
    elif source.mask is not None:
        mask = mask | source.mask
    return FrameSeries(
        source=source,
        omega=edges,
        joined=_joined(edges, source.place, allow_partial),
        backwards=backwards,
        dark=dark,
        mask=mask,
        saturation=source.saturation if saturation is None else saturation,
        panel=source.panel if panel is None else panel,
    )


def renamed(series: FrameSeries, panel: str) -> FrameSeries:
    """The same frames under the name that the instrument gives their panel."""
    return replace(series, panel=panel)


def _agreed(source: FrameSource, omega: FloatArray | None) -> FloatArray:
    if omega is None and source.omega is None:
        raise MissingFrameError(
            f"the angles of its {source.count} frames are not known",
            where=source.place,
            remedy="Give omega by its start and step.",
        )
    if omega is None:
        omega = source.omega
    elif source.omega is not None and len(omega) == source.count:
        off = float(np.abs(omega - source.omega).max())
        if off > _TOLERANCE * float(np.median(np.abs(omega[:, 1] - omega[:, 0]))):
            raise ContradictionError(
                f"omega was given, and the file states other angles, {np.rad2deg(off):.6g} deg "
                "away",
                where=source.place,
                remedy="Leave out omega, or correct it.",
            )
    assert omega is not None
    if len(omega) != source.count:
        raise ContradictionError(
            f"{source.count} frames and {len(omega)} angles",
            where=source.place,
            remedy="Frames are missing or too many: correct omega's start, step and the list.",
        )
    if not np.isfinite(omega).all() or np.any(omega[:, 0] == omega[:, 1]):
        raise InvalidValueError(
            "an angle is not a number, or a frame does not turn",
            where=source.place,
            remedy="Give omega by its start and step.",
        )
    return np.asarray(omega, dtype=np.float64)


def _joined(edges: FloatArray, place: str, allow_partial: bool) -> BoolArray:
    width = edges[:, 1] - edges[:, 0]
    step = float(np.median(width))
    if np.any(width <= 0.0) or np.any(np.abs(width - step) > _TOLERANCE * step):
        odd = int(np.argmax(np.abs(width - step)))
        raise ContradictionError(
            f"frame {odd} turns by {np.rad2deg(width[odd]):.6g} deg, most by "
            f"{np.rad2deg(step):.6g}",
            where=place,
            remedy="Analyse sweeps of different steps one by one.",
        )
    ahead = edges[1:, 0] - edges[:-1, 1]
    if np.any(ahead < -_TOLERANCE * step):
        again = int(np.argmax(ahead < -_TOLERANCE * step)) + 1
        raise DuplicateError(
            f"frame {again} begins at {np.rad2deg(edges[again, 0]):.6g} deg, before frame "
            f"{again - 1} ends at {np.rad2deg(edges[again - 1, 1]):.6g}",
            where=place,
            remedy="A frame is listed twice, or two sweeps are joined: list each angle once.",
        )
    gap = ahead > _TOLERANCE * step
    if gap.any() and not allow_partial:
        at = int(np.argmax(gap))
        lost = int(np.rint(ahead[gap].sum() / step))
        raise MissingFrameError(
            f"{lost} frames are missing, the first behind frame {at} "
            f"(omega {np.rad2deg(edges[at, 1]):.6g} deg)",
            where=place,
            remedy="Copy the missing frames. --allow-partial goes on; the gap is recorded.",
        )
    if edges[-1, 1] - edges[0, 0] > _TURN + _TOLERANCE * step:
        raise DuplicateError(
            f"the angles span {np.rad2deg(edges[-1, 1] - edges[0, 0]):.6g} deg",
            where=place,
            remedy="Analyse at most one turn at a time.",
        )
    return np.concatenate([[False], ~gap])


def _same(frame: Frame, before: Frame) -> bool:
    """Whether two frames are equal; a few rows decide almost always."""
    few = slice(None, None, max(1, frame.shape[0] // 8))
    return np.array_equal(frame[few], before[few]) and np.array_equal(frame, before)
