"""What a file of grains amounts to, and what has to be said beside formats that say little."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice, lattice_from_basis
from mesolith.errors import InvalidValueError, OrientationError
from mesolith.io.finding import Finding
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.grains import GrainMap, Phases


@dataclass(frozen=True, slots=True)
class GrainFile:
    """A grain map, the file's global position (um), and what was noticed while reading it."""

    grain_map: GrainMap
    findings: tuple[Finding, ...]
    global_position: float = 0.0


@dataclass(frozen=True, slots=True)
class GrainErrors:
    """Standard errors of each component (um, rad, 1), for formats that state none.

    ``source`` is "assumed" or "given".
    """

    position: float = 20.0
    orientation: float = 0.1 * np.pi / 180.0
    strain: float = 1e-4
    source: str = "assumed"

    def covariance(self, grains: int) -> FloatArray:
        """The same diagonal matrix for each grain, shape (grains, 12, 12)."""
        sigmas = np.repeat([self.position, self.orientation, self.strain], [3, 3, 6])
        return np.tile(np.diag(sigmas**2), (grains, 1, 1))


def one_phase(space_group: int, lattice: FloatArray) -> Phases:
    """Phases of a map of one phase; ``lattice`` a b c in angstrom, angles in rad, shape (6,)."""
    return Phases(
        name=(f"space group {space_group}",),
        space_group=np.array([space_group]),
        lattice=np.asarray(lattice, dtype=np.float64)[None],
    )


def split_basis(bases: FloatArray, places: list[str]) -> tuple[FloatArray, FloatArray]:
    """Lattice (n, 6) and orientation quaternion (n, 4) of lattice vectors on sample axes.

    ``bases`` has the columns a, b, c in angstrom, shape (n, 3, 3); ``places`` says for each
    grain where it stands: file and line, or data set.

    Raises
    ------
    InvalidValueError
        A number is NaN, or no lattice parameter in angstrom.
    OrientationError
        The vectors are left-handed.
    """
    lengths = np.linalg.norm(bases, axis=1)
    wrong = ~((lengths > 1.5) & (lengths < 500.0)).all(axis=1)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise InvalidValueError(
            f"{int(wrong.sum())} of {len(wrong)} grains have no lattice in angstrom "
            f"(here {np.round(lengths[first], 6).tolist()})",
            where=places[first],
            remedy="Correct or remove these grains; lengths are written in angstrom.",
        )
    volume = np.linalg.det(bases) / np.prod(lengths, axis=1)
    if np.any(volume < 0.0):
        first = int(np.argmax(volume < 0.0))
        raise OrientationError(
            f"{int((volume < 0.0).sum())} of {len(volume)} grains have left-handed axes",
            where=places[first],
            remedy="An axis is mirrored: check the detector's and the sample's axes in the "
            "reduction.",
        )
    if np.any(volume < 1e-3):
        first = int(np.argmax(volume < 1e-3))
        raise InvalidValueError(
            "the lattice vectors of a grain lie in one plane",
            where=places[first],
            remedy="Correct this grain, or remove it.",
        )
    lattice = lattice_from_basis(bases)
    return lattice, quaternion_from_matrix(bases @ np.linalg.inv(basis_from_lattice(lattice)))
