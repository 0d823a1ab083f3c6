"""Lattice with size, from the places of white spots and the energies of a few reflections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, six_from_tensor
from mesolith.errors import InvalidValueError
from mesolith.laue.energy_model import (
    ALONG,
    LATTICE,
    PARAMETERS,
    STRAIN,
    moved_reciprocal,
    predicted,
)
from mesolith.laue.strain import orientation_and_stretch

OFFSET = PARAMETERS  # of the logged energies, eV
_ALL = PARAMETERS + 1
_STEPS = 6
# deviatoric part of six components, the third left to the others
_DEVIATORIC = (
    np.eye(6) - np.outer([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]) / 3.0
)
_FIVE = _DEVIATORIC[[0, 1, 3, 4, 5]]
_ONE_LATTICE = np.eye(_ALL)[:, :PARAMETERS]
# a reference crystal: rotation, size, shift, offset
_REFERENCE = np.stack(
    [
        *np.eye(_ALL)[:3],
        np.concatenate([np.zeros(3), [1.0, 1.0, 1.0], np.zeros(_ALL - 6)]),
        *np.eye(_ALL)[PARAMETERS - 1 :],
    ],
    axis=1,
)
MODES = ("photon energy", "panel fast", "panel slow", "panel distance")


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of one lattice at one point.

    Spots: ``hkl`` (n, 3), ``depth`` (n,) um, ``place`` (n, 2) ideal px, ``variance`` (n, 2) px^2.
    Energies, logged: ``energy_hkl`` (m, 3), ``energy`` (m,) keV, ``energy_variance`` (m,) keV^2.
    """

    hkl: FloatArray
    depth: FloatArray
    place: FloatArray
    variance: FloatArray
    energy_hkl: FloatArray
    energy: FloatArray
    energy_variance: FloatArray


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What is believed before: standard deviations of the shift along the beam (um), the
    deviatoric strain, and, of a reference crystal, of its relative size and of the energies'
    offset (eV)."""

    along: float
    strain: float
    size: float = 0.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class LatticeFit:
    """One lattice refined.

    ``reciprocal`` (3, 3); ``along`` um; ``offset`` eV. ``covariance`` (11, 11) of rotation vector,
    strain, shift, offset. ``modes`` (4, 11) is how these move with an error of 1 in each of
    `MODES` (eV, px, px, um). ``square`` is the sum of squares of the energies' residuals over
    their variances, ``freedom`` what it should be. ``residual`` (m,) keV.
    """

    reciprocal: FloatArray
    along: float
    offset: float
    covariance: FloatArray
    modes: FloatArray
    square: float
    freedom: float
    residual: FloatArray


def refine_lattice(
    reciprocal: FloatArray,
    observed: Observed,
    row: FloatArray,
    reference: FloatArray,
    beliefs: Beliefs,
    *,
    offset: float = 0.0,
    known: bool = False,
) -> LatticeFit:
    """Gauss-Newton from a reciprocal lattice (3, 3), columns a* b* c* on laboratory axes.

    ``reference`` (3, 3) holds the strain-free a, b, c as columns on crystal axes, ``row`` is that
    of the `LaueGeometry`, ``offset`` (eV) is added to the logged energies. ``known``: a reference
    crystal without strain, whose energies tell the offset; its size may differ by the belief.

    Raises
    ------
    InvalidValueError
        Spots and energies are too few.
    """
    basis = _REFERENCE if known else _ONE_LATTICE
    g, along = np.array(reciprocal, dtype=np.float64), 0.0
    for _ in range(_STEPS):
        residual, jacobian, _ = _system(g, along, offset, observed, row)
        pull, pulled = _beliefs(g, along, offset, reference, beliefs, known=known)
        system = np.concatenate([jacobian, pulled]) @ basis
        normal = system.T @ system
        if len(residual) < basis.shape[1] or np.linalg.cond(_scaled(normal)) > 1e12:
            raise InvalidValueError(
                f"{len(observed.place)} spots and {len(observed.energy)} energies do not determine "
                "a lattice",
                remedy="Scan more reflections, or index the white pattern with more peaks.",
            )
        step = basis @ _solved(normal, system.T @ np.concatenate([residual, pull]))
        g = moved_reciprocal(g, step[LATTICE])
        along, offset = along + float(step[ALONG]), offset + float(step[OFFSET])
    residual, jacobian, modes = _system(g, along, offset, observed, row)
    inverse = basis @ _solved(normal, np.eye(len(normal))) @ basis.T
    energies = jacobian[2 * len(observed.place) :]
    left = residual[2 * len(observed.place) :]
    freedom = len(left) - float(np.einsum("mi,ij,mj->", energies, inverse, energies))
    return LatticeFit(
        reciprocal=g,
        along=along,
        offset=offset,
        covariance=inverse,
        modes=modes.T @ jacobian @ inverse,
        square=float(left @ left),
        freedom=freedom,
        residual=left * np.sqrt(observed.energy_variance),
    )


def _system(
    g: FloatArray, along: float, offset: float, observed: Observed, row: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weighted residuals (k,), derivatives of the prediction (k, 11), and by modes (k, 4).

    Places come first, fast and slow in turn, then energies.
    """
    spots = predicted(g, observed.hkl, observed.depth + along, row)
    scanned = predicted(g, observed.energy_hkl, np.zeros(len(observed.energy)), row)
    count = 2 * len(observed.place)
    total = count + len(observed.energy)
    jacobian, modes = np.zeros((total, _ALL)), np.zeros((total, len(MODES)))
    jacobian[:count, :PARAMETERS] = spots.place_by.reshape(count, PARAMETERS)
    jacobian[count:, :PARAMETERS] = scanned.energy_by
    jacobian[count:, OFFSET] = modes[count:, 0] = -1e-3
    modes[:count:2, 1] = modes[1:count:2, 2] = -1.0
    modes[:count, 3] = spots.place_by_distance.ravel()
    residual = np.concatenate(
        [
            (observed.place - spots.place).ravel(),
            observed.energy + 1e-3 * offset - scanned.energy,
        ]
    )
    weight = 1.0 / np.sqrt(np.concatenate([observed.variance.ravel(), observed.energy_variance]))
    return residual * weight, jacobian * weight[:, None], modes * weight[:, None]


