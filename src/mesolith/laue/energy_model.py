"""Where a reflection falls and at which energy, and how both change with lattice and place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import SIX, FloatArray
from mesolith.laue.spectrum import STEP_KEV, EnergyTable

KEV_ANGSTROM = 12.398419843320026
# rotation vector (3), strain 11 22 33 23 13 12 (6), shift of the source along the beam (um)
LATTICE = slice(0, 9)
STRAIN = slice(3, 9)
ALONG = 9
PARAMETERS = 10


def _generators() -> FloatArray:
    """Change of a reciprocal vector per parameter, matrices (9, 3, 3)."""
    made = np.zeros((9, 3, 3))
    for k, axis in enumerate(np.eye(3)):
        made[k] = np.cross(axis, np.eye(3)).T
    for k, (i, j) in enumerate(SIX):
        made[3 + k, i, j] = made[3 + k, j, i] = -1.0
    return made


_GENERATORS = _generators()


@dataclass(frozen=True, slots=True)
class Predicted:
    """Places (n, 2), ideal px, and energies (n,), keV, of reflections, with derivatives.

    ``place_by`` (n, 2, 10) and ``energy_by`` (n, 10) are by rotation vector, strain and shift of
    the source along the beam; ``place_by_distance`` (n, 2) by the distance of the panel along
    its normal, away from the sample, px per um.
    """

    place: FloatArray
    energy: FloatArray
    place_by: FloatArray
    energy_by: FloatArray
    place_by_distance: FloatArray


def predicted(
    reciprocal: FloatArray, hkl: FloatArray, depth: FloatArray, row: FloatArray
) -> Predicted:
    """Prediction for a reciprocal lattice (3, 3), columns a* b* c* in 1/angstrom.

    ``hkl`` (n, 3) as numbers, ``depth`` (n,) um along the beam, ``row`` of a `LaueGeometry`.
    """
    beam, middle, normal = row[0:3], row[3:6], row[12:15]
    g = hkl @ reciprocal.T
    length = np.linalg.norm(g, axis=1)
    q = g / length[:, None]
    sine = -q @ beam
    energy = 0.5 * KEV_ANGSTROM * length / sine
    ray = beam + 2.0 * sine[:, None] * q
    start = depth[:, None] * beam
    towards = ray @ normal
    reach = (middle - start) @ normal / towards
    hit = start + reach[:, None] * ray - middle
    axes = np.stack([row[6:9] / row[15], row[9:12] / row[16]])
    place = hit @ axes.T + 0.5 * (row[17:19] - 1.0)
    # derivatives by the nine of the lattice
    dg = np.einsum("pij,nj->npi", _GENERATORS, g)
    dq = (dg - np.einsum("npi,ni->np", dg, q)[..., None] * q[:, None, :]) / length[:, None, None]
    dsine = -dq @ beam
    dray = 2.0 * (dsine[..., None] * q[:, None, :] + sine[:, None, None] * dq)
    dhit = reach[:, None, None] * (
        dray - ((dray @ normal) / towards[:, None])[..., None] * ray[:, None, :]
    )
    place_by = np.empty((len(g), 2, PARAMETERS))
    place_by[:, :, LATTICE] = np.einsum("ai,npi->nap", axes, dhit)
    shifted = beam - (beam @ normal / towards)[:, None] * ray
    place_by[:, :, ALONG] = shifted @ axes.T
    energy_by = np.zeros((len(g), PARAMETERS))
    dlength = np.einsum("npi,ni->np", dg, q)
    energy_by[:, LATTICE] = energy[:, None] * (dlength / length[:, None] - dsine / sine[:, None])
    side = np.sign(middle @ normal)
    by_distance = (side / towards)[:, None] * ray @ axes.T
    return Predicted(place, energy, place_by, energy_by, by_distance)


def source_depth(
    reciprocal: FloatArray, hkl: FloatArray, energy: FloatArray, table: EnergyTable, row: FloatArray
) -> FloatArray:
    """Mean depth (n,) along the beam, um, from which reflections at those energies come."""
    beam, surface = row[0:3], row[19:22]
    g = hkl @ reciprocal.T
    q = g / np.linalg.norm(g, axis=1, keepdims=True)
    ray = beam - 2.0 * (q @ beam)[:, None] * q
    into, out = -beam @ surface, ray @ surface
    length = np.interp(energy, STEP_KEV * np.arange(len(table.length)), table.length)
    return np.asarray(length / (1.0 + into / np.maximum(out, 0.02)))


def moved_reciprocal(reciprocal: FloatArray, step: FloatArray) -> FloatArray:
    """A reciprocal lattice after a small rotation and strain (9,) of its crystal."""
    change = np.einsum("p,pij->ij", step, _GENERATORS)
    return np.asarray(np.linalg.inv(np.eye(3) - change) @ reciprocal)
