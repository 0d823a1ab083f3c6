"""Monochromator scans of single spots of a virtual crystal: profiles and pictures, with truth.

The forward code is its own: the lit volume is a cloud of blocks, each turned, stretched and as
deep as chance has it; each block mirrors the beam at the one energy that fits it and counts in a
step by how much of the monochromator's band lies there. Two lattices are two clouds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray, IntArray
from mesolith.virtual.laue.crystal import HC_KEV_ANGSTROM, CrystalReflections
from mesolith.virtual.laue.patterns import LaueCrystals
from mesolith.virtual.laue.station import LaueStation
from mesolith.virtual.rotation import matrices_from_vectors

_WINDOW = 15
_SIGMA_PER_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))


@dataclass(frozen=True, slots=True)
class EnergyPlan:
    """How spots are scanned.

    Energies run ``half_range`` to both sides of the middle in steps of ``step``, relative. The
    monochromator passes a band of the relative width ``band_fwhm``, Gaussian but for the share
    ``band_tail``, which is Lorentzian. Blocks are turned by ``mosaic_deg`` about each axis and
    stretched by ``strain_spread`` (standard deviations), and by ``strain_gradient`` per um of
    depth. The share ``second`` of them has a lattice larger by ``split``. ``counts`` is the
    height of a profile over ``background``, counts a step.

    A step's true energy is the logged one plus ``offset_ev``, plus ``slope`` times its distance
    from 12 keV, plus the reflection's own error (``random_ev``), plus the step's own
    (``jitter_ev``), standard deviations. ``place_px`` is the error of a spot's place in each
    direction; ``tail_freedom`` are the degrees of freedom of Student's t that the random errors
    of energies and places are drawn from (0: normal), scaled to those standard deviations.
    ``point_px`` is the spread of a block's light on the panel.
    """

    step: float = 1e-4
    half_range: float = 2.5e-3
    band_fwhm: float = 1.4e-4
    band_tail: float = 0.0
    mosaic_deg: float = 0.004
    strain_spread: float = 3e-5
    strain_gradient: float = 0.0
    split: float = 0.0
    second: float = 0.0
    counts: float = 600.0
    background: float = 6.0
    offset_ev: float = 0.0
    slope: float = 0.0
    random_ev: float = 1.0
    jitter_ev: float = 0.0
    place_px: float = 0.15
    tail_freedom: float = 0.0
    point_px: float = 1.2
    blocks: int = 1024


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of one reflection: true energy (keV), place (px), weight (sum 1), depth (um)."""

    energy: FloatArray
    place: FloatArray
    weight: FloatArray
    depth: FloatArray
    second: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ScannedSpot:
    """One reflection as scanned, with its truth.

    ``energy`` (k,) is logged, ``true_energy`` (k,) is what the photons had, keV; ``counts`` (k,)
    are those of the spot's window. ``place`` (2,) px has noise, ``true_place`` has none.
    """

    hkl: IntArray
    energy: FloatArray
    true_energy: FloatArray
    counts: FloatArray
    place: FloatArray
    true_place: FloatArray
    blocks: Blocks


def scan_spots(
    crystals: LaueCrystals,
    row: int,
    hkl: IntArray,
    middle: FloatArray,
    reflections: CrystalReflections,
    station: LaueStation,
    plan: EnergyPlan,
    rng: np.random.Generator,
    *,
    along: float = 0.0,
) -> list[ScannedSpot]:
    """Scan the reflections ``hkl`` (n, 3) of one grain around energies ``middle`` (n,), keV.

    ``along`` (um): how far behind the origin the beam meets the surface; the same for a white
    pattern is a station whose panel stands as much before its place.
    """
    found = []
    for one, centre in zip(hkl, middle, strict=True):
        blocks = lit_blocks(crystals, row, one, reflections, station, plan, rng, along=along)
        logged = logged_energies(plan, float(centre))
        error = plan.offset_ev + plan.slope * 1e3 * (centre - 12.0)
        error += plan.random_ev * _deviate(rng, plan.tail_freedom, 1)[0]
        jitter = plan.jitter_ev * rng.standard_normal(len(logged))
        true = logged + 1e-3 * (error + jitter)
        expected = plan.background + plan.counts * _relative(blocks, true, plan).sum(axis=1)
        place = blocks.weight @ blocks.place
        found.append(
            ScannedSpot(
                hkl=np.asarray(one),
                energy=logged,
                true_energy=true,
                counts=rng.poisson(expected).astype(np.float64),
                place=place + plan.place_px * _deviate(rng, plan.tail_freedom, 2),
                true_place=place,
                blocks=blocks,
            )
        )
    return found


def logged_energies(plan: EnergyPlan, middle: float) -> FloatArray:
    """Energies (k,) of the steps about a middle, keV, rounded to 1 meV as logs have them."""
    half = round(plan.half_range / plan.step)
    return np.round(middle * (1.0 + plan.step * np.arange(-half, half + 1)), 6)


