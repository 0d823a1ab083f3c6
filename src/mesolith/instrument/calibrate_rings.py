"""Calibration from powder rings: finding them on a frame, and fitting the detector to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.calibration import SCALE, Calibration, scale_from_information
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import laboratory_from_pixels, on_panel, pixels_from_rays
from mesolith.instrument.parameters import beam_on_panels, moved, points_by_instrument
from mesolith.instrument.scattering import angles_from_laboratory, laboratory_from_spots

FROM_RINGS = ("distance", "shift_y", "shift_z", "tilt_y", "tilt_z")
_ROWS = 256  # of a frame at a time
_FEWEST_BINS, _MOST_BINS = 12, 96  # across a ring's window, two a pixel
_CENTRING = 4
_FEWEST_EDGE = 2  # bins of background on either side
_LEAST_HALF = 0.25  # of the window that must lie on either side of a peak
_FEWEST_PIXELS = 1.5  # in each bin of a profile, on average
_TAIL = 4.0  # degrees of freedom of Student's t, which weighs outliers down
_MEDIAN_OF_ONE = 0.455  # median of chi square of one degree of freedom
_MOST_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class RingPoints:
    """Points (n,) on powder rings: panel, pixel (fast, slow), and the ring's d in angstrom."""

    panel: IntArray
    fast: FloatArray
    slow: FloatArray
    spacing: FloatArray

    def __len__(self) -> int:
        return len(self.panel)


def ring_points(
    instrument: Instrument,
    frames: Sequence[FloatArray],
    spacings: FloatArray,
    *,
    half_width: float,
    masks: Sequence[NDArray[np.bool_]] | None = None,
    sectors: int = 90,
    contrast: float = 5.0,
) -> RingPoints:
    """Points where rings run, one for each sector of each ring that stands out.

    Parameters
    ----------
    frames
        One frame a panel, [slow, fast], counts.
    spacings
        d of the rings to use, angstrom; rings whose windows overlap are left out.
    half_width
        Half the window about each expected radius, um on the detector. The ring must lie inside
        with room on both sides: three standard deviations of its profile, and as far as it is
        off its place.
    masks
        Pixels to leave out (True), one array a panel.
    sectors
        Parts of a whole ring.
    contrast
        Least height of a profile's peak over the scatter of its background.

    Each point is the centroid of the profile across the ring above a straight background.
    """
    distance = float(np.linalg.norm(beam_on_panels(instrument)))
    angles = _ring_angles(instrument, np.sort(np.asarray(spacings))[::-1])
    radius = distance * np.tan(angles)
    apart = np.diff(radius, prepend=-np.inf, append=np.inf)
    alone = np.minimum(apart[:-1], apart[1:]) > 2.0 * half_width
    kept_angles = angles[alone]
    kept_spacings = np.sort(np.asarray(spacings))[::-1][alone]
    if not len(kept_angles):
        raise InvalidValueError(
            f"no ring stands alone within {half_width:g} um",
            remedy="Narrow the window, or leave out rings that lie close together.",
        )
    # window in 2 theta: d radius = L / cos^2 d angle
    width = half_width * np.cos(kept_angles) ** 2 / distance
    found: list[list[FloatArray]] = []
    for k, panel in enumerate(instrument.panels):
        frame = np.asarray(frames[k])
        if frame.shape != tuple(panel.shape):
            raise InvalidValueError(
                f"the frame of panel {panel.name} has shape {frame.shape}, the panel "
                f"{tuple(panel.shape.tolist())}",
                remedy="Check which detector file belongs to these frames.",
            )
        profiles = _profiles(
            instrument, k, frame, None if masks is None else masks[k], kept_angles, width, sectors
        )
        ring, sector, off = _peaks(*profiles, contrast)
        angle = kept_angles[ring] + off * width[ring]
        eta = (sector + 0.5) * 2.0 * np.pi / sectors - np.pi
        rays = _rays(instrument, angle, eta)
        fast, slow = pixels_from_rays(panel, np.zeros_like(rays), rays)
        good = on_panel(panel, fast, slow)
        found.append(
            [np.full(int(good.sum()), k), fast[good], slow[good], kept_spacings[ring[good]]]
        )
    panel_of, fast, slow, spacing = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return RingPoints(panel_of.astype(np.int64), fast, slow, spacing)


