"""Valid spectra pass as often as promised; spectra of no steady linear cell are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.echem.circuits import circuit_from_text
from mesolith.echem.kramers_kronig import kramers_kronig_test
from mesolith.errors import InvalidValueError
from mesolith.io.zplot import read_zplot
from tests.echem.spectra import CELL, FREQUENCY, TRUTH, noisy

ARCS = circuit_from_text("p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)")
ARCS_TRUTH = np.array([300.0, 4e-10, 0.97, 150.0, 1e-7, 0.9, 100.0, 2e-5, 0.8])


@pytest.mark.parametrize("tails", [None, 3], ids=["normal", "heavy"])
@pytest.mark.parametrize(("circuit", "truth"), [(CELL, TRUTH), (ARCS, ARCS_TRUTH)])
def test_valid_spectra_pass(circuit: object, truth: np.ndarray, tails: int | None) -> None:
    rng = np.random.default_rng(19)
    found = [
        kramers_kronig_test(FREQUENCY, noisy(rng, 0.004, circuit=circuit, truth=truth, tails=tails))
        for _ in range(60)
    ]
    assert sum(test.verdict == "violated" for test in found) <= 2
    # the test itself, tolerance apart, keeps its level: 10 % of 60, four binomial errors
    assert sum(test.p_value < 0.1 for test in found) <= 15


def test_a_contact_lost_in_mid_sweep_is_found() -> None:
    rng = np.random.default_rng(23)
    worse = TRUTH * np.where([n.startswith("R") for n in CELL.names], 1.15, 1.0)
    late = FREQUENCY < 30.0
    verdicts = []
    for _ in range(20):
        before, after = noisy(rng, 0.004), noisy(rng, 0.004, truth=worse)
        verdicts.append(kramers_kronig_test(FREQUENCY, np.where(late, after, before)).verdict)
    assert verdicts.count("violated") >= 18


def test_parts_of_two_cells_do_not_belong_together() -> None:
    z = noisy(np.random.default_rng(29), 0.002)
    other = noisy(np.random.default_rng(31), 0.002, truth=TRUTH * [1, 1, 3, 1, 1, 1, 1, 1])
    found = kramers_kronig_test(FREQUENCY, z.real + 1j * other.imag)
    assert found.verdict == "violated"
    assert found.disagreement > 0.01
    assert found.noise == pytest.approx(0.002, rel=0.3)


def test_a_significant_trifle_passes_within_the_tolerance() -> None:
    z = noisy(np.random.default_rng(37), 1e-5)
    odd = z.real * (1.0 + 2e-3 * np.sin(3.0 * np.log(FREQUENCY))) + 1j * z.imag
    assert kramers_kronig_test(FREQUENCY, odd).verdict == "valid"
    assert kramers_kronig_test(FREQUENCY, odd).p_value < 1e-6
    assert kramers_kronig_test(FREQUENCY, odd, tolerance=1e-4).verdict == "violated"


def test_order_and_scale_of_the_rows_do_not_matter() -> None:
    z = noisy(np.random.default_rng(41), 0.004)
    found = kramers_kronig_test(FREQUENCY, z)
    turned = kramers_kronig_test(FREQUENCY[::-1], 1e3 * z[::-1])
    assert turned.p_value == pytest.approx(found.p_value, rel=1e-6)
    assert np.allclose(turned.residual, found.residual)
    assert found.frequency[0] == FREQUENCY.max()


def test_too_few_points_or_too_much_noise_say_nothing() -> None:
    z = noisy(np.random.default_rng(43), 0.004)
    few = kramers_kronig_test(FREQUENCY[:7], z[:7])
    assert (few.verdict, len(few.residual)) == ("unclear", 7)
    loud = noisy(np.random.default_rng(47), 0.25)
    assert kramers_kronig_test(FREQUENCY, loud).verdict == "unclear"


def test_values_that_are_no_spectrum_are_refused() -> None:
    z = noisy(np.random.default_rng(0), 0.004)
    with pytest.raises(InvalidValueError, match="not finite"):
        kramers_kronig_test(FREQUENCY, np.where(FREQUENCY > 1e5, np.nan, z))


@pytest.mark.parametrize("name", ["exampleDataZPlot.z", "Circuit1_EIS_1.z", "Circuit3_EIS_1.z"])
def test_measured_spectra_of_dummy_cells_are_valid(
    name: str, measured: Callable[[str], Path]
) -> None:
    sweep = read_zplot(measured(f"echem/impedance.py/{name}"))
    found = kramers_kronig_test(sweep.frequency, sweep.real + 1j * sweep.imaginary)
    assert found.verdict == "valid"
    assert found.disagreement < 0.0015
