"""Attenuation beside tabulated values of NIST (XCOM, Hubbell and Seltzer 1995)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesolith.crystal.absorption import attenuation_coefficient
from mesolith.errors import InvalidValueError
from mesolith.materials.loader import library_files

GERMANIUM = Path(__file__).parents[1] / "laue" / "germanium.cif"


def test_germanium_as_tabulated() -> None:
    # mu / rho of 37.42, 91.52 and 42.22 cm2/g at 10, 15 and 20 keV, 5.323 g/cm3
    tabulated = np.array([37.42, 91.52, 42.22]) * 5.323 * 1e-4
    found = attenuation_coefficient(GERMANIUM, np.array([10.0, 15.0, 20.0]))
    np.testing.assert_allclose(found, tabulated, rtol=0.08)


def test_a_beam_at_45_degrees_reaches_into_garnet() -> None:
    length = 1.0 / attenuation_coefficient(
        library_files("LLZTO-Ia-3d")[1], np.array([10.0, 15.0, 20.0, 24.0])
    )
    # mean depth of the source where the way out is as long as the way in
    np.testing.assert_allclose(0.5 * length, [7.0, 19.0, 29.0, 47.0], rtol=0.05)


def test_energies_beyond_the_table_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="from 2 to 2 keV"):
        attenuation_coefficient(GERMANIUM, np.array([2.0]))