def lit_blocks(
    crystals: LaueCrystals,
    row: int,
    hkl: IntArray,
    reflections: CrystalReflections,
    station: LaueStation,
    plan: EnergyPlan,
    rng: np.random.Generator,
    *,
    along: float = 0.0,
) -> Blocks:
    """The blocks that one reflection sees, and where and at which energy each reflects.

    Depths are equal parts of what is reflected; turns and stretches are even parts of their
    distributions and come in opposite pairs, so that their means are those of the crystal. Blocks
    behind the panel raise `InvalidValueError`.
    """
    vectors = crystals.lattice_vectors(reflections.lattice_angstrom)[row]
    rate = _rate(vectors, hkl, reflections, station)
    # each lattice is a cloud of its own
    larger = round(0.5 * plan.second * plan.blocks)
    clouds = [_cloud(rng, size) for size in (plan.blocks // 2 - larger, larger) if size > 0]
    second = np.repeat([False, True], [2 * (plan.blocks // 2 - larger), 2 * larger])
    turn, stretch, layer = (np.concatenate(parts) for parts in zip(*clouds, strict=True))
    turn = math.radians(plan.mosaic_deg) * turn
    depth = crystals.top[row] - np.log1p(-layer) / rate
    size = 1.0 + plan.strain_spread * stretch + plan.strain_gradient * depth
    size = size + np.where(second, plan.split, 0.0)
    turned = matrices_from_vectors(turn) @ vectors * size[:, None, None]
    normal = np.einsum("i,bij->bj", hkl.astype(np.float64), np.linalg.inv(turned))
    spacing = 1.0 / np.linalg.norm(normal, axis=1)
    unit = normal * spacing[:, None]
    energy = HC_KEV_ANGSTROM / (2.0 * spacing * -unit[:, 0])
    ray = np.array([1.0, 0.0, 0.0]) - 2.0 * unit[:, :1] * unit
    start = (depth + along)[:, None] * np.array([1.0, 0.0, 0.0])
    place = station.pixels(start, ray)
    if not (np.all(np.isfinite(place)) and np.all(energy > 0.0)):
        raise InvalidValueError(f"reflection {hkl.tolist()} does not reach the panel")
    weight = np.full(len(energy), 1.0 / len(energy))
    return Blocks(energy, place, weight, depth, second)


def spot_windows(
    spot: ScannedSpot, plan: EnergyPlan, shape: tuple[int, int]
) -> tuple[FloatArray, tuple[int, int]]:
    """Expected counts (k, 15, 15) of the spot alone at each step, slow first, and its corner.

    The corner is (slow, fast) of the window's first pixel, moved so that it lies on the panel.
    """
    middle = np.rint(spot.true_place[::-1]).astype(int) - _WINDOW // 2
    corner = np.clip(middle, 0, np.array(shape) - _WINDOW)
    light = []
    for axis, column in ((0, 1), (1, 0)):
        grid = corner[axis] + np.arange(_WINDOW)
        apart = (grid[None, :] - spot.blocks.place[:, column, None]) / plan.point_px
        light.append(np.exp(-0.5 * apart**2) / (plan.point_px * math.sqrt(2.0 * math.pi)))
    share = plan.counts * _relative(spot.blocks, spot.true_energy, plan)
    window = np.einsum("kb,bs,bf->ksf", share, light[0], light[1], optimize=True)
    return window, (int(corner[0]), int(corner[1]))


def spot_frames(
    spots: list[ScannedSpot],
    number: int,
    plan: EnergyPlan,
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    background: float = 2.0,
) -> NDArray[np.uint16]:
    """Pictures (k, slow, fast) of the scan of one spot, counts; other spots are dark then.

    ``background`` is in counts a pixel.
    """
    window, corner = spot_windows(spots[number], plan, shape)
    expected = np.full((len(window), *shape), background)
    expected[:, corner[0] : corner[0] + _WINDOW, corner[1] : corner[1] + _WINDOW] += window
    return np.minimum(rng.poisson(expected), 65535).astype(np.uint16)


def _rate(
    vectors: FloatArray, hkl: IntArray, reflections: CrystalReflections, station: LaueStation
) -> float:
    """How fast what is reflected fades with depth along the beam, 1/um."""
    normal = hkl.astype(np.float64) @ np.linalg.inv(vectors)
    spacing = 1.0 / float(np.linalg.norm(normal))
    unit = normal * spacing
    energy = np.array([HC_KEV_ANGSTROM / (2.0 * spacing * -unit[0])])
    out = (np.array([1.0, 0.0, 0.0]) - 2.0 * unit[0] * unit) @ station.surface
    if not out > 0.0:
        raise InvalidValueError(f"reflection {hkl.tolist()} leaves through the sample's back")
    attenuation = float(reflections.attenuation_at(energy)[0])
    return attenuation * (1.0 + math.sin(station.incidence) / float(out))


def _relative(blocks: Blocks, energy: FloatArray, plan: EnergyPlan) -> FloatArray:
    """What each block gives at each energy (k, b), scaled so that the largest sum is 1."""
    sigma = plan.band_fwhm * _SIGMA_PER_FWHM
    apart = energy[:, None] / blocks.energy[None, :] - 1.0
    band = (1.0 - plan.band_tail) * np.exp(-0.5 * (apart / sigma) ** 2)
    band += plan.band_tail / (1.0 + (2.0 * apart / plan.band_fwhm) ** 2)
    given = band * blocks.weight
    return np.asarray(given / max(float(given.sum(axis=1).max()), 1e-30))


def _cloud(rng: np.random.Generator, pairs: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Turns (n, 3), stretches (n,) of unit spread, and shares of depth (n,); n is twice pairs."""
    spread = np.stack([_even_normal(rng, pairs) for _ in range(4)], axis=1)
    spread = np.concatenate([spread, -spread])
    layer = (rng.permutation(2 * pairs) + 0.5) / (2 * pairs)
    return spread[:, :3], spread[:, 3], layer


def _even_normal(rng: np.random.Generator, count: int) -> FloatArray:
    """Equal parts of a normal distribution (count,) in random order."""
    return np.asarray(ndtri((rng.permutation(count) + 0.5) / count))


def _deviate(rng: np.random.Generator, freedom: float, count: int) -> FloatArray:
    """Random numbers (count,) of unit spread, normal or Student's."""
    if freedom <= 0.0:
        return rng.standard_normal(count)
    spread = math.sqrt(freedom / (freedom - 2.0)) if freedom > 2.0 else 1.0
    return np.asarray(rng.standard_t(freedom, size=count) / spread)
