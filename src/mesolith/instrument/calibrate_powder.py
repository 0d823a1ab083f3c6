"""From the frame of a powder and a rough detector file to a calibrated detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.calibrants import Calibrant, calibrant_spacings
from mesolith.instrument.calibrate_rings import (
    FROM_RINGS,
    RingPoints,
    calibrate_from_rings,
    ring_points,
    ring_residuals,
)
from mesolith.instrument.calibration import Calibration
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import laboratory_from_pixels
from mesolith.instrument.ring_coverage import ring_coverage
from mesolith.instrument.scattering import angles_from_laboratory

_BRIGHT = 8000  # pixels that show where rings run
_AROUND = 31  # px, of the background about a ring
_WINDOWS = (24.0, 12.0, 8.0)  # px, half of that about each ring
_MOST_RINGS = 25
_SECTORS = 90  # of a whole ring
_SEEN, _FEWEST_RINGS = 1.0 / 3.0, 2
_SATURATED = 0.02  # of a ring's pixels that are worth a word
_NEAR = 1.5  # px of a ring's middle
_STRIDE = 7  # pixels are counted by every seventh

FitRings = Callable[[Instrument, RingPoints, FloatArray], Instrument]


@dataclass(frozen=True, slots=True)
class PowderCalibration:
    """The calibration from a powder's rings and the points that made it.

    ``residual`` (n,) is how far outside its ring each point lies, um. ``notes`` are (level, text)
    of what a reader must know.
    """

    calibration: Calibration
    points: RingPoints
    residual: FloatArray
    notes: tuple[tuple[str, str], ...]


def calibrate_powder(
    instrument: Instrument,
    frames: Sequence[FloatArray],
    powder: Calibrant,
    *,
    place: FitRings,
    masks: Sequence[NDArray[np.bool_]] | None = None,
    saturation: float | None = None,
    names: Sequence[str] = FROM_RINGS,
) -> PowderCalibration:
    """Fit the detector to the rings on one frame a panel.

    Parameters
    ----------
    instrument
        As roughly known: rings within some millimetres and six per cent, tilts of a few degrees.
    frames
        Counts [slow, fast] of each panel, dark taken off.
    place
        Moves the panels so that bright pixels fall onto rings, as a first guess.
    masks
        True where a pixel cannot be used, one array a panel.
    saturation
        Counts from which on a pixel is saturated; such pixels are left out.

    Raises
    ------
    InvalidValueError
        No ring lies on the detector, or none stands out where one is expected.
    """
    d = _rings_on(instrument, powder)
    full = [
        np.zeros(frame.shape, dtype=np.bool_) if saturation is None else frame >= saturation
        for frame in frames
    ]
    left_out = [
        bad | (False if masks is None else masks[k]) | ~np.isfinite(frames[k])
        for k, bad in enumerate(full)
    ]
    bright = bright_points(instrument, frames, left_out)
    if not len(bright):
        raise InvalidValueError(
            "no pixel stands out of its surroundings",
            remedy="Is this the frame of a powder, and the dark its own?",
        )
    current = place(instrument, bright, d)
    pitch = float(np.min([panel.pitch.min() for panel in instrument.panels]))
    calibration: Calibration | None = None
    points: RingPoints | None = None
    for window in _WINDOWS:
        try:
            points = ring_points(
                current, frames, d, half_width=window * pitch, masks=left_out, sectors=_SECTORS
            )
            _check_seen(current, points, d)
            calibration = calibrate_from_rings(current, points, names=names)
        except InvalidValueError as problem:
            # rings that touch, or too few that stand out: the next window is narrower
            if window == _WINDOWS[-1] and calibration is None:
                raise InvalidValueError(
                    f"rings of {powder.name} are not where the detector file puts them: "
                    f"{problem.what}",
                    remedy="Check the calibrant, the energy, the distance and the beam's centre "
                    "in the detector file.",
                ) from problem
            continue
        current = calibration.instrument
    assert calibration is not None
    assert points is not None
    residual = ring_residuals(current, points)
    return PowderCalibration(
        calibration, points, residual, tuple(_notes(current, frames, full, powder, points, d))
    )


def _check_seen(instrument: Instrument, points: RingPoints, d: FloatArray) -> None:
    """Raise ``InvalidValueError`` unless rings run as rings do, not as noise has maxima."""
    expected = _SECTORS * ring_coverage(instrument, d)
    found = np.array([np.count_nonzero(np.abs(points.spacing - value) < 1e-9) for value in d])
    seen = int(np.count_nonzero(found > _SEEN * expected))
    if seen < min(_FEWEST_RINGS, len(d)):
        raise InvalidValueError(
            f"{seen} of {len(d)} rings are seen over a third of their length, "
            f"{min(_FEWEST_RINGS, len(d))} are needed"
        )


def bright_points(
    instrument: Instrument, frames: Sequence[FloatArray], left_out: Sequence[NDArray[np.bool_]]
) -> RingPoints:
    """The pixels that stand out most of what is around them, as points of unknown rings."""
    panel, fast, slow = [], [], []
    for k, frame in enumerate(frames):
        counts = np.where(left_out[k], np.nan, frame).astype(np.float64)
        good = np.isfinite(counts)
        counts[~good] = np.median(counts[good]) if good.any() else 0.0
        above = gaussian_filter(counts, 1.0) - uniform_filter(counts, _AROUND)
        above[~good] = -np.inf
        noise = 1.4826 * np.median(np.abs(above[good])) if good.any() else 1.0
        order = np.argpartition(-above, min(_BRIGHT, above.size - 1), axis=None)[:_BRIGHT]
        row, column = np.unravel_index(order, above.shape)
        seen = above[row, column] > 3.0 * noise
        panel.append(np.full(int(seen.sum()), k))
        slow.append(row[seen])
        fast.append(column[seen])
    count = sum(len(rows) for rows in panel)
    return RingPoints(
        np.concatenate(panel).astype(np.int64),
        np.concatenate(fast).astype(np.float64),
        np.concatenate(slow).astype(np.float64),
        np.full(count, np.nan),
    )


def _rings_on(instrument: Instrument, powder: Calibrant) -> FloatArray:
    """d of the innermost rings of which a twentieth or more falls onto a panel."""
    reach = 0.0
    for panel in instrument.panels:
        columns, rows = np.meshgrid(
            [0.0, (panel.shape[1] - 1) / 2.0, panel.shape[1] - 1.0],
            [0.0, (panel.shape[0] - 1) / 2.0, panel.shape[0] - 1.0],
        )
        angle, _ = angles_from_laboratory(instrument, laboratory_from_pixels(panel, columns, rows))
        reach = max(reach, float(np.max(angle)))
    d_min = instrument.beam.wavelength / (2.0 * np.sin(reach / 2.0))
    largest = float(powder.lattice[:3].max())
    d = calibrant_spacings(powder, d_min=d_min) if d_min < largest else np.empty(0)
    d = d[ring_coverage(instrument, d) >= 0.05] if len(d) else d
    if not len(d):
        raise InvalidValueError(
            f"no ring of {powder.name} falls onto the detector",
            remedy="Check the energy, the distance and the beam's centre in the detector file.",
        )
    return d[:_MOST_RINGS]


def _notes(
    instrument: Instrument,
    frames: Sequence[FloatArray],
    full: Sequence[NDArray[np.bool_]],
    powder: Calibrant,
    points: RingPoints,
    d: FloatArray,
) -> list[tuple[str, str]]:
    notes = [("note", f"lattice parameter of {powder.name} as certified: {powder.source}")]
    unseen = [value for value in d if not np.any(np.abs(points.spacing - value) < 1e-9)]
    if unseen:
        words = ", ".join(f"{value:.4f}" for value in unseen)
        notes.append(("note", f"no point was found on the rings of d = {words} angstrom"))
    lit, hit = np.zeros(len(d)), np.zeros(len(d))
    for k, panel in enumerate(instrument.panels):
        row, column = np.nonzero(full[k])
        for total, (y, x) in ((hit, (row, column)), (lit, _sampled(frames[k].shape))):
            angle, _ = angles_from_laboratory(
                instrument, laboratory_from_pixels(panel, x.astype(np.float64), y.astype(float))
            )
            ring = 2.0 * np.arcsin(instrument.beam.wavelength / (2.0 * d))
            distance = float(np.linalg.norm(panel.origin))
            off = np.abs(angle[:, None] - ring) * distance / float(panel.pitch.min())
            total += np.count_nonzero(off < _NEAR, axis=0)
    for value, few, many in zip(d, hit, lit * _STRIDE, strict=True):
        share = few / max(many, 1.0)
        if share > _SATURATED:
            text = (
                f"the ring of d = {value:.4f} angstrom is saturated in {min(share, 1.0):.0%} of "
                "its pixels, which are left out: expose it shorter"
            )
            notes.append(("warning", text))
    return notes


def _sampled(shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    flat = np.arange(0, shape[0] * shape[1], _STRIDE)
    row, column = np.divmod(flat, shape[1])
    return row, column
