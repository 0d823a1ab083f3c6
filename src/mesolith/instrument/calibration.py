"""What a calibration found, and what it could not tell apart.

Positions of spots on a detector know distance, wavelength and lattice parameter almost only as
distance * wavelength / lattice parameter. Which combination the data fix, and how well, stands
beside every calibration (`Scale`), and what remains of it moves all lattices together
(`scale_modes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import beam_on_panels
from mesolith.records.field import CommonMode, Record, nested, quantity

SCALE = ("lattice", "distance", "wavelength")
_RANK = 1e-13


@dataclass(frozen=True, slots=True)
class Scale(Record):
    """Relative changes of lattice parameter, distance and wavelength that the data tell apart.

    Row k of ``combination`` is a unit vector over (lattice, distance, wavelength), each as a
    relative change; ``sigma`` is the standard error of that combination from the data alone,
    without anything known beforehand and with all else fitted too: smallest first, inf where
    the data say nothing at all.
    """

    combination: FloatArray = quantity("combination of relative changes", shape=(3, 3))
    sigma: FloatArray = quantity("standard error of each combination", shape=(3,))


@dataclass(frozen=True, slots=True)
class Calibration(Record):
    """An instrument after calibration.

    ``change`` is how far each named parameter moved from the start, ``covariance`` that of the
    parameters: um, rad, angstrom as in `parameters`, and a relative change for "lattice".
    ``scatter`` is the mean squared residual over the one that the stated errors imply, with which
    the covariance is multiplied already; ``used`` counts spots, pairs or ring points.
    """

    instrument: Instrument = nested()
    name: tuple[str, ...] = quantity("parameter", shape=("parameter",), dtype="str")
    change: FloatArray = quantity(
        "change of each parameter", shape=("parameter",), error="covariance"
    )
    covariance: FloatArray = quantity(
        "covariance of the parameters", shape=("parameter", "parameter")
    )
    scatter: float = quantity("mean squared residual over the stated")
    used: int = quantity("observations", dtype="int64")
    scale: Scale = nested()

    def standard_error(self, name: str) -> FloatArray | None:
        """Standard errors of the parameters, from the diagonal of the covariance."""
        if name == "change":
            return np.sqrt(np.diagonal(self.covariance))
        return Record.standard_error(self, name)

    def sigma(self, name: str) -> float:
        """Standard error of one parameter; ``InvalidValueError`` where it was not fitted."""
        if name not in self.name:
            raise InvalidValueError(
                f"{name} was not calibrated", remedy=f"Calibrated are {', '.join(self.name)}."
            )
        k = self.name.index(name)
        return float(np.sqrt(self.covariance[k, k]))


def scale_from_information(
    information: FloatArray, names: Sequence[str], instrument: Instrument
) -> Scale:
    """What the data alone say of the scale, from the information matrix of all parameters.

    ``information`` (p, p) is J^T J without any prior, ``names`` its parameters, which hold all of
    `SCALE`; all others are marginalised.
    """
    unit = relative_units(instrument)
    size = np.array([unit.get(name, 1.0) for name in names])
    scaled = information * np.outer(size, size)
    own = [names.index(name) for name in SCALE]
    rest = [k for k in range(len(names)) if k not in own]
    inner = scaled[np.ix_(own, own)]
    if rest:
        across = scaled[np.ix_(own, rest)]
        inner = inner - across @ _pseudo_inverse(scaled[np.ix_(rest, rest)]) @ across.T
    values, vectors = np.linalg.eigh((inner + inner.T) / 2.0)
    order = np.argsort(-values)
    values, vectors = values[order], vectors[:, order]
    known = values > _RANK * max(float(values[0]), 0.0)
    sigma = np.full(3, np.inf)
    sigma[known] = 1.0 / np.sqrt(values[known])
    # the wavelength has a part in all three
    signs = np.where(vectors[SCALE.index("wavelength")] < 0.0, -1.0, 1.0)
    return Scale((vectors * signs).T, sigma)


def relative_units(instrument: Instrument) -> dict[str, float]:
    """Size of a relative change by one of each parameter of the scale: um, angstrom, 1."""
    return {
        "lattice": 1.0,
        "distance": float(np.linalg.norm(beam_on_panels(instrument))),
        "wavelength": instrument.beam.wavelength,
    }


def scale_modes(
    instrument: Instrument, lattice: FloatArray, *, sigma: Mapping[str, float]
) -> tuple[CommonMode, ...]:
    """Common modes of all grains' lattices for errors of distance and wavelength.

    Parameters
    ----------
    lattice
        a b c (angstrom), alpha beta gamma of each grain, shape (n, 6).
    sigma
        Standard error of "distance" (um) and "wavelength" (angstrom) that remains.

    A detector that stands farther than believed makes lattices look smaller than they are, and
    so does a longer wavelength: the lengths move with the true value, angles do not.
    """
    unit = relative_units(instrument)
    modes = []
    for name, error in sigma.items():
        if name not in ("distance", "wavelength"):
            raise InvalidValueError(
                f"{name} is no scale of an instrument", remedy="distance or wavelength is."
            )
        derivative = np.zeros_like(lattice)
        derivative[:, :3] = lattice[:, :3] / unit[name]
        internal = "um" if name == "distance" else "angstrom"
        modes.append(CommonMode(name, error, internal, {"lattice": derivative}))
    return tuple(modes)


def _pseudo_inverse(matrix: FloatArray) -> FloatArray:
    size = np.sqrt(np.abs(np.diagonal(matrix)))
    size = np.where(size > 0.0, size, 1.0)
    inverse: FloatArray = np.linalg.pinv(matrix / np.outer(size, size), rcond=_RANK, hermitian=True)
    return inverse / np.outer(size, size)