def calibrate_from_rings(
    instrument: Instrument, points: RingPoints, *, names: Sequence[str] = FROM_RINGS
) -> Calibration:
    """Fit the detector to points on powder rings of known d, all with one error.

    The powder sits at the laboratory's origin. ``names`` are parameters of the panels, also
    ``wavelength`` and the distortion's amplitudes; wavelength and distance together are fitted
    only where the rings reach far enough out, and ``scale`` says how far they do.

    Raises
    ------
    InvalidValueError
        Fewer points than parameters, or a parameter that no ring can show (tilt_x of a detector
        without distortion, wedge, chi).
    """
    if len(points) <= 2 * len(names):
        raise InvalidValueError(
            f"{len(points)} points on rings cannot determine {len(names)} parameters",
            remedy="Lower the contrast, widen the window, or fit fewer parameters.",
        )
    everything = tuple(dict.fromkeys((*names, *SCALE)))
    free = [everything.index(name) for name in names]
    current, change = instrument, np.zeros(len(names))
    for _ in range(_MOST_ROUNDS):
        off, slope = _residuals(current, points, everything)
        scatter = float(np.median(off**2)) / _MEDIAN_OF_ONE
        weight = (_TAIL + 1.0) / (_TAIL + off**2 / scatter)
        size = np.linalg.norm(slope, axis=0)
        blind = [name for k, name in zip(free, names, strict=True) if size[k] < 1e-9 * size.max()]
        if blind:
            raise InvalidValueError(
                f"no ring shows {blind[0]}", remedy="Fit it to grains, or hold it where it is."
            )
        scaled = slope / size
        normal = (scaled * weight[:, None]).T @ scaled
        inverse = np.linalg.pinv(normal[np.ix_(free, free)], hermitian=True, rcond=1e-12)
        step = inverse @ (scaled.T @ (weight * off))[free]
        change += step / size[free]
        moves = dict(zip(names, (step / size[free]).tolist(), strict=True))
        current = moved(current, moves)
        if np.abs(step / np.sqrt(np.diagonal(inverse))).max() < 1e-3 * np.sqrt(scatter):
            break
    variance = float(np.sum(weight * off**2) / (len(off) - len(names)))
    return Calibration(
        current,
        tuple(names),
        change,
        variance * inverse / np.outer(size[free], size[free]),
        1.0,  # the spread is measured, not stated
        len(points),
        scale_from_information(normal * np.outer(size, size) / variance, everything, instrument),
    )


def ring_residuals(instrument: Instrument, points: RingPoints) -> FloatArray:
    """How far outside its ring each point lies, um on the detector, shape (n,)."""
    off, _ = _residuals(instrument, points, ())
    return -off


