"""Spots in monochromatic pictures: profiles against energy, and where the spots lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.panel import pixels_from_laboratory
from mesolith.io.energy_stack import EnergyStack
from mesolith.laue.energy import IndexedPoint
from mesolith.laue.energy_model import predicted, source_depth
from mesolith.laue.energy_settings import EnergySettings
from mesolith.laue.geometry import LaueGeometry
from mesolith.laue.reflections import LaueReflections
from mesolith.records.laue_energy import EnergyScan

_FEWEST_STEPS = 8


def scan_from_pictures(
    stack: EnergyStack,
    geometry: LaueGeometry,
    reflections: LaueReflections,
    point: IndexedPoint,
    hkl: IntArray,
    settings: EnergySettings | None = None,
    *,
    number: int = 0,
    half_window: int = 5,
    reach: float = 4e-3,
) -> EnergyScan:
    """Profiles of reflections ``hkl`` (n, 3) of a point's grain, from the pictures of a scan.

    The white pattern says where each spot is and near which energy it lights up. Counts are
    summed in a window of 2 ``half_window`` + 1 pixels in every picture within the relative
    energy ``reach``; the place is the mean of what stands above the window's rim in their sum,
    and its error that of counting beside ``spot_error_px``. ``number`` is the point's in the
    scan. Window counts keep their background, which the profile's fit finds.

    Raises
    ------
    InvalidValueError
        A spot lies at the panel's edge, reaches the detector's limit, or has fewer than eight
        pictures.
    """
    settings = settings or EnergySettings()
    reciprocal = np.linalg.inv(point.found.grains.lattice_vectors[point.grain]).T
    place, energy = _expected(reciprocal, hkl.astype(np.float64), geometry, reflections)
    parts = []
    for k in range(len(hkl)):
        name = f"reflection {hkl[k].tolist()}"
        frames = np.flatnonzero(np.abs(stack.energy / energy[k] - 1.0) < reach)
        if len(frames) < _FEWEST_STEPS:
            raise InvalidValueError(
                f"{name} lights up near {energy[k]:.4f} keV, where {len(frames)} pictures are",
                where=stack.source.place,
                remedy=f"Scan at least {_FEWEST_STEPS} energies there, or leave it out.",
            )
        corner = np.rint(place[k, ::-1]).astype(int) - half_window
        size = 2 * half_window + 1
        if np.any(corner < 0) or np.any(corner + size > np.array(stack.source.shape)):
            raise InvalidValueError(
                f"{name} lies at the panel's edge, at {np.round(place[k], 1).tolist()} px",
                where=stack.source.place,
                remedy="Leave it out, or choose a smaller window.",
            )
        rows, columns = (slice(start, start + size) for start in corner)
        window = np.stack([stack.source.read(int(frame))[rows, columns] for frame in frames])
        limit = stack.source.saturation
        if limit is not None and window.max() >= limit:
            raise InvalidValueError(
                f"{name} reaches the detector's limit of {limit:g} counts",
                where=stack.source.place,
                remedy="Measure with less light or shorter, or leave it out.",
            )
        window = window.astype(np.float64)
        middle, covariance = _centre(window.sum(axis=0))
        order = np.argsort(stack.energy[frames], kind="stable")
        parts.append(
            (
                window.sum(axis=(1, 2))[order],
                stack.energy[frames][order],
                corner[::-1] + middle,
                covariance + settings.spot_error_px**2 * np.eye(2),
            )
        )
    spot = np.array([part[2] for part in parts])
    return EnergyScan(
        counts=np.concatenate([part[0] for part in parts]),
        energy=np.concatenate([part[1] for part in parts]),
        reflection=np.repeat(np.arange(len(hkl)), [len(part[0]) for part in parts]),
        point=np.full(len(hkl), number, dtype=np.int64),
        hkl=hkl,
        fast=spot[:, 0],
        slow=spot[:, 1],
        covariance=np.array([part[3] for part in parts]),
    )


def joined_scans(scans: Sequence[EnergyScan]) -> EnergyScan:
    """One scan of several, those of later points behind."""
    before = np.cumsum([0, *(len(scan) for scan in scans)])
    return EnergyScan(
        reflection=np.concatenate(
            [scan.reflection + first for scan, first in zip(scans, before[:-1], strict=True)]
        ),
        **{
            name: np.concatenate([getattr(scan, name) for scan in scans])
            for name in ("counts", "energy", "point", "hkl", "fast", "slow", "covariance")
        },
    )


def _expected(
    reciprocal: FloatArray,
    hkl: FloatArray,
    geometry: LaueGeometry,
    reflections: LaueReflections,
) -> tuple[FloatArray, FloatArray]:
    """Recorded places (n, 2), px, and energies (n,), keV."""
    first = predicted(reciprocal, hkl, np.zeros(len(hkl)), geometry.row)
    depth = source_depth(reciprocal, hkl, first.energy, reflections.table, geometry.row)
    spots = predicted(reciprocal, hkl, depth, geometry.row)
    row = geometry.row
    flat = (spots.place - 0.5 * (row[17:19] - 1.0)) * row[15:17]
    points = row[3:6] + flat @ np.stack([row[6:9], row[9:12]])
    fast, slow = pixels_from_laboratory(geometry.instrument.panels[0], points)
    return np.stack([fast, slow], axis=1), spots.energy


def _centre(picture: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean place (fast, slow) in a window above its rim, px, and its covariance by counting."""
    rim = np.concatenate([picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1]])
    net = picture - np.median(rim)
    total = max(float(net.sum()), 1.0)
    slow, fast = np.indices(picture.shape)
    middle = np.array([np.sum(net * fast), np.sum(net * slow)]) / total
    apart = np.stack([fast - middle[0], slow - middle[1]]).reshape(2, -1)
    covariance = (apart * picture.ravel()) @ apart.T / total**2
    return middle, covariance
