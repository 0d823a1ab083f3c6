"""Powders of certified lattice parameter, at 22.5 degrees C."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.reflections import rings
from mesolith.errors import InputError
from mesolith.materials.loader import load_material

_RIGHT = math.pi / 2.0


@dataclass(frozen=True, slots=True)
class Calibrant:
    """A powder: space group, lattice a b c (angstrom) alpha beta gamma (rad), and its source."""

    name: str
    space_group: int
    lattice: FloatArray
    source: str


def _cubic(name: str, group: int, a: float, source: str) -> Calibrant:
    return Calibrant(name, group, np.array([a, a, a, _RIGHT, _RIGHT, _RIGHT]), source)


CALIBRANTS = (
    _cubic("CeO2", 225, 5.411651, "NIST SRM 674b"),
    _cubic("LaB6", 221, 4.156826, "NIST SRM 660c"),
    _cubic("Si", 227, 5.431179, "NIST SRM 640e"),
    Calibrant(
        "Al2O3",
        167,
        np.array([4.759091, 4.759091, 12.991779, _RIGHT, _RIGHT, 2.0 * math.pi / 3.0]),
        "NIST SRM 676a",
    ),
)


def calibrant(name: str) -> Calibrant:
    """The certified powder of that name (CeO2, LaB6, Si, Al2O3), or that of a CIF file.

    Raises ``InputError`` where there is none, and what `load_material` raises of a CIF.
    """
    for known in CALIBRANTS:
        if known.name.lower() == name.lower():
            return known
    if name.lower().endswith(".cif"):
        material = load_material(Path(name))
        return Calibrant(material.name, material.space_group, material.lattice, Path(name).name)
    names = ", ".join(known.name for known in CALIBRANTS)
    raise InputError(
        f"no calibrant is called {name!r}", remedy=f"Known: {names}; or give a CIF file."
    )


def calibrant_spacings(powder: Calibrant, *, d_min: float) -> FloatArray:
    """d of the powder's rings down to ``d_min`` (angstrom), largest first, shape (rings,)."""
    return np.array([d for d, _ in rings(powder.space_group, powder.lattice, d_min)])
