"""Internal units and the one table that converts at the boundary.

Inside the package: um, rad, s, K, MPa, A (ampere), V, A/m2, C (coulomb), ohm, ohm m2, Hz, keV,
angstrom for crystal lattices, px on a detector, strain without dimension. Readers and writers
convert; nothing else does.
"""

from __future__ import annotations

import math
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mesolith.errors import UnitError

# unit: (internal unit, factor, offset)  internal = value * factor + offset
_TABLE: dict[str, tuple[str, float, float]] = {
    "1": ("1", 1.0, 0.0),
    "percent": ("1", 0.01, 0.0),
    "microstrain": ("1", 1e-6, 0.0),
    "um": ("um", 1.0, 0.0),
    "nm": ("um", 1e-3, 0.0),
    "mm": ("um", 1e3, 0.0),
    "cm": ("um", 1e4, 0.0),
    "m": ("um", 1e6, 0.0),
    "angstrom": ("angstrom", 1.0, 0.0),
    "rad": ("rad", 1.0, 0.0),
    "deg": ("rad", math.pi / 180.0, 0.0),
    "s": ("s", 1.0, 0.0),
    "min": ("s", 60.0, 0.0),
    "h": ("s", 3600.0, 0.0),
    "ms": ("s", 1e-3, 0.0),
    "day": ("s", 86400.0, 0.0),
    "K": ("K", 1.0, 0.0),
    "degC": ("K", 1.0, 273.15),
    "MPa": ("MPa", 1.0, 0.0),
    "GPa": ("MPa", 1e3, 0.0),
    "kPa": ("MPa", 1e-3, 0.0),
    "Pa": ("MPa", 1e-6, 0.0),
    "bar": ("MPa", 0.1, 0.0),
    "A": ("A", 1.0, 0.0),
    "mA": ("A", 1e-3, 0.0),
    "uA": ("A", 1e-6, 0.0),
    "nA": ("A", 1e-9, 0.0),
    "V": ("V", 1.0, 0.0),
    "mV": ("V", 1e-3, 0.0),
    "uV": ("V", 1e-6, 0.0),
    "A/m2": ("A/m2", 1.0, 0.0),
    "mA/cm2": ("A/m2", 10.0, 0.0),
    "uA/cm2": ("A/m2", 0.01, 0.0),
    "C": ("C", 1.0, 0.0),
    "Ah": ("C", 3600.0, 0.0),
    "mAh": ("C", 3.6, 0.0),
    "C/m2": ("C/m2", 1.0, 0.0),
    "mAh/cm2": ("C/m2", 36000.0, 0.0),
    "px": ("px", 1.0, 0.0),
    "um2": ("um2", 1.0, 0.0),
    "mm2": ("um2", 1e6, 0.0),
    "cm2": ("um2", 1e8, 0.0),
    "um3": ("um3", 1.0, 0.0),
    "ohm": ("ohm", 1.0, 0.0),
    "mohm": ("ohm", 1e-3, 0.0),
    "kohm": ("ohm", 1e3, 0.0),
    "Mohm": ("ohm", 1e6, 0.0),
    "ohm m2": ("ohm m2", 1.0, 0.0),
    "ohm cm2": ("ohm m2", 1e-4, 0.0),
    "V/s": ("V/s", 1.0, 0.0),
    "Hz": ("Hz", 1.0, 0.0),
    "mHz": ("Hz", 1e-3, 0.0),
    "kHz": ("Hz", 1e3, 0.0),
    "MHz": ("Hz", 1e6, 0.0),
    "keV": ("keV", 1.0, 0.0),
    "eV": ("eV", 1.0, 0.0),
}


def _entry(unit: str) -> tuple[str, float, float]:
    try:
        return _TABLE[unit]
    except KeyError:
        raise UnitError(
            f"unknown unit {unit!r}", remedy=f"Known units: {', '.join(sorted(_TABLE))}."
        ) from None


def internal_unit(unit: str) -> str:
    """Name of the internal unit that ``unit`` is converted to."""
    return _entry(unit)[0]


@overload
def to_internal(value: float, unit: str) -> float: ...
@overload
def to_internal(value: NDArray[np.float64], unit: str) -> NDArray[np.float64]: ...
def to_internal(value: float | NDArray[np.float64], unit: str) -> float | NDArray[np.float64]:
    """Value in the internal unit of its kind; ``UnitError`` if the unit is unknown."""
    _, factor, offset = _entry(unit)
    return value * factor + offset


@overload
def from_internal(value: float, unit: str) -> float: ...
@overload
def from_internal(value: NDArray[np.float64], unit: str) -> NDArray[np.float64]: ...
def from_internal(value: float | NDArray[np.float64], unit: str) -> float | NDArray[np.float64]:
    """Inverse of `to_internal`."""
    _, factor, offset = _entry(unit)
    return (value - offset) / factor


def convert(value: float, from_unit: str, to_unit: str) -> float:
    """Value in another unit of the same kind; ``UnitError`` for a unit of another kind."""
    if _entry(from_unit)[0] != _entry(to_unit)[0]:
        raise UnitError(f"cannot convert {from_unit} to {to_unit}")
    return from_internal(to_internal(value, from_unit), to_unit)
