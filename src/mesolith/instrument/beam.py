"""The beam: wavelength, direction and the box it fills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.records.field import Record, quantity

# Planck's constant times the velocity of light (exact since the SI of 2019), keV angstrom
ENERGY_TIMES_WAVELENGTH = 12.398419843320026
ALONG_X = (1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Beam(Record):
    """A parallel, monochromatic beam (a Laue beam takes its wavelengths from the spots).

    The box is centred on the laboratory origin, its height along z and its width along y;
    without one the beam is wider than the sample.
    """

    wavelength: float = quantity("wavelength", unit="angstrom")
    direction: FloatArray = quantity("direction of travel", shape=(3,), axes="laboratory")
    spread: float | None = quantity(
        "standard deviation of the energy over the energy", optional=True
    )
    height: float | None = quantity("height of the beam", unit="um", optional=True)
    width: float | None = quantity("width of the beam", unit="um", optional=True)
    polarisation: float | None = quantity(
        "intensity polarised along y minus along z, over their sum", optional=True
    )

    def _check(self) -> None:
        if not (np.isfinite(self.wavelength) and self.wavelength > 0.0):
            raise InvalidValueError(
                f"the wavelength is {self.wavelength} angstrom",
                remedy="It must be positive; 12.3984 / energy in keV.",
            )
        if not abs(float(np.linalg.norm(self.direction)) - 1.0) < 1e-9:
            raise InvalidValueError(
                f"the direction of the beam {self.direction.tolist()} has no unit length"
            )

    @property
    def energy(self) -> float:
        """Photon energy, keV."""
        return ENERGY_TIMES_WAVELENGTH / self.wavelength


def beam_from_energy(
    energy: float,
    *,
    direction: tuple[float, float, float] = ALONG_X,
    spread: float | None = None,
    height: float | None = None,
    width: float | None = None,
    polarisation: float | None = None,
) -> Beam:
    """Beam of that photon energy (keV)."""
    return Beam(
        ENERGY_TIMES_WAVELENGTH / energy,
        np.asarray(direction, dtype=np.float64),
        spread,
        height,
        width,
        polarisation,
    )
