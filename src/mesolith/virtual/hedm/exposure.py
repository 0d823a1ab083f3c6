"""From fragments to spots on the panel: how many counts, how wide, where."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import BoolArray, FloatArray, IntArray
from mesolith.virtual.hedm._kernels_bright import brighten
from mesolith.virtual.hedm.fragments import Fragments
from mesolith.virtual.hedm.rays import Rays, rays_of
from mesolith.virtual.hedm.reflections import intensities_of
from mesolith.virtual.hedm.station import Station

_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
_POLE = 0.03
_BLOCK = 100


@dataclass(frozen=True, slots=True)
class Exposure:
    """Light, sample and panel, as far as they decide on counts.

    ``reference_counts`` is what a reflection {400} of a sphere of ``reference_um`` in the middle
    of the sample gives in one crossing at eta = 90 deg, all frames together. Full widths at half
    maximum: ``mosaic_fwhm`` (rad) of each component of rotation within a median
    grain, from grain to grain log-normal with ``mosaic_log_sigma``; ``energy_fwhm`` (relative)
    of the beam and, to first order the same, of the spacing of a grain's planes;
    ``point_fwhm_px`` of the panel's answer to a point;
    the share ``tail_share`` of a spot is ``tail_scale`` times as wide. ``absorption`` per um
    over a cylinder of ``sample_um`` about the sample's middle; ``beam_um`` is the width of the
    box beam. ``horizontal`` is the share of light polarised along y. An absorber of
    ``filter_um`` radius before the panel lets ``filter_share`` through. ``lattice_angstrom`` is
    of the two phases. ``background`` counts a pixel, of which ``fluorescence`` is the even
    share; ``read_noise`` and ``ceiling`` in counts, ``dark`` the offset of every pixel with a
    fixed pattern of deviation ``dark_pattern``. Reflections down to ``spacing_angstrom`` (0:
    to the corner of the panel) with at least ``least_counts`` are made. With
    ``structure_log_sigma`` the families are log-normally brighter or dimmer than their structure
    factors say, the same way for the same ``structure_seed``.
    """

    reference_counts: float = 300.0
    reference_um: float = 25.0
    mosaic_fwhm: float = math.radians(0.1)
    mosaic_log_sigma: float = 0.0
    energy_fwhm: float = 1e-3
    point_fwhm_px: float = 1.5
    tail_share: float = 0.0
    tail_scale: float = 3.0
    absorption: float = 18.4e-4
    sample_um: float = 1600.0
    beam_um: float = math.inf
    horizontal: float = 1.0
    filter_um: float = 0.0
    filter_share: float = 0.01
    lattice_angstrom: tuple[float, float] = (12.945, 12.945)
    background: float = 60.0
    fluorescence: float = 0.4
    read_noise: float = 6.0
    ceiling: int = 16383
    dark: float = 100.0
    dark_pattern: float = 2.0
    spacing_angstrom: float = 0.0
    least_counts: float = 1.0
    structure_log_sigma: float = 0.0
    structure_seed: int = 0

    def __post_init__(self) -> None:
        for name in ("reference_counts", "reference_um", "point_fwhm_px", "sample_um", "beam_um"):
            if not getattr(self, name) > 0.0:
                raise InvalidValueError(f"{name} of a virtual exposure must be positive")
        if not (0.0 <= self.tail_share < 1.0 and 0.0 <= self.horizontal <= 1.0):
            raise InvalidValueError("tail_share and horizontal are shares between 0 and 1")


@dataclass(frozen=True, slots=True)
class PanelSpots:
    """Expected spots: one row a ray, exact places and moments, sorted by omega.

    ``fragment`` is the row of the fragments, ``hkl`` (n, 3) the reflection; ``counts`` the
    expected counts of the whole spot; ``covariance`` (n, 6) of fast, slow (px) and omega (rad)
    in the order ff ss ww sw fw fs. Omega runs from the station's first angle for one turn.
    """

    fragment: NDArray[np.int32]
    hkl: NDArray[np.int8]
    fast: NDArray[np.float32]
    slow: NDArray[np.float32]
    omega: FloatArray
    counts: NDArray[np.float32]
    covariance: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.fragment)


def expose(
    fragments: Fragments,
    station: Station,
    exposure: Exposure,
    *,
    middle: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> PanelSpots:
    """All spots of the fragments that reach ``least_counts``.

    ``middle`` is the sample's own middle on sample axes, um, when it was shifted. Rays within
    1.7 deg of the poles are left out: the first order of their spread no longer holds. Memory is
    about 55 bytes a spot, twice that meanwhile.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _TYPES}
    scale = counts_scale(station, exposure)
    for phase in (0, 1):
        rows = np.flatnonzero(fragments.phase == phase)
        if not len(rows):
            continue
        hkl = reflections_to(station, exposure, phase)
        square = scale * intensities_of(phase, hkl, station.energy_kev)
        square *= _structure_error(hkl, exposure)
        for first in range(0, len(rows), _BLOCK):
            block = fragments.take(rows[first : first + _BLOCK])
            part = _spots_of(block, phase, hkl, square, station, exposure, middle)
            part["fragment"] = rows[first + part["fragment"]]
            for name, kind in _TYPES.items():
                columns[name].append(part[name].astype(kind))
    if not columns["omega"]:
        raise InvalidValueError("no fragments to expose: the layer is empty")
    order = np.argsort(np.concatenate(columns["omega"]), kind="stable")
    return PanelSpots(**{name: np.concatenate(columns.pop(name))[order] for name in _TYPES})


