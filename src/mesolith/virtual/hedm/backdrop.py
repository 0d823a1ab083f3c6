"""Expected counts without grains: scattered light, fluorescence and powder rings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.virtual.arrays import FloatArray
from mesolith.virtual.hedm.station import Station


@dataclass(frozen=True, slots=True)
class PowderRings:
    """Rings of a fine-grained body in the beam.

    ``spacing`` (rings,) in angstrom, ``counts`` (rings,) are the peak counts of a pixel.
    ``places`` are where along the beam it stands, um, such as the two walls of a casing.
    ``texture`` is the share by which a ring's counts vary along it, ``width_px`` its standard
    deviation across.
    """

    spacing: FloatArray
    counts: FloatArray
    places: tuple[float, ...] = (0.0,)
    texture: float = 0.2
    width_px: float = 2.0


def scattering_angles(station: Station, place: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """2 theta and eta of every pixel as seen from a point of the beam, rad, (slow, fast).

    ``place`` is x of that point, um. Eta is the angle from +y towards +z.
    """
    rows, columns = station.shape
    u = station.pitch * (np.arange(columns) - 0.5 * (columns - 1))[None, :]
    v = station.pitch * (np.arange(rows) - 0.5 * (rows - 1))[:, None]
    p = station.distortion
    r = np.hypot(u, v) / station.distortion_radius
    angle = np.arctan2(v, u)
    scale = 1.0 + p[0] * r ** p[3] * np.cos(2.0 * angle)
    scale += p[1] * r ** p[4] * np.cos(4.0 * angle) + p[2] * r ** p[5]
    axes, origin = station.panel_axes, station.panel_origin
    x, y, z = (
        origin[k] + scale * (u * axes[k, 0] + v * axes[k, 1]) - (place if k == 0 else 0.0)
        for k in range(3)
    )
    return np.arctan2(np.hypot(y, z), x), np.arctan2(z, y)


def diffuse(station: Station, mean_counts: float, *, fluorescence: float = 0.4) -> FloatArray:
    """Counts (slow, fast) of fluorescence, the same everywhere, and light that falls outwards.

    ``mean_counts`` over the panel, of which the share ``fluorescence`` is even.
    """
    two_theta, _ = scattering_angles(station)
    falling = np.exp(-two_theta / math.radians(2.5))
    return np.asarray(
        mean_counts * (fluorescence + (1.0 - fluorescence) * falling / falling.mean())
    )


def powder_counts(station: Station, rings: PowderRings) -> FloatArray:
    """Counts (slow, fast) of powder rings, cut by every tilt and distortion of the panel."""
    total = np.zeros(station.shape)
    share = 1.0 / len(rings.places)
    for k, place in enumerate(rings.places):
        two_theta, eta = scattering_angles(station, place)
        per_px = station.pitch / station.distance  # 2 theta of a pixel, at small angles
        for number, (spacing, counts) in enumerate(zip(rings.spacing, rings.counts, strict=True)):
            sine = station.wavelength / (2.0 * float(spacing))
            if sine >= 1.0:
                continue
            away = (two_theta - 2.0 * math.asin(sine)) / (rings.width_px * per_px)
            near = np.abs(away) < 5.0
            uneven = 1.0 + rings.texture * np.sin(3.0 * eta[near] + 1.7 * number + 0.9 * k)
            total[near] += share * counts * uneven * np.exp(-0.5 * away[near] ** 2)
    return total


def attenuated(
    station: Station, counts: FloatArray, radius: float, transmission: float
) -> FloatArray:
    """Counts behind an absorbing disc of this radius (um) about the middle of the panel."""
    if radius <= 0.0:
        return counts
    rows, columns = station.shape
    u = station.pitch * (np.arange(columns) - 0.5 * (columns - 1))[None, :]
    v = station.pitch * (np.arange(rows) - 0.5 * (rows - 1))[:, None]
    return np.where(np.hypot(u, v) < radius, transmission * counts, counts)


def lithium_and_casing(
    lattices: Sequence[tuple[float, Sequence[int], tuple[float, ...]]], counts: float
) -> list[PowderRings]:
    """Rings of cubic metals: (lattice parameter in angstrom, sums h2 + k2 + l2, places)."""
    return [
        PowderRings(
            spacing=lattice / np.sqrt(np.array(squares, dtype=np.float64)),
            counts=counts / np.sqrt(np.arange(1.0, len(squares) + 1.0)),
            places=places,
        )
        for lattice, squares, places in lattices
    ]
