"""Which reflections of an indexed point to scan, so that the lattice's size is known best."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.laue.energy import IndexedPoint
from mesolith.laue.energy_model import ALONG, PARAMETERS, STRAIN, predicted
from mesolith.laue.energy_settings import EnergySettings
from mesolith.laue.geometry import LaueGeometry

_SIZE = np.zeros(PARAMETERS)
_SIZE[STRAIN] = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]) / 3.0


def reflections_to_scan(
    geometry: LaueGeometry,
    point: IndexedPoint,
    count: int = 6,
    settings: EnergySettings | None = None,
    *,
    lowest_kev: float = 8.0,
    highest_kev: float = 20.0,
    brightest: int = 40,
) -> IntArray:
    """Rows (count,) of the assignment whose energies tell the lattice's size best, in order.

    Among the ``brightest`` spots that no other grain shares and whose strongest harmonic lies
    between the two energies, one after the other is taken that leaves the smallest error of the
    hydrostatic strain, with the height unknown as the settings say.

    Raises
    ------
    InvalidValueError
        There are fewer such spots than asked for.
    """
    settings = settings or EnergySettings()
    assignment = point.found.assignment
    own = np.flatnonzero(
        (assignment.grain == point.grain) & ~assignment.shared & (assignment.weight > 0.0)
    )
    inside = own[(assignment.energy[own] > lowest_kev) & (assignment.energy[own] < highest_kev)]
    inside = inside[np.argsort(-point.peaks.strength[assignment.peak[inside]], kind="stable")]
    inside = inside[:brightest]
    if len(inside) < count:
        raise InvalidValueError(
            f"{len(inside)} spots of grain {point.grain} are its own and have energies between "
            f"{lowest_kev:g} and {highest_kev:g} keV; {count} are wanted",
            remedy="Widen the range of energies, or scan fewer reflections.",
        )
    reciprocal = np.linalg.inv(point.found.grains.lattice_vectors[point.grain]).T
    white = predicted(
        reciprocal, assignment.hkl[own].astype(np.float64), assignment.depth[own], geometry.row
    )
    jacobian = white.place_by.reshape(-1, PARAMETERS) / settings.position_error_px
    normal = jacobian.T @ jacobian + 1e-6 * np.eye(PARAMETERS)
    normal[ALONG, ALONG] += 1.0 / settings.height_um**2
    scanned = predicted(
        reciprocal, assignment.hkl[inside].astype(np.float64), assignment.depth[inside],
        geometry.row,
    )  # fmt: skip
    rows = scanned.energy_by / (1e-3 * settings.random_ev)
    return inside[_best(normal, rows, count)]


def _best(normal: FloatArray, rows: FloatArray, count: int) -> IntArray:
    """Rows (count,) that one after the other shrink the variance of the size most."""
    covariance = np.linalg.inv(normal)
    left = np.ones(len(rows), dtype=np.bool_)
    chosen = []
    for _ in range(count):
        moved = rows @ covariance
        gain = (moved @ _SIZE) ** 2 / (1.0 + np.einsum("np,np->n", moved, rows))
        best = int(np.argmax(np.where(left, gain, -1.0)))
        chosen.append(best)
        left[best] = False
        covariance -= np.outer(moved[best], moved[best]) / (1.0 + moved[best] @ rows[best])
    return np.array(chosen, dtype=np.int64)
