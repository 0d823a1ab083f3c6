"""Can these spots come from this station? Sense of rotation and size of the rings.

Both are asked before any calibration, of spots alone: a reversed omega leaves every ring and
every Friedel pair as it is, and no grain is found; a wrong distance, energy or lattice moves all
rings alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from mesolith.axes import FloatArray, IntArray
from mesolith.instrument.calibrate_rings import RingPoints
from mesolith.instrument.goniometer import to_laboratory, to_sample
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import beam_on_panels
from mesolith.instrument.predict import crossings_of
from mesolith.instrument.scattering import laboratory_from_spots, scattering_vectors
from mesolith.records.spots import Spots

_MOST_ASKED = 4000
_MOST_RINGS = 4
_SURE = 6.0  # standard deviations of the counts
_AWAY = np.deg2rad(11.0)  # where chance is counted
_SMEAR = 0.004  # of |g| from grains off the axis, relative
_STEP = 5e-4
_MOST_FITTED = 10_000
_FINEST = 100.0  # um


@dataclass(frozen=True, slots=True)
class RotationSense:
    """How many spots have a second crossing where omega as listed, or reversed, puts it.

    ``sign`` is 1 where omega runs as listed, -1 where it runs the other way (or the frames are
    mirrored: nothing in the spots tells the two apart), 0 where the counts do not say.
    ``chance`` is the count at angles where no second crossing lies, of ``asked`` spots.
    """

    sign: int
    forward: int
    backward: int
    chance: int
    asked: int


@dataclass(frozen=True, slots=True)
class RingFit:
    """How the spots must be moved to lie on the rings.

    ``shift_y`` and ``shift_z`` (um) move the panels, ``factor`` multiplies all |g|: 1.01 means
    that |g| comes out one per cent too small, as the distance is that much too long, the
    wavelength too long, or the lattice too small. ``share`` of the spots lie on rings then,
    ``chance`` is the median over all factors tried and ``unmoved`` the share without any move.
    """

    shift_y: float
    shift_z: float
    factor: float
    share: float
    chance: float
    unmoved: float


def rotation_sense(
    instrument: Instrument,
    spots: Spots,
    spacings: FloatArray,
    *,
    radius: float = 800.0,
    omega: float = np.deg2rad(0.6),
    seed: int = 0,
) -> RotationSense:
    """Whether omega turns as the spots say.

    Every g crosses the sphere twice, and the angle between the two says which way the sample
    turned. ``spacings`` are the rings' d (angstrom), ``radius`` (um) that of the sample and
    ``omega`` (rad) how far off a second crossing may be when the grain's place is unknown.
    """
    points = laboratory_from_spots(instrument, spots.panel, spots.fast, spots.slow)
    laboratory = scattering_vectors(instrument, points, np.zeros(len(spots)))
    ring = _rings_of(np.linalg.norm(laboratory, axis=1), np.asarray(spacings))
    counts = np.bincount(ring[ring >= 0], minlength=len(spacings))
    order = np.argsort(counts, kind="stable")
    member = np.flatnonzero(np.isin(ring, order[counts[order] > 0][:_MOST_RINGS]))
    asked = member
    if len(asked) > _MOST_ASKED:
        draw = np.random.default_rng(seed)
        asked = np.sort(draw.choice(member, _MOST_ASKED, replace=False))
    distance = float(np.linalg.norm(beam_on_panels(instrument)))
    per_um = 1.0 / (distance * instrument.beam.wavelength)
    scale = np.array([omega, 2.0 * radius * per_um, 0.25 * radius * per_um, 0.5])
    found = [
        _second_crossings(instrument, spots, laboratory, ring, member, asked, scale, sign, away)
        for sign, away in ((1.0, 0.0), (-1.0, 0.0), (1.0, _AWAY))
    ]
    forward, backward, chance = found
    better, worse = max(forward, backward), min(forward, backward)
    sign = 0
    if better - max(worse, chance) > _SURE * np.sqrt(better + max(worse, chance) + 1.0):
        sign = 1 if forward > backward else -1
    return RotationSense(sign, forward, backward, chance, len(asked))


def fit_rings(
    instrument: Instrument,
    spots: Spots | RingPoints,
    spacings: FloatArray,
    *,
    most: float = 0.06,
    reach: float = 4000.0,
    seed: int = 0,
) -> RingFit:
    """The shift of the panels, by up to ``reach`` um, and the factor that put spots onto rings.

    A coarse search over all shifts and factors near one, by up to ``most``, that no tilt of a
    degree disturbs; good to some 100 um and 1e-3.
    """
    rows = np.arange(len(spots))
    if len(rows) > _MOST_FITTED:
        rows = np.random.default_rng(seed).choice(rows, _MOST_FITTED, replace=False)
    ray = laboratory_from_spots(instrument, spots.panel[rows], spots.fast[rows], spots.slow[rows])
    direction = instrument.beam.direction
    distance = float(np.linalg.norm(beam_on_panels(instrument)))
    along = ray @ direction
    flat = ray * (distance / along)[:, None] - distance * direction
    log_rings = np.sort(-np.log(np.asarray(spacings)))
    edge = np.log1p(most)
    low = log_rings[0] - edge - 0.1
    bins = int(np.ceil((log_rings[-1] + edge + 0.1 - low) / _STEP))
    # one bump a ring, as wide as grains off the axis smear it, moved by every factor
    centre = low + (np.arange(bins) + 0.5) * _STEP
    steps = np.arange(-int(edge / _STEP), int(edge / _STEP) + 1)
    moved_by = centre + steps[:, None] * _STEP
    bumps = np.zeros((len(steps), bins))
    for ring in log_rings:
        np.maximum(bumps, np.exp(-0.5 * ((moved_by - ring) / _SMEAR) ** 2), out=bumps)

    def shares(shift_y: float, shift_z: float) -> FloatArray:
        radius = np.hypot(flat[:, 1] + shift_y, flat[:, 2] + shift_z)
        sine = np.sin(np.arctan2(radius, distance) / 2.0)
        length = np.log(np.maximum(2.0 * sine / instrument.beam.wavelength, 1e-9))
        histogram, _ = np.histogram(length, bins=bins, range=(low, low + bins * _STEP))
        found: FloatArray = bumps @ histogram / max(len(rows), 1)
        return found

    best, place = shares(0.0, 0.0), (0.0, 0.0)
    unmoved = float(best[len(steps) // 2])
    width = reach
    while width > _FINEST:
        start = place
        for off_y, off_z in product(np.linspace(-width, width, 9), repeat=2):
            there = (start[0] + float(off_y), start[1] + float(off_z))
            trial = shares(*there)
            if trial.max() > best.max():
                best, place = trial, there
        width /= 4.0
    return RingFit(
        *place,
        float(np.exp(steps[int(np.argmax(best))] * _STEP)),
        float(best.max()),
        float(np.median(best)),
        unmoved,
    )


def _rings_of(length: FloatArray, spacings: FloatArray) -> IntArray:
    """Ring of each |g| (n,), -1 off all rings or where two are too close to tell."""
    rings = 1.0 / spacings
    ring = np.abs(length[:, None] - rings).argmin(axis=1)
    apart = np.diff(np.sort(rings)).min(initial=np.inf) / 2.0
    limit = np.minimum(3.0 * _SMEAR * rings[ring], apart)
    return np.where(np.abs(length - rings[ring]) < limit, ring, -1)


def _second_crossings(
    instrument: Instrument,
    spots: Spots,
    laboratory: FloatArray,
    ring: IntArray,
    member: IntArray,
    asked: IntArray,
    scale: FloatArray,
    sign: float,
    away: float,
) -> int:
    """Number of asked spots with another near their second crossing, omega times ``sign``."""
    omega = sign * spots.omega
    goniometer = instrument.goniometer
    g = to_sample(goniometer, laboratory[asked], omega[asked])
    both = crossings_of(instrument, g)
    off = np.abs((both - omega[asked, None] + np.pi) % (2.0 * np.pi) - np.pi)
    rows = np.arange(len(asked))
    second = both[rows, np.argmax(off, axis=1)]
    seen = np.isfinite(second)
    second, g = second[seen], g[seen]
    expected = to_laboratory(goniometer, g, second)
    turn = 2.0 * np.pi / scale[0]
    reach = 2.0 * np.abs(laboratory[:, 1:]).max()

    def features(angle: FloatArray, vectors: FloatArray, number: IntArray) -> FloatArray:
        table = np.column_stack([angle, vectors[:, 1] + reach, vectors[:, 2] + reach, number])
        table = table / scale
        table[:, 0] = np.mod(table[:, 0], turn)
        return table

    box: Any = [turn, 0.0, 0.0, 0.0]  # only omega comes round
    tree = cKDTree(features(omega[member], laboratory[member], ring[member]), boxsize=box)
    near: Any = tree.query_ball_point(
        features(second + away, expected, ring[asked[seen]]), 1.0, p=np.inf, return_length=True
    )
    return int(np.count_nonzero(near))
