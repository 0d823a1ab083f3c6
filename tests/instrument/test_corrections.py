"""Factors of intensity against cases that are exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.corrections import lorentz_from_rate, polarisation_factor, solid_angle
from mesolith.instrument.goniometer import UPRIGHT
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.predict import predict_spots
from mesolith.instrument.scattering import angles_from_laboratory, laboratory_from_spots
from tests.instrument.setups import crooked, strained_grains


def test_lorentz_is_that_of_an_upright_axis() -> None:
    one = Instrument(beam_from_energy(76.2), UPRIGHT, crooked().panels)
    lattice, _ = strained_grains(40)
    hkl = np.array([[4, 0, 0], [3, 2, 1], [0, 2, 4]])
    found = predict_spots(one, lattice, np.zeros((40, 3)), hkl)
    hit = found.panel >= 0
    points = laboratory_from_spots(one, found.panel[hit], found.fast[hit], found.slow[hit])
    two_theta, eta = angles_from_laboratory(one, points)
    wanted = 1.0 / np.abs(np.sin(two_theta) * np.sin(eta))
    np.testing.assert_allclose(lorentz_from_rate(found.rate[hit]), wanted, rtol=1e-8)
    np.testing.assert_allclose(found.rate[hit], np.sin(two_theta) * np.sin(eta), rtol=1e-8)
    assert lorentz_from_rate(np.zeros(1))[0] == np.inf


def test_polarisation_darkens_rays_along_the_field() -> None:
    beam = beam_from_energy(20.0, polarisation=1.0)
    angle = np.deg2rad(90.0)
    along = np.array([[np.cos(angle), np.sin(angle), 0.0], [np.cos(angle), 0.0, np.sin(angle)]])
    np.testing.assert_allclose(polarisation_factor(beam, 1e5 * along), [0.0, 1.0], atol=1e-12)
    even = replace(beam, polarisation=0.0)
    points = np.random.default_rng(0).normal(size=(50, 3))
    cosine = points[:, 0] / np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(polarisation_factor(even, points), (1.0 + cosine**2) / 2.0)
    with pytest.raises(InvalidValueError, match="polarisation of the beam is not known"):
        polarisation_factor(beam_from_energy(20.0), points)


def test_solid_angles_of_a_panel_add_up_to_what_it_covers() -> None:
    """A square panel of half side a at distance d covers 4 atan(a^2 / (d sqrt(d^2 + 2 a^2)))."""
    half, distance, pixels = 1.0e5, 8.0e4, 400
    panel = replace(
        crooked().panels[0],
        shape=np.array([pixels, pixels]),
        pitch=np.array([2.0 * half / pixels] * 2),
        origin=np.array([distance, 0.0, 0.0]),
        rotation=np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    )
    slow, fast = np.mgrid[:pixels, :pixels].astype(float)
    root = distance * np.sqrt(distance**2 + 2.0 * half**2)
    exact = 4.0 * np.arctan(half**2 / root)
    assert solid_angle(panel, fast, slow).sum() == pytest.approx(exact, rel=1e-5)
