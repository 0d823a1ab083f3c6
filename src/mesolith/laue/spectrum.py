"""What the analysis assumes of the white beam: photons per energy within a band."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.absorption import attenuation_coefficient
from mesolith.errors import InvalidValueError

STEP_KEV = 0.02


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A band of energies (keV) and the photons per energy in it, a Gaussian.

    The middle and the width (standard deviation) need be right within tens of percent only:
    they rank reflections and weigh harmonics, whose structure factors are surer by no more.
    """

    lowest_kev: float = 5.0
    highest_kev: float = 24.0
    middle_kev: float = 12.0
    width_kev: float = 6.0

    def __post_init__(self) -> None:
        if not (3.0 <= self.lowest_kev < self.highest_kev <= 100.0 and self.width_kev > 0.0):
            raise InvalidValueError(
                f"a band from {self.lowest_kev:g} to {self.highest_kev:g} keV, width "
                f"{self.width_kev:g} keV",
                remedy="Give the band of the beamline, within 3 to 100 keV.",
            )


@dataclass(frozen=True, slots=True)
class EnergyTable:
    """By energy, from 0 in steps of ``STEP_KEV``: seen photons and attenuation length.

    ``photons`` (k,) are those of the spectrum times the attenuation length, which is how much
    of a thick crystal reflects; 0 outside the band. ``length`` (k,) is in um.
    """

    photons: FloatArray
    length: FloatArray


def energy_table(spectrum: Spectrum, cif: Path) -> EnergyTable:
    """Table for a thick crystal of that structure."""
    energy = np.arange(0.0, spectrum.highest_kev + 2.0 * STEP_KEV, STEP_KEV)
    inside = (energy >= spectrum.lowest_kev) & (energy <= spectrum.highest_kev)
    length = np.zeros(len(energy))
    length[inside] = 1.0 / attenuation_coefficient(cif, energy[inside])
    shape = np.exp(-0.5 * ((energy - spectrum.middle_kev) / spectrum.width_kev) ** 2)
    return EnergyTable(photons=np.where(inside, shape * length, 0.0), length=length)
