"""The directions in which a phase reflects a white beam, strongest first.

Harmonics fall on one spot, so what is listed are directions, each with its orders. A spot's
strength is the sum over orders of abs(F)^2 / abs(g)^2 times the photons seen at the order's
energy: abs(F)^2 photons / (E sin(theta))^2, as Laue's integrated intensity goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.reflections import allowed_reflections
from mesolith.crystal.structure_factors import structure_factors
from mesolith.crystal.symmetry import space_group_of
from mesolith.errors import InvalidValueError
from mesolith.laue.spectrum import STEP_KEV, EnergyTable, Spectrum, energy_table

_KEV_ANGSTROM = 12.398419843320026


@dataclass(frozen=True, slots=True)
class LaueReflections:
    """Directions of one phase, sorted by the most that their spots can have.

    ``direction`` (n, 3) are unit vectors on crystal axes, ``hkl`` (n, 3) the smallest whole
    numbers along them (``hkl_float`` for kernels), ``length`` (n,) those vectors' lengths,
    1/angstrom. ``start`` (n + 1,) points into ``order`` and ``square`` (m,): the multiples that
    the lattice allows, and abs(F)^2 / abs(g)^2 of each. ``most`` (n,) is the strength at the best
    energy, 1 for the first, and ``scale`` what sums over orders are to be divided by to be
    measured alike; ``family`` (n,) numbers directions that symmetry makes equal, in order.
    """

    name: str
    space_group: int
    lattice: FloatArray
    reciprocal: FloatArray
    direction: FloatArray
    hkl: IntArray
    length: FloatArray
    start: IntArray
    order: IntArray
    square: FloatArray
    most: FloatArray
    scale: float
    family: IntArray
    table: EnergyTable
    hkl_float: FloatArray

    def __len__(self) -> int:
        return len(self.direction)


def laue_reflections(
    cif: Path,
    *,
    name: str,
    space_group: int,
    lattice: FloatArray,
    two_theta: tuple[float, float],
    spectrum: Spectrum | None = None,
    weakest: float = 3e-4,
) -> LaueReflections:
    """Directions of a structure.

    Parameters
    ----------
    cif
        The structure, for its structure factors and its absorption.
    name, space_group
        Of the phase; the space group in its standard setting.
    lattice
        a b c (angstrom), alpha beta gamma (rad), shape (6,), of the strain-free phase.
    two_theta
        Smallest and largest scattering angle on the panel, rad, as `LaueGeometry` has them: which
        energies a reflection can have, and so which are strong, hangs on them.
    spectrum
        Of the beam; None: the default of `Spectrum`.
    weakest
        Directions whose spots reach at most this share of the strongest are left out.

    Raises
    ------
    InvalidValueError, FileFormatError
        The space group or the lattice is none, the band holds no reflection, or the CIF cannot
        be used.
    """
    spectrum = spectrum or Spectrum()
    table = energy_table(spectrum, cif)
    lattice = np.asarray(lattice, dtype=np.float64)
    reciprocal: FloatArray = np.linalg.inv(basis_from_lattice(lattice)).T.astype(np.float64)
    longest = 2.0 * spectrum.highest_kev * np.sin(0.5 * two_theta[1]) / _KEV_ANGSTROM
    hkl, family = _reflections_within(space_group, lattice, reciprocal, longest)
    first = np.unique(family, return_index=True)[1]
    square = np.abs(structure_factors(cif, hkl[first], None)) ** 2
    g_length = np.linalg.norm(hkl @ reciprocal.T, axis=1)
    strength = square[family] / g_length**2
    # an order has the energies that the panel's angles let it have
    low, high = (
        np.rint(_KEV_ANGSTROM * g_length[first] / (2.0 * np.sin(0.5 * angle)) / STEP_KEV)
        for angle in two_theta[::-1]
    )
    best = [
        table.photons[int(a) : int(b) + 1].max(initial=0.0) for a, b in zip(low, high, strict=True)
    ]
    seen = strength * np.array(best)[family]
    if not np.any(seen > 0.0):
        raise InvalidValueError(
            f"{name} has no reflection between {spectrum.lowest_kev:g} and "
            f"{spectrum.highest_kev:g} keV",
            remedy="Check the band, and that the lattice is in angstrom.",
        )
    divisor = np.gcd.reduce(hkl, axis=1)
    primitive, which = np.unique(hkl // divisor[:, None], axis=0, return_inverse=True)
    which = which.ravel()
    most = np.zeros(len(primitive))
    np.maximum.at(most, which, seen)
    keep = np.flatnonzero(most > weakest * most.max())
    keep = keep[np.lexsort((*primitive[keep].T, -np.round(most[keep] / most.max(), 9)))]
    rank = np.full(len(primitive), -1)
    rank[keep] = np.arange(len(keep))
    # orders of the directions kept, those of one direction together
    rows = np.flatnonzero((rank[which] >= 0) & (strength > 1e-3 * weakest * strength.max()))
    rows = rows[np.lexsort((divisor[rows], rank[which[rows]]))]
    start = np.searchsorted(rank[which[rows]], np.arange(len(keep) + 1))
    vectors = primitive[keep] @ reciprocal.T
    length = np.linalg.norm(vectors, axis=1)
    return LaueReflections(
        name=name,
        space_group=space_group,
        lattice=lattice,
        reciprocal=reciprocal,
        direction=vectors / length[:, None],
        hkl=primitive[keep],
        length=length,
        start=start.astype(np.int64),
        order=divisor[rows],
        square=strength[rows] / strength.max(),
        most=most[keep] / most.max(),
        scale=float(most.max() / strength.max()),
        family=_families(space_group, primitive[keep]),
        table=table,
        hkl_float=primitive[keep].astype(np.float64),
    )


@dataclass(frozen=True, slots=True)
class PairTable:
    """Angles between directions of the strongest families, ascending.

    ``angle`` (p,) rad; ``one`` (p,) is a direction that stands for its family and ``two`` (p,)
    any direction of a family as strong or weaker, both rows of the `LaueReflections`.
    """

    angle: FloatArray
    one: IntArray
    two: IntArray


def pair_table(reflections: LaueReflections, *, families: int) -> PairTable:
    """Pairs between that many of the strongest families, whose angle is 6 to 174 deg."""
    rows = np.flatnonzero(reflections.family < families)
    standing = rows[np.unique(reflections.family[rows], return_index=True)[1]]
    angles, ones, twos = [], [], []
    for one in standing:
        two = rows[reflections.family[rows] >= reflections.family[one]]
        cosine = reflections.direction[two] @ reflections.direction[one]
        apart = np.abs(cosine) < np.cos(np.deg2rad(6.0))
        angles.append(np.arccos(cosine[apart]))
        ones.append(np.full(int(apart.sum()), one))
        twos.append(two[apart])
    angle = np.concatenate(angles)
    order = np.argsort(angle, kind="stable")
    return PairTable(angle[order], np.concatenate(ones)[order], np.concatenate(twos)[order])


def _reflections_within(
    space_group: int, lattice: FloatArray, reciprocal: FloatArray, longest: float
) -> tuple[IntArray, IntArray]:
    """Allowed hkl (m, 3) up to that length, and the number (m,) of each one's family."""
    limit = np.floor(lattice[:3] * longest).astype(int)
    grid = np.meshgrid(*(np.arange(-n, n + 1) for n in limit), indexing="ij")
    hkl = np.stack([axis.ravel() for axis in grid], axis=1).astype(np.int64)
    length = np.linalg.norm(hkl @ reciprocal.T, axis=1)
    hkl = hkl[(length > 0.0) & (length <= longest)]
    label = _labels(space_group, hkl)
    first, family = np.unique(label, return_index=True, return_inverse=True)[1:]
    allowed = allowed_reflections(space_group, hkl[first])
    number = np.where(allowed, np.cumsum(allowed) - 1, -1)[family.ravel()]
    return hkl[number >= 0], number[number >= 0]


def _families(space_group: int, hkl: IntArray) -> IntArray:
    """Number of each row's family, in the order in which families first occur."""
    first, family = np.unique(_labels(space_group, hkl), return_index=True, return_inverse=True)[1:]
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return order[family.ravel()]


def _labels(space_group: int, hkl: IntArray) -> IntArray:
    """The same number for all hkl (m, 3) that the Laue class makes equal."""
    base = 2 * int(np.abs(hkl).max(initial=1)) + 1
    weights = np.array([base * base, base, 1], dtype=np.int64)
    label = np.full(len(hkl), np.iinfo(np.int64).min)
    turns = {tuple(map(tuple, operation.rot)) for operation in _operations(space_group)}
    for turn in sorted(turns):
        turned = (hkl @ (np.array(turn) // gemmi.Op.DEN)) @ weights
        np.maximum(label, np.abs(turned), out=label)
    return label


def _operations(space_group: int) -> list[gemmi.Op]:
    return list(space_group_of(space_group).operations().sym_ops)