def _beliefs(
    g: FloatArray,
    along: float,
    offset: float,
    reference: FloatArray,
    beliefs: Beliefs,
    *,
    known: bool,
) -> tuple[FloatArray, FloatArray]:
    """Residuals and derivatives of what is believed, as further observations."""
    vectors: FloatArray = np.linalg.inv(g).T.astype(np.float64)
    _, stretch = orientation_and_stretch(vectors, reference)
    six = six_from_tensor(stretch - np.eye(3))
    unit = np.eye(_ALL)
    pull, rows = [-along / beliefs.along], [unit[ALONG] / beliefs.along]
    if known:
        size = float(six[:3].mean())
        pull += [-size / beliefs.size, -offset / beliefs.offset]
        # the basis moves all three diagonal components alike
        rows += [unit[STRAIN][0] / beliefs.size, unit[OFFSET] / beliefs.offset]
    elif np.isfinite(beliefs.strain):
        five = np.zeros((5, _ALL))
        five[:, STRAIN] = _FIVE
        pull += list(-(_FIVE @ six) / beliefs.strain)
        rows += list(five / beliefs.strain)
    return np.array(pull), np.stack(rows)


def _scaled(normal: FloatArray) -> FloatArray:
    size = np.sqrt(np.maximum(np.diagonal(normal), 1e-300))
    return normal / np.outer(size, size)


def _solved(normal: FloatArray, right: FloatArray) -> FloatArray:
    """Solution of the normal equations, columns brought to one length first."""
    size = np.sqrt(np.diagonal(normal))
    scaled = np.linalg.solve(normal / np.outer(size, size), (right.T / size).T)
    return np.asarray((scaled.T / size).T)
