"""Circuits from strings: textbook impedances, derivatives, limits, and strings that are none."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.echem.circuits import circuit_from_text
from mesolith.errors import InvalidValueError

F = np.geomspace(1e6, 0.1, 15)
OMEGA = 2.0 * np.pi * F


def test_a_randles_cell_is_the_textbooks() -> None:
    circuit = circuit_from_text("R0-p(R1-W1,C1)")
    assert circuit.names == ("R0", "R1", "W1", "C1")
    branch = 100.0 + 40.0 * (1.0 - 1.0j) / np.sqrt(OMEGA)
    expected = 20.0 + branch / (1.0 + 1j * OMEGA * 1e-5 * branch)
    found = circuit.impedance(F, np.array([20.0, 100.0, 40.0, 1e-5]))
    assert np.allclose(found, expected, rtol=1e-13)


def test_a_cpe_with_exponent_one_is_a_capacitance() -> None:
    cpe = circuit_from_text("p(R1,CPE1)").impedance(F, np.array([50.0, 1e-6, 1.0]))
    c = circuit_from_text("p(R1,C1)").impedance(F, np.array([50.0, 1e-6]))
    assert np.allclose(cpe, c, rtol=1e-12)
    assert np.all(c.imag < 0.0)


def test_finite_diffusion_has_its_limits() -> None:
    sink, wall = circuit_from_text("Ws1"), circuit_from_text("Wo1")
    own = np.array([30.0, 2.0])
    slow, fast = np.array([1e-5]), np.array([1e4])
    assert sink.impedance(slow, own)[0] == pytest.approx(30.0, rel=1e-3)
    assert wall.impedance(slow, own)[0].imag == pytest.approx(
        -30.0 / (2.0 * np.pi * 1e-5 * 2.0), rel=1e-3
    )
    for finite in (sink, wall):
        warburg = circuit_from_text("W1").impedance(fast, np.array([30.0 / np.sqrt(4.0)]))
        assert finite.impedance(fast, own)[0] == pytest.approx(warburg[0], rel=1e-3)


def test_derivatives_are_those_of_finite_differences() -> None:
    circuit = circuit_from_text("L0-R0-p(R1,CPE1)-p(R2-W1,C2)-Ws1-Wo2")
    values = np.array([1e-6, 10.0, 100.0, 1e-6, 0.8, 50.0, 20.0, 1e-4, 30.0, 0.5, 22.0, 3.0])
    _, derivatives = circuit.impedance_and_derivatives(F, values)
    for k in range(len(values)):
        step = np.zeros(len(values))
        step[k] = 1e-6 * values[k]
        difference = circuit.impedance(F, values + step) - circuit.impedance(F, values - step)
        numeric = difference / (2.0 * step[k])
        assert np.max(np.abs(numeric - derivatives[k])) < 1e-8 * np.max(np.abs(numeric))


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("R0-p(R1,CPE1)-W1", [10.0, 20.0, 1e-6, 0.9, 5.0], 30.0),
        ("R0-CPE1", [10.0, 1e-6, 0.9], np.inf),
        ("p(R1,R2-C1,R3)", [30.0, 5.0, 1e-6, 60.0], 20.0),
        ("R0-Ws1-L1", [10.0, 7.0, 1.0, 1e-6], 17.0),
        ("p(R1,L1)", [30.0, 1e-6], 0.0),
    ],
)
def test_direct_resistance(text: str, values: list[float], expected: float) -> None:
    found, gradient = circuit_from_text(text).direct_resistance(np.array(values))
    assert found == pytest.approx(expected)
    assert gradient.shape == (len(values),)


def test_gradient_of_the_direct_resistance() -> None:
    _, gradient = circuit_from_text("R0-p(R1,R2)").direct_resistance(np.array([1.0, 30.0, 60.0]))
    assert np.allclose(gradient, [1.0, (20.0 / 30.0) ** 2, (20.0 / 60.0) ** 2])


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("", 1),
        ("R0-", 4),
        ("R0--R1", 4),
        ("R0-p(R1)", 8),
        ("R0-p(R1,C1", 11),
        ("R0-X1", 4),
        ("R0-R0", 4),
        ("R0 R1", 4),
        ("R0-p(R1,C1))", 12),
    ],
)
def test_strings_that_are_no_circuit_say_where(text: str, character: int) -> None:
    with pytest.raises(InvalidValueError, match=f"from its character {character} on"):
        circuit_from_text(text)
