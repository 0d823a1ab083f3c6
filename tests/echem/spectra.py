"""Spectra with known truth for the tests of impedance."""

from __future__ import annotations

import numpy as np

from mesolith.echem.circuits import Circuit, circuit_from_text

FREQUENCY = np.geomspace(1e6, 0.1, 56)
CELL = circuit_from_text("R0-p(R1,CPE1)-p(R2,CPE2)-W1")
TRUTH = np.array([20.0, 300.0, 3e-9, 0.93, 150.0, 2e-5, 0.8, 30.0])


def noisy(
    rng: np.random.Generator,
    noise: float,
    *,
    circuit: Circuit = CELL,
    truth: np.ndarray = TRUTH,
    frequency: np.ndarray = FREQUENCY,
    tails: int | None = None,
) -> np.ndarray:
    """Impedance with noise in proportion to abs(Z); Student's t of that freedom for ``tails``."""
    z = circuit.impedance(frequency, truth)
    errors = np.array([draws(rng, len(z), tails) for _ in range(2)])
    return z + noise * np.abs(z) * (errors[0] + 1j * errors[1])


def draws(rng: np.random.Generator, n: int, tails: int | None = None) -> np.ndarray:
    """Numbers of variance one: normal, or heavy-tailed."""
    if tails is None:
        return rng.standard_normal(n)
    return rng.standard_t(tails, n) / np.sqrt(tails / (tails - 2.0))