def _residuals(
    instrument: Instrument, points: RingPoints, names: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Ring minus point (n,) in um, and the derivatives (n, p) of point minus ring."""
    place = laboratory_from_spots(instrument, points.panel, points.fast, points.slow)
    two_theta, _ = angles_from_laboratory(instrument, place)
    ring = _ring_angles(instrument, points.spacing)
    distance = float(np.linalg.norm(beam_on_panels(instrument)))
    stretch = distance / np.cos(ring) ** 2
    of_panels = [name for name in names if name != "lattice"]
    motion = points_by_instrument(
        instrument, of_panels, panel=points.panel, fast=points.fast, slow=points.slow
    )
    # 2 theta grows across the ray, away from the beam
    length = np.linalg.norm(place, axis=1, keepdims=True)
    ray = place / length
    outwards = (ray * np.cos(two_theta)[:, None] - instrument.beam.direction) / (
        np.sin(two_theta)[:, None] * length
    )
    slope = np.zeros((len(points), len(names)))
    for k, name in enumerate(of_panels):
        slope[:, names.index(name)] = np.einsum("ni,ni->n", outwards, motion[:, :, k])
    if "wavelength" in names:
        slope[:, names.index("wavelength")] -= 2.0 * np.tan(ring / 2.0) / instrument.beam.wavelength
    if "lattice" in names:
        slope[:, names.index("lattice")] = 2.0 * np.tan(ring / 2.0)
    return (ring - two_theta) * stretch, slope * stretch[:, None]


def _ring_angles(instrument: Instrument, spacings: FloatArray) -> FloatArray:
    sine = instrument.beam.wavelength / (2.0 * spacings)
    if np.any(sine >= 1.0):
        raise InvalidValueError(
            f"a ring of d = {float(np.min(spacings)):g} angstrom does not diffract at "
            f"{instrument.beam.wavelength:g} angstrom",
            remedy="Check the wavelength and the rings' d.",
        )
    return np.asarray(2.0 * np.arcsin(sine), dtype=np.float64)


def _rays(instrument: Instrument, two_theta: FloatArray, eta: FloatArray) -> FloatArray:
    """Directions (n, 3) at angles as `angles_from_laboratory` gives them."""
    direction = instrument.beam.direction
    across = np.column_stack([np.zeros_like(eta), -np.sin(eta), np.cos(eta)])
    # at right angles to the beam, keeping the azimuth of y and z
    across[:, 0] = -(across @ direction) / direction[0]
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return np.cos(two_theta)[:, None] * direction + np.sin(two_theta)[:, None] * across


def _profiles(
    instrument: Instrument,
    number: int,
    frame: FloatArray,
    mask: NDArray[np.bool_] | None,
    angles: FloatArray,
    width: FloatArray,
    sectors: int,
) -> tuple[FloatArray, FloatArray]:
    """Sums of counts and numbers of pixels (ring, sector, bin) across each ring's window."""
    panel = instrument.panels[number]
    reach = float(np.linalg.norm(beam_on_panels(instrument))) * float(np.max(width))
    bins = int(np.clip(round(4.0 * reach / panel.pitch.min()), _FEWEST_BINS, _MOST_BINS))
    shape = (len(angles), sectors, bins)
    total, count = np.zeros(np.prod(shape)), np.zeros(np.prod(shape))
    fast = np.arange(panel.shape[1], dtype=np.float64)
    for start in range(0, int(panel.shape[0]), _ROWS):
        rows = np.arange(start, min(start + _ROWS, int(panel.shape[0])))
        columns, lines = np.meshgrid(fast, rows.astype(np.float64))
        place = laboratory_from_pixels(panel, columns, lines)
        two_theta, eta = angles_from_laboratory(instrument, place)
        ring = np.clip(np.searchsorted(angles, two_theta), 1, len(angles) - 1)
        ring -= np.abs(two_theta - angles[ring - 1]) < np.abs(two_theta - angles[ring])
        off = (two_theta - angles[ring]) / width[ring]
        counts = frame[rows].astype(np.float64)
        good = (np.abs(off) < 1.0) & np.isfinite(counts)
        if mask is not None:
            good &= ~mask[rows]
        sector = np.floor((eta[good] + np.pi) / (2.0 * np.pi) * sectors).astype(np.int64)
        bin_ = ((off[good] + 1.0) / 2.0 * bins).astype(np.int64)
        key = (ring[good] * sectors + np.minimum(sector, sectors - 1)) * bins + bin_
        total += np.bincount(key, weights=counts[good], minlength=len(total))
        count += np.bincount(key, minlength=len(count))
    return total.reshape(shape), count.reshape(shape)


def _peaks(
    total: FloatArray, count: FloatArray, contrast: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Ring, sector and centroid (-1 to 1 across the window) of each profile that has a peak."""
    bins = total.shape[2]
    place = (np.arange(bins) + 0.5) / bins * 2.0 - 1.0
    ring, sector, centre = [], [], []
    for k, j in np.argwhere(count.sum(axis=2) >= _FEWEST_PIXELS * bins):
        seen = count[k, j] > 0
        if seen.sum() < 0.9 * bins:
            continue
        found = _centroid(place[seen], total[k, j, seen] / count[k, j, seen], contrast)
        if found is not None:
            ring.append(k)
            sector.append(j)
            centre.append(found)
    return np.array(ring, dtype=np.int64), np.array(sector, dtype=np.int64), np.array(centre)


def _centroid(place: FloatArray, height: FloatArray, contrast: float) -> float | None:
    """Centroid of the peak in a profile; None where none stands out, or is too wide or cut.

    The part of the profile that counts lies evenly about the centroid, and so do the ends that
    make the background: tails that reach into them pull to neither side.
    """
    centre = float(place[np.argmax(height)])
    for _ in range(_CENTRING):
        half = 1.0 - abs(centre)
        if half < _LEAST_HALF:
            return None
        near = np.abs(place - centre) <= half
        x, above = place[near], height[near]
        edge = np.abs(x - centre) > 0.75 * half
        before, behind = edge & (x < centre), edge & (x > centre)
        if before.sum() < _FEWEST_EDGE or behind.sum() < _FEWEST_EDGE:
            return None
        slope = (above[behind].mean() - above[before].mean()) / (
            x[behind].mean() - x[before].mean()
        )
        above = above - above[edge].mean() - slope * (x - x[edge].mean())
        noise = float(np.std(above[edge])) or 1e-12
        top = int(np.argmax(above))
        if above[top] < contrast * noise:
            return None
        # the peak down to a tenth of its height, and nothing beyond
        low = above < 0.1 * above[top]
        left = int(np.max(np.flatnonzero(low[:top]), initial=-1)) + 1
        right = int(np.min(top + np.flatnonzero(low[top:]), initial=len(x)))
        if edge[left] or edge[right - 1]:
            return None
        centre = float(np.average(x[left:right], weights=above[left:right]))
    return centre
