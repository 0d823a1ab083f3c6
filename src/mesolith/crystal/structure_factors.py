"""How strongly a crystal diffracts: structure factors, Lorentz and polarisation factors.

Form factors are those of International Tables C (1992, table 6.1.1.4), dispersion corrections
those of Cromer and Liberman (1970, 10.1063/1.1674266); both as gemmi tabulates them. Atoms are
spherical and vibrate alike in all directions.
"""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.symmetry import space_group_of
from mesolith.errors import FileFormatError, InvalidValueError

_LOWEST_KEV, _HIGHEST_KEV = 3.0, 200.0


def structure_factors(cif: Path, hkl: IntArray, energy_kev: float | None) -> NDArray[np.complex128]:
    """Structure factor of each reflection, electrons per unit cell.

    Parameters
    ----------
    cif
        File with one structure: cell, space group, sites with occupancy and ``U_iso``.
    hkl
        Shape (n, 3).
    energy_kev
        Photon energy, 3 to 200 keV; None: no dispersion.

    Returns
    -------
    factors
        Sum over all atoms of the cell of occupancy (f0 + f' + i f'') exp(-8 pi^2 U s^2)
        exp(2 pi i h.x) with s = sin(theta) / wavelength; shape (n,).

    Raises
    ------
    FileFormatError
        The CIF holds no cell or no atoms.
    InvalidValueError
        The energy is out of range.
    """
    if energy_kev is not None and not _LOWEST_KEV <= energy_kev <= _HIGHEST_KEV:
        raise InvalidValueError(
            f"no dispersion corrections are known at {energy_kev:g} keV",
            remedy=f"They are tabulated from {_LOWEST_KEV:g} to {_HIGHEST_KEV:g} keV.",
        )
    structure = read_structure(cif)
    cell = structure.cell
    angles = np.radians([cell.alpha, cell.beta, cell.gamma])
    basis = basis_from_lattice(np.array([cell.a, cell.b, cell.c, *angles]))
    hkl = np.asarray(hkl, dtype=np.int64)
    square = np.sum((hkl @ np.linalg.inv(basis)) ** 2, axis=1) / 4.0
    factors = np.zeros(len(hkl), dtype=np.complex128)
    sites = structure.get_all_unit_cell_sites()
    for key in sorted({(site.element.name, site.u_iso, site.occ) for site in sites}):
        name, u_iso, occupancy = key
        place = np.array(
            [
                [site.fract.x, site.fract.y, site.fract.z]
                for site in sites
                if (site.element.name, site.u_iso, site.occ) == key
            ]
        )
        form = form_factors(name, square, energy_kev)
        damped = occupancy * form * np.exp(-8.0 * np.pi**2 * u_iso * square)
        factors += damped * np.exp(2j * np.pi * (hkl @ place.T)).sum(axis=1)
    return factors


def form_factors(
    element: str, sine_square: FloatArray, energy_kev: float | None
) -> NDArray[np.complex128]:
    """Form factor f0 + f' + i f'' of an atom, electrons.

    ``sine_square`` is (sin(theta) / wavelength)^2 in 1/angstrom^2, shape (n,).
    """
    atom = gemmi.Element(element)
    if atom.it92 is None:
        raise InvalidValueError(f"no form factor is tabulated for {element!r}")
    plain = np.array([atom.it92.calculate_sf(float(value)) for value in sine_square])
    if energy_kev is None:
        return plain.astype(np.complex128)
    real, imaginary = gemmi.cromer_liberman(atom.atomic_number, 1e3 * energy_kev)
    return np.asarray(plain + complex(real, imaginary))


def powder_multiplicity(space_group: int, hkl: IntArray) -> IntArray:
    """Number of reflections equivalent to each hkl (n, 3) in the Laue class, shape (n,)."""
    operations = space_group_of(space_group).operations().sym_ops
    counts = []
    for row in np.asarray(hkl, dtype=np.int64):
        members = {tuple(operation.apply_to_hkl([int(i) for i in row])) for operation in operations}
        counts.append(len(members | {(-h, -k, -m) for h, k, m in members}))
    return np.array(counts, dtype=np.int64)


def lorentz_factor(sin_two_theta: FloatArray, sin_eta: FloatArray) -> FloatArray:
    """Lorentz factor of a rotating crystal: 1 / (sin(2 theta) abs(sin(eta))).

    ``eta`` is the angle between the scattered ray's projection onto a plane across the beam and
    the rotation axis, which stands across the beam. Infinite at the poles.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / (np.asarray(sin_two_theta) * np.abs(sin_eta)))


def polarisation_factor(direction: FloatArray, horizontal: float = 1.0) -> FloatArray:
    """Polarisation factor of rays into ``direction`` (..., 3), laboratory axes, any length.

    ``horizontal`` is the share of the beam (along x) that is polarised along y, the rest is
    along z: 1 for a synchrotron, 0.5 for an unpolarised beam.
    """
    unit = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    across = horizontal * unit[..., 1] ** 2 + (1.0 - horizontal) * unit[..., 2] ** 2
    return np.asarray(1.0 - across)


def powder_intensities(
    cif: Path, hkl: IntArray, energy_kev: float, *, space_group: int
) -> FloatArray:
    """Intensity of the whole powder ring of each family, relative to one another.

    Multiplicity times the mean of abs(F)^2 of hkl and its Friedel mate times 1 / (sin(theta)^2
    cos(theta)): all light of the cone, unpolarised on the mean. ``hkl`` (n, 3), one member of
    each family; families that share a ring are to be added.
    """
    hkl = np.asarray(hkl, dtype=np.int64)
    square = np.abs(structure_factors(cif, hkl, energy_kev)) ** 2
    square = 0.5 * (square + np.abs(structure_factors(cif, -hkl, energy_kev)) ** 2)
    cell = read_structure(cif).cell
    sine = np.array([1.0 / (2.0 * cell.calculate_d([int(i) for i in row])) for row in hkl])
    sine *= 12.398419843320026 / energy_kev
    if np.any(sine >= 1.0):
        raise InvalidValueError(f"a reflection lies beyond backscattering at {energy_kev:g} keV")
    cosine = np.sqrt(1.0 - sine**2)
    polarised = 0.5 * (1.0 + (1.0 - 2.0 * sine**2) ** 2)
    return np.asarray(
        powder_multiplicity(space_group, hkl) * square * polarised / (sine**2 * cosine)
    )


def read_structure(cif: Path) -> gemmi.SmallStructure:
    """The one structure of a CIF; raises ``FileFormatError`` where it has no cell or no atoms."""
    try:
        block = gemmi.cif.read(str(cif)).sole_block()
    except (ValueError, RuntimeError, OSError) as error:
        raise FileFormatError(f"cannot be read as a CIF: {error}", where=str(cif)) from error
    structure = gemmi.make_small_structure_from_block(block)
    if not structure.cell.is_crystal() or not structure.sites:
        raise FileFormatError(
            "has no unit cell or no atoms",
            where=str(cif),
            remedy="Intensities need _cell_length_a ... and the loop of _atom_site_.",
        )
    return structure
