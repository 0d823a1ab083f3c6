"""A first calibration from loose Friedel pairs, before any grain is known.

Two spots of one grain and plane, half a turn apart, have scattering vectors g and -g on sample
axes: (g1 - g2) / 2 is free of the grain's position to first order, whatever the wedge. It must
lie on a ring (centre, distance, tilts), both must have crossed the sphere when they did
(wedge), and g1 + g2 along the axis must be nothing but the beam's height (roll about the beam).
False mates are told apart by a uniform background in the same fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.calibration import SCALE, Calibration, scale_from_information
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import beam_on_panels, moved
from mesolith.instrument.predict import linearise_spots
from mesolith.instrument.scattering import laboratory_from_spots, scattering_vectors
from mesolith.records.spots import Spots

FROM_PAIRS = ("tilt_x", "wedge", "shift_y", "shift_z", "tilt_y", "tilt_z", "distance")
_STEP = {"shift": 20.0, "distance": 200.0, "wavelength": 1e-5}
_SMALL_ANGLE = 1e-4
_MOST_FIRST = 12_000  # spots whose mates are looked for
_MOST_RINGS = 4
_FEWEST_PAIRS = 200
_ROUNDS = 60
_NARROWING = (1.0, 1.0, 3.0, 6.0)


@dataclass(frozen=True, slots=True)
class PairWindows:
    """How far mates may be off before calibration.

    ``omega`` rad from half a turn; ``height`` um, of the mean of the two heights; ``width`` um,
    half the difference of the two y (the sample's radius); ``radius`` relative error of |g|
    against its ring.
    """

    omega: float = np.deg2rad(1.0)
    height: float = 600.0
    width: float = 900.0
    radius: float = 0.006

    def narrowed(self, factor: float) -> PairWindows:
        """Windows for omega, height and radius smaller by that factor; the sample stays."""
        return PairWindows(
            self.omega / factor, self.height / factor, self.width, self.radius / factor
        )


def calibrate_from_pairs(
    instrument: Instrument,
    spots: Spots,
    spacings: FloatArray,
    *,
    names: Sequence[str] = FROM_PAIRS,
    windows: PairWindows | None = None,
    seed: int = 0,
) -> Calibration:
    """Wedge, roll, centre, tilts and distance from loose Friedel pairs.

    Parameters
    ----------
    spacings
        d of all rings on the detector, angstrom, shape (rings,).
    names
        Parameters to fit. ``shift_z`` puts the laboratory's origin into the middle of the lit
        part of the sample; the distance takes the rings' d and the wavelength for true.
    windows
        Bounds within which mates are looked for at first; they shrink twice.
    seed
        Of the choice of spots where there are many.

    Returns
    -------
    calibration
        ``used`` counts the pairs believed to be true. Errors are those of independent pairs:
        strains and heights that the pairs of one grain share (5e-4 in 3,000 grains are 20 um of
        distance) come on top.

    Raises
    ------
    InvalidValueError
        Fewer than 200 pairs: wrong rings, less than half a turn, or too narrow windows.
    """
    windows = windows or PairWindows()
    draw = np.random.default_rng(seed)
    current, change = instrument, dict.fromkeys(names, 0.0)
    everything = tuple(dict.fromkeys((*names, *SCALE)))
    fitted = [everything.index(name) for name in names]
    for factor in _NARROWING:
        within = windows.narrowed(factor)
        pairs, spacing = _loose_pairs(current, spots, spacings, within, windows.omega, draw)
        _enough(len(pairs))
        jacobian = _slopes(current, spots, pairs, spacing, everything)
        for _ in range(2):  # the second time from where the first came
            residual = pair_residuals(current, spots, pairs, spacing)
            step, covariance, share, spread = _mixture_fit(residual, jacobian[:, :, fitted], within)
            _enough(round(float(share.sum())))
            update = dict(zip(names, step.tolist(), strict=True))
            current = moved(current, update)
            change = {name: change[name] + update[name] for name in names}
    weighted = jacobian * np.sqrt(share)[:, None, None] / spread[None, :, None]
    information = np.einsum("nia,nib->ab", weighted, weighted)
    return Calibration(
        current,
        tuple(names),
        np.array([change[name] for name in names]),
        covariance,
        1.0,  # the spread is measured, not stated
        round(float(share.sum())),
        scale_from_information(information, everything, instrument),
    )


def _enough(count: int) -> None:
    if count < _FEWEST_PAIRS:
        raise InvalidValueError(
            f"{count} Friedel pairs were found, {_FEWEST_PAIRS} are needed",
            remedy="Check the rings' d, that omega spans more than half a turn, its sign, and "
            "the distance; or widen the windows.",
        )


def pair_residuals(
    instrument: Instrument, spots: Spots, pairs: IntArray, spacing: FloatArray
) -> FloatArray:
    """Residuals (m, 3) of pairs (m, 2) of spots on rings of spacing d (m,).

    Lateness of the second against the first (rad), mean height (um), relative error of |g|.
    NaN where a mean g crosses the sphere nowhere.
    """
    g, omega = [], []
    for k in (0, 1):
        row = pairs[:, k]
        points = laboratory_from_spots(
            instrument, spots.panel[row], spots.fast[row], spots.slow[row]
        )
        g.append(scattering_vectors(instrument, points, spots.omega[row]))
        omega.append(spots.omega[row])
    mean = (g[0] - g[1]) / 2.0
    origin = np.zeros(3)
    late = []
    for k, sign in ((0, 1.0), (1, -1.0)):
        found = linearise_spots(
            instrument, sign * mean, origin, near_omega=omega[k], panel=spots.panel[pairs[:, k]]
        )
        late.append(omega[k] - found.value[:, 2])
    reach = float(np.linalg.norm(beam_on_panels(instrument))) * instrument.beam.wavelength
    height = (g[0] + g[1]) @ instrument.goniometer.axis * reach / 2.0
    radius = np.linalg.norm(mean, axis=1) * spacing - 1.0
    return np.column_stack([late[1] - late[0], height, radius])


def _loose_pairs(
    instrument: Instrument,
    spots: Spots,
    spacings: FloatArray,
    windows: PairWindows,
    half_turn: float,
    draw: np.random.Generator,
) -> tuple[IntArray, FloatArray]:
    """Pairs (m, 2) of spots within the windows, and the spacing of each one's ring (m,).

    ``half_turn`` is how far from half a turn mates may lie: a known wedge moves them apart by
    more than the window for what is left of omega.
    """
    points = laboratory_from_spots(instrument, spots.panel, spots.fast, spots.slow)
    g = scattering_vectors(instrument, points, np.zeros(len(spots)))  # laboratory axes
    length = np.linalg.norm(g, axis=1)
    rings = np.sort(1.0 / np.asarray(spacings))
    distance = float(np.linalg.norm(beam_on_panels(instrument)))
    reach = distance * instrument.beam.wavelength
    ring = np.abs(length[:, None] - rings).argmin(axis=1)
    # a single spot's |g| is off by its grain's place besides
    loose = windows.radius * rings[ring] + windows.width / reach
    apart = np.diff(rings).min(initial=np.inf) / 2.0
    ring[np.abs(length - rings[ring]) > np.minimum(loose, apart)] = -1
    counts = np.bincount(ring[ring >= 0], minlength=len(rings))
    # rings with few spots have few false mates; several radii tell a tilt from a shift
    order = np.argsort(counts, kind="stable")
    chosen = order[counts[order] > 0][:_MOST_RINGS]
    member = np.flatnonzero(np.isin(ring, chosen))
    if not len(member):
        return np.empty((0, 2), dtype=np.int64), np.empty(0)
    first = member
    if len(first) > _MOST_FIRST:
        first = np.sort(draw.choice(member, _MOST_FIRST, replace=False))
    scale = np.array([half_turn, 2.0 * windows.width / reach, 2.0 * windows.height / reach, 0.5])
    turn = 2.0 * np.pi / scale[0]

    def features(row: IntArray, sign: float, half: float) -> FloatArray:
        omega = np.mod(spots.omega[row] + half, 2.0 * np.pi)
        table = np.column_stack([omega, g[row, 1], sign * g[row, 2], ring[row]]) / scale
        table[:, 0] = np.mod(table[:, 0], turn)
        table[:, 1:] -= low[1:]
        return table

    low = np.zeros(4)
    low[1:3] = -2.0 * length.max() / scale[1:3]
    box = [turn, *(4.0 * length.max() / scale[1:3]), 0.0]
    tree = cKDTree(features(member, -1.0, np.pi), boxsize=box)
    near: Any = tree.query_ball_point(features(first, 1.0, 0.0), 1.0, p=np.inf)
    sizes = np.array([len(found) for found in near], dtype=np.int64)
    left = np.repeat(first, sizes)
    right = member[np.concatenate([np.asarray(found, dtype=np.int64) for found in near])]
    pairs = np.column_stack([left, right])
    # each pair once, whichever of the two was asked first
    _, once = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    pairs = pairs[once]
    spacing = 1.0 / rings[ring[pairs[:, 0]]]
    residual = pair_residuals(instrument, spots, pairs, spacing)
    bounds = np.array([windows.omega, windows.height, windows.radius])
    good = (np.abs(residual) < bounds).all(axis=1)
    return pairs[good], spacing[good]


def _slopes(
    instrument: Instrument,
    spots: Spots,
    pairs: IntArray,
    spacing: FloatArray,
    names: Sequence[str],
) -> FloatArray:
    """Derivatives (m, 3, names) of the residuals by differences."""
    out = np.zeros((len(pairs), 3, len(names)))
    for k, name in enumerate(names):
        if name == "lattice":
            out[:, 2, k] = 1.0
            continue
        step = next((size for start, size in _STEP.items() if name.startswith(start)), _SMALL_ANGLE)
        ends = [
            pair_residuals(moved(instrument, {name: sign * step}), spots, pairs, spacing)
            for sign in (1.0, -1.0)
        ]
        out[:, :, k] = (ends[0] - ends[1]) / (2.0 * step)
    return out


def _mixture_fit(
    residual: FloatArray, jacobian: FloatArray, windows: PairWindows
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Step (p,), covariance (p, p), each pair's chance to be true (m,), spread (3,) of those.

    True pairs scatter about the linear model as a normal distribution, false ones fill the
    windows evenly; expectation and maximisation in turns, from a wide spread downwards.
    """
    bounds = np.array([windows.omega, windows.height, windows.radius])
    size = np.linalg.norm(jacobian / bounds[None, :, None], axis=(0, 1))
    size = np.where(size > 0.0, size, 1.0)
    slope = jacobian / size
    flat = 1.0 / np.prod(2.0 * bounds)
    step, spread, mix = np.zeros(jacobian.shape[2]), bounds / 3.0, 0.5
    for _ in range(_ROUNDS):
        off = residual + slope @ step
        density = np.exp(-0.5 * np.sum((off / spread) ** 2, axis=1))
        density *= mix / (np.prod(spread) * (2.0 * np.pi) ** 1.5)
        share = density / (density + (1.0 - mix) * flat)
        weighted = slope * (np.sqrt(share)[:, None] / spread)[:, :, None]
        target = -residual * np.sqrt(share)[:, None] / spread
        normal = np.einsum("nia,nib->ab", weighted, weighted)
        inverse = np.linalg.pinv(normal, hermitian=True, rcond=1e-10)
        before, step = step, inverse @ np.einsum("nia,ni->a", weighted, target)
        off = residual + slope @ step
        spread = np.sqrt(np.average(off**2, axis=0, weights=share))
        mix = float(np.clip(share.mean(), 1e-3, 1.0 - 1e-6))
        if np.abs(step - before).max() < 1e-3 * np.sqrt(np.diagonal(inverse)).min():
            break
    return step / size, inverse / np.outer(size, size), share, spread