def reflections_to(station: Station, exposure: Exposure, phase: int) -> IntArray:
    """Reflections (m, 3) of a phase that are not absent and reach the corner of the panel."""
    rows, columns = station.shape
    corner = 0.5 * station.pitch * math.hypot(rows, columns) + math.hypot(*station.centre)
    spacing = station.wavelength / (2.0 * math.sin(0.5 * math.atan(corner / station.distance)))
    spacing = max(spacing, exposure.spacing_angstrom)
    most = exposure.lattice_angstrom[phase] / spacing
    axis = np.arange(-math.floor(most), math.floor(most) + 1)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    square = (hkl**2).sum(axis=1)
    hkl = hkl[(square > 0) & (square <= most**2)]
    size = intensities_of(phase, hkl, station.energy_kev)
    return np.asarray(hkl[size > 1e-6 * size.max()])


def counts_scale(station: Station, exposure: Exposure) -> float:
    """Counts for one um^3 with abs(F)^2, Lorentz and polarisation factor and transmission of 1."""
    square = float(intensities_of(0, np.array([[4, 0, 0]]), station.energy_kev)[0])
    theta = math.asin(2.0 * station.wavelength / exposure.lattice_angstrom[0])
    across = math.sin(2.0 * theta)
    volume = math.pi / 6.0 * exposure.reference_um**3
    # towards eta = 90 deg: along y, where light polarised along y is weakened
    polarised = 1.0 - exposure.horizontal * across**2
    out = 0.5 * exposure.sample_um / math.cos(2.0 * theta) * math.cos(2.0 * theta)
    passed = math.exp(-exposure.absorption * (0.5 * exposure.sample_um + out))
    return exposure.reference_counts * across / (volume * square * polarised * passed)


_TYPES = {
    "fragment": np.int32,
    "hkl": np.int8,
    "fast": np.float32,
    "slow": np.float32,
    "omega": np.float64,
    "counts": np.float32,
    "covariance": np.float32,
}


def _spots_of(
    fragments: Fragments,
    phase: int,
    hkl: IntArray,
    brightness: FloatArray,
    station: Station,
    exposure: Exposure,
    middle: tuple[float, float, float],
) -> dict[str, NDArray[Any]]:
    whole = replace(station, omega_step=2.0 * math.pi, frames=1)
    rays = rays_of(fragments.crystals(exposure.lattice_angstrom[phase]), hkl, whole)
    rays = rays.take(rays.sin_eta > _POLE)
    mosaic = exposure.mosaic_fwhm / _FWHM * _mosaic_factors(fragments.grain, exposure)
    counts, covariance = np.empty(len(rays)), np.empty((len(rays), 6))
    shift = np.empty((len(rays), 2))
    brighten(
        rays.grain,
        rays.member,
        rays.omega,
        rays.direction,
        rays.start,
        fragments.volume,
        np.ascontiguousarray(fragments.shape),
        brightness,
        station.wavelength,
        station.axis,
        station.panel_axes,
        station.distance,
        station.pitch,
        np.array(middle),
        0.5 * exposure.sample_um,
        exposure.absorption,
        0.5 * exposure.beam_um,
        exposure.horizontal,
        mosaic,
        exposure.energy_fwhm / _FWHM,
        exposure.point_fwhm_px / _FWHM,
        counts,
        covariance,
        shift,
    )
    counts = np.where(_behind_filter(rays, station, exposure), exposure.filter_share, 1.0) * counts
    keep = counts >= exposure.least_counts
    return {
        "fragment": rays.grain[keep],
        "hkl": hkl[rays.member[keep]],
        "fast": rays.fast[keep] + shift[keep, 0],
        "slow": rays.slow[keep] + shift[keep, 1],
        "omega": rays.omega[keep],
        "counts": counts[keep],
        "covariance": covariance[keep],
    }


def _mosaic_factors(grain: IntArray, exposure: Exposure) -> FloatArray:
    """How much wider than the median each grain's mosaic is; a grain keeps its factor."""
    draws = [np.random.default_rng([exposure.structure_seed, 0x305A, int(k)]) for k in grain]
    spread = np.array([rng.standard_normal() for rng in draws])
    return np.exp(exposure.mosaic_log_sigma * spread)


def _structure_error(hkl: IntArray, exposure: Exposure) -> FloatArray:
    """Factor of each reflection by which its family is brighter than its structure factor says."""
    square = (hkl**2).sum(axis=1)
    rng = np.random.default_rng([exposure.structure_seed, 0x57F])
    factor = np.exp(exposure.structure_log_sigma * rng.standard_normal(int(square.max()) + 1))
    return np.asarray(factor[square])


def _behind_filter(rays: Rays, station: Station, exposure: Exposure) -> BoolArray:
    rows, columns = station.shape
    away = np.hypot(rays.fast - 0.5 * (columns - 1), rays.slow - 0.5 * (rows - 1))
    return np.asarray(away * station.pitch < exposure.filter_um)
