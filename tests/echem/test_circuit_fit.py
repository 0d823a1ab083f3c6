"""Circuits are recovered from noisy spectra, and their intervals hold what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.echem.circuit_fit import (
    arcs_of,
    direct_resistance,
    fit_circuit,
    role_of_capacitance,
)
from mesolith.echem.circuits import circuit_from_text
from mesolith.errors import InvalidValueError
from mesolith.io.zplot import read_zplot
from tests.echem.spectra import CELL, FREQUENCY, TRUTH, noisy


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        (CELL.text, TRUTH),
        ("p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)", [300, 4e-10, 0.97, 150, 1e-7, 0.9, 100, 2e-5, 0.8]),
        ("R0-p(R1-W1,CPE1)", [20, 100, 40, 2e-5, 0.85]),
        ("L0-R0-p(R1,C1)-Ws1", [1e-6, 20, 100, 1e-6, 50, 2.0]),
    ],
)
def test_found_without_a_first_guess(text: str, truth: list[float]) -> None:
    circuit = circuit_from_text(text)
    exact = circuit.impedance(FREQUENCY, np.array(truth))
    found = fit_circuit(circuit, FREQUENCY[::-1], exact[::-1])
    assert found.converged
    assert not found.at_bound.any()
    assert np.allclose(found.values, truth, rtol=1e-5)


def test_the_fast_arc_comes_first_and_the_answer_repeats() -> None:
    z = noisy(np.random.default_rng(2), 0.005)
    found, again = (fit_circuit(CELL, FREQUENCY, z) for _ in range(2))
    assert np.array_equal(found.values, again.values)
    assert [arc.time_constant for arc in arcs_of(found)] == sorted(
        arc.time_constant for arc in arcs_of(found)
    )


@pytest.mark.parametrize(
    ("tails", "least", "most"), [(None, 0.60, 0.76), (3, 0.55, 0.80)], ids=["normal", "heavy"]
)
def test_intervals_of_circuit_elements_cover(tails: int | None, least: float, most: float) -> None:
    rng = np.random.default_rng(61)
    inside, sigma, error = [], [], []
    for _ in range(220):
        found = fit_circuit(CELL, FREQUENCY, noisy(rng, 0.01, tails=tails), start=TRUTH * 1.05)
        ends = found.interval(0.68)
        inside.append((ends[:, 0] <= TRUTH) & (ends[:, 1] >= TRUTH))
        sigma.append(found.standard_error / TRUTH)
        error.append(found.values / TRUTH - 1.0)
    covered = np.mean(inside, axis=0)
    assert least <= covered.mean() <= most
    assert np.all(np.abs(covered - 0.68) < 0.13)  # four binomial errors, each element by itself
    width = np.median(sigma, axis=0) / np.sqrt(np.mean(np.square(error), axis=0))
    assert np.all(width < 1.3)


def test_halving_the_noise_halves_the_errors() -> None:
    errors = [
        fit_circuit(
            CELL, FREQUENCY, noisy(np.random.default_rng(8), noise), start=TRUTH
        ).standard_error
        for noise in (0.004, 0.002)
    ]
    assert np.allclose(errors[0] / errors[1], 2.0, rtol=0.1)


def test_errors_grow_where_the_circuit_does_not_describe_the_spectrum() -> None:
    z = noisy(np.random.default_rng(3), 0.001)
    right = fit_circuit(CELL, FREQUENCY, z)
    wrong = fit_circuit("R0-p(R1,CPE1)-W1", FREQUENCY, z)
    assert right.inflation == 1.0
    assert wrong.inflation > 2.0
    assert wrong.noise > 10.0 * right.noise


def test_arcs_have_the_capacitance_of_their_time_constant() -> None:
    truth = np.array([300.0, 4e-10, 1.0, 100.0, 2e-5, 0.8])
    circuit = circuit_from_text("p(R1,CPE1)-p(R2,CPE2)")
    z = noisy(np.random.default_rng(4), 0.002, circuit=circuit, truth=truth)
    bulk, interface = arcs_of(fit_circuit(circuit, FREQUENCY, z))
    assert bulk.name == "R1"
    assert abs(bulk.capacitance - 4e-10) < 4.0 * bulk.capacitance_se
    tau = (100.0 * 2e-5) ** (1.0 / 0.8)
    assert abs(interface.time_constant - tau) < 4.0 * interface.time_constant_se
    assert abs(interface.capacitance - tau / 100.0) < 4.0 * interface.capacitance_se
    assert interface.capacitance_se < 0.05 * interface.capacitance


def test_the_direct_resistance_is_surer_than_its_parts() -> None:
    truth = np.array([300.0, 4e-8, 0.9, 100.0, 4e-7, 0.9])
    circuit = circuit_from_text("p(R1,CPE1)-p(R2,CPE2)")
    z = noisy(np.random.default_rng(6), 0.003, circuit=circuit, truth=truth)
    found = fit_circuit(circuit, FREQUENCY, z)
    total, error = direct_resistance(found)
    assert abs(total - 400.0) < 4.0 * error
    assert error < 0.5 * found.standard_error[0]


@pytest.mark.parametrize(
    ("capacitance", "role"), [(4e-12, "bulk"), (1e-9, "grain boundary"), (4e-6, "interface")]
)
def test_roles_do_not_hang_on_the_size_of_the_sample(capacitance: float, role: str) -> None:
    for area in (1.0, 10.0, 100.0):  # mm2; a pellet of 1 cm2 over 1 cm is the table's
        scaled = capacitance * area / 100.0 / 0.1
        assert role_of_capacitance(scaled, thickness_um=1000.0, area_mm2=area) == role


def test_bad_spectra_are_refused() -> None:
    z = noisy(np.random.default_rng(0), 0.01)
    with pytest.raises(InvalidValueError, match="56 frequencies beside 55"):
        fit_circuit(CELL, FREQUENCY, z[1:])
    with pytest.raises(InvalidValueError, match="not finite"):
        fit_circuit(CELL, FREQUENCY, np.where(FREQUENCY > 1e5, np.nan, z))
    with pytest.raises(InvalidValueError, match="6 numbers cannot determine 8 parameters"):
        fit_circuit(CELL, FREQUENCY[:3], z[:3])
    with pytest.raises(InvalidValueError, match="starting values"):
        fit_circuit(CELL, FREQUENCY, z, start=np.ones(3))


def test_a_measured_spectrum_is_two_arcs(measured: Callable[[str], Path]) -> None:
    """29 points, Re 109.009 to 645.479 ohm: made of ideal arcs, so they fit to the last digit."""
    sweep = read_zplot(measured("echem/pyimpspec/data.z"))
    z = sweep.real + 1j * sweep.imaginary
    found = fit_circuit("R0-p(R1,CPE1)-p(R2,CPE2)", sweep.frequency, z)
    assert found.noise < 1e-5
