"""Attenuation beside the tables of Elam, Ravel and Sieber (2002, 10.1016/S0969-806X(01)00227-4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesolith.crystal.absorption import attenuation_coefficient
from mesolith.errors import InvalidValueError
from mesolith.materials.loader import library_files

GERMANIUM = Path(__file__).parents[1] / "laue" / "germanium.cif"


def test_germanium_as_tabulated() -> None:
    # mu / rho in cm2/g, on both sides of the edge at 11.1 keV, as xraydb 4.5.8 has them
    energy = np.array([8.0478, 10.0, 12.0, 15.0, 20.0])
    photoelectric = np.array([65.66, 35.72, 161.30, 90.43, 41.45])
    total = np.array([67.80, 37.43, 162.69, 91.51, 42.23])
    found = attenuation_coefficient(GERMANIUM, energy) / (5.323 * 1e-4)
    np.testing.assert_allclose(found, photoelectric, rtol=0.035)
    np.testing.assert_allclose(found, total, rtol=0.08)


def test_a_beam_at_45_degrees_reaches_into_garnet() -> None:
    length = 1.0 / attenuation_coefficient(
        library_files("LLZTO-Ia-3d")[1], np.array([10.0, 15.0, 20.0, 24.0])
    )
    # mean depth of the source where the way out is as long as the way in
    np.testing.assert_allclose(0.5 * length, [7.0, 19.0, 29.0, 47.0], rtol=0.05)


def test_energies_beyond_the_table_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="from 2 to 2 keV"):
        attenuation_coefficient(GERMANIUM, np.array([2.0]))
