"""Every sweep gets a verdict and a circuit; what cannot be fitted says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.echem.circuit_choice import choose_circuit
from mesolith.echem.circuits import circuit_from_text
from mesolith.echem.impedance import Geometry, compute, fits_of_impedance
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.work import Remark, Source, Work, read_remarks
from mesolith.records.cycling import Cycling, Impedance
from mesolith.records.spectra import ImpedanceFits
from tests.echem.spectra import CELL, FREQUENCY, TRUTH, noisy

# a pellet of 1 mm on 1 cm2: bulk in series, grain boundaries 6 nF, interface 90 uF
THICKNESS_UM, AREA_MM2 = 1000.0, 100.0
TWO_ARCS = "R0-p(R1,CPE1)-p(R2,CPE2)"


def impedance_of(*sweeps: np.ndarray, frequency: np.ndarray = FREQUENCY) -> Impedance:
    """Sweeps over one grid of frequencies, 1000 s apart."""
    count = len(frequency)
    z = np.concatenate(sweeps)
    return Impedance(
        sweep=np.repeat(np.arange(len(sweeps)), count),
        time=np.concatenate([1000.0 * k + np.arange(count) for k in range(len(sweeps))]),
        frequency=np.tile(frequency, len(sweeps)),
        real=z.real,
        imaginary=z.imag,
    )


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("R0", [20.0]),
        ("R0-p(R1,CPE1)", [20.0, 300.0, 3e-7, 0.9]),
        (TWO_ARCS, TRUTH[:-1]),
        (CELL.text, TRUTH),
        ("p(R1,C1)-p(R2,CPE2)", [900.0, 4e-10, 210.0, 5e-5, 0.7]),
    ],
)
def test_the_circuit_that_made_the_spectrum_is_chosen(text: str, truth: list[float]) -> None:
    circuit = circuit_from_text(text)
    z = noisy(np.random.default_rng(11), 0.002, circuit=circuit, truth=np.array(truth))
    assert choose_circuit([(FREQUENCY, z)]) == text


def test_an_inductance_takes_part_where_it_shows() -> None:
    circuit = circuit_from_text("L0-R0-p(R1,CPE1)")
    z = noisy(
        np.random.default_rng(3),
        0.001,
        circuit=circuit,
        truth=np.array([2e-5, 40.0, 300.0, 3e-6, 0.9]),
    )
    assert choose_circuit([(FREQUENCY, z)]) == circuit.text
    assert choose_circuit([]) is None


def test_measured_spectra_get_the_circuit_of_their_authors(measured: Callable[[str], Path]) -> None:
    """impedance.py's own example is two arcs, diffusion and the leads' inductance."""
    path = measured("echem/impedance.py/exampleData.csv")
    table = np.loadtxt(path, delimiter=",", encoding="utf-8-sig")
    z = table[:, 1] + 1j * table[:, 2]
    assert choose_circuit([(table[:, 0], z)]) == "L0-R0-p(R1,CPE1)-p(R2,CPE2)-W1"


def test_elements_covariance_and_roles() -> None:
    rng = np.random.default_rng(5)
    spectra = impedance_of(*(noisy(rng, 0.002) for _ in range(3)))
    found = fits_of_impedance(
        spectra,
        geometry=Geometry(THICKNESS_UM, AREA_MM2),
        area_m2=1e-4,
        area_se_m2=2e-6,
    )
    assert found.circuit == CELL.text
    assert "Schwarz" in found.circuit_choice
    assert found.verdict == ("valid",) * 3
    assert found.fitted.tolist() == [1, 1, 1]
    assert found.note == ("",) * 3
    names, values = found.element_name, found.element_value
    assert names == CELL.names * 3
    error = np.abs(values - np.tile(TRUTH, 3)) / found.element_value_se
    assert np.all(error < 4.0)
    assert np.mean(error < 1.0) > 0.5
    assert np.all(found.element_low95 < found.element_low68)
    assert np.all(found.element_high68 <= found.element_high95)
    # the pairs hold the lower half of each covariance, its diagonal the errors' squares
    assert len(found.pair_covariance) == 3 * 36
    own = [a == b for a, b in zip(found.pair_first, found.pair_second, strict=True)]
    assert np.allclose(found.pair_covariance[own], found.element_value_se**2)
    assert found.arc_name[:3] == ("R0", "R1", "R2")
    assert found.arc_role[:3] == ("series", "grain boundary", "interface")
    assert np.allclose(found.arc_areal_resistance, 1e-4 * found.arc_resistance)
    assert found.common_modes[0].sigma == pytest.approx(0.02)
    assert found.ohmic == pytest.approx([320.0] * 3, rel=0.02)
    # in series they are surer together than apart: their errors are not independent
    assert np.all(found.ohmic_se < 0.02 * found.ohmic)
    assert found.direct == pytest.approx([470.0] * 3, rel=0.05)
    assert "arc_resistance_ohm" in found.columns("arc")


def test_fitted_points_are_those_of_the_circuit() -> None:
    spectra = impedance_of(noisy(np.random.default_rng(5), 0.002))
    found = fits_of_impedance(spectra, circuit=CELL.text)
    assert found.circuit_choice == "given as echem.circuit"
    model = CELL.impedance(found.point_frequency, found.element_value)
    assert np.allclose(found.point_fit_real - 1j * found.point_fit_minus_imaginary, model)
    rest = np.abs(model - (found.point_real - 1j * found.point_minus_imaginary)) / np.abs(model)
    assert found.misfit[0] == pytest.approx(np.sqrt(np.mean(rest**2) * 56 / 104), rel=1e-2)
    assert set(found.arc_role) == {"series", "unknown"}
    assert np.all(np.isnan(found.arc_areal_resistance))
    assert found.common_modes == ()


def test_a_spectrum_of_two_cells_is_told() -> None:
    """Real part of one cell, imaginary part of another: fitted, and called no result."""
    rng = np.random.default_rng(5)
    good, other = noisy(rng, 0.002), noisy(rng, 0.002, truth=TRUTH * [1, 1, 3, 1, 1, 1, 1, 1])
    found = fits_of_impedance(impedance_of(good.real + 1j * other.imag, good))
    assert found.verdict == ("violated", "valid")
    assert "not those of one steady linear cell" in found.note[0]
    assert found.fitted.tolist() == [1, 1]
    # the good one alone chose the circuit
    assert found.circuit == CELL.text


def test_no_sweep_makes_no_row() -> None:
    found = fits_of_impedance(None)
    assert len(found.sweep) == len(found.element_name) == len(found.point_real) == 0
    assert found.circuit == ""


def test_few_points_and_missing_values_are_left_out() -> None:
    z = noisy(np.random.default_rng(5), 0.002)
    few = impedance_of(z[:2], frequency=FREQUENCY[:2])
    found = fits_of_impedance(few, circuit=TWO_ARCS)
    assert found.fitted.tolist() == [0]
    assert found.verdict == ("unclear",)
    assert "2 points are too few for a Kramers-Kronig test" in found.note[0]
    assert np.isnan(found.direct[0])
    holed = z.copy()
    holed[3] = 0.0
    holed[5] = np.nan
    found = fits_of_impedance(impedance_of(holed), circuit=CELL.text)
    assert found.points.tolist() == [54]
    assert found.note == ("2 points without a value are left out",)
    nothing = fits_of_impedance(impedance_of(np.full(56, np.nan + 0j)))
    assert (nothing.points.tolist(), nothing.fitted.tolist()) == ([0], [0])


def test_a_circuit_that_misses_says_by_how_much() -> None:
    spectra = impedance_of(noisy(np.random.default_rng(5), 0.002))
    found = fits_of_impedance(spectra, circuit="R0-p(R1,C1)")
    assert "the circuit misses by" in found.note[0]
    assert found.misfit[0] > 0.05


def test_a_circuit_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="cannot be read") as problem:
        fits_of_impedance(None, circuit="R0-q(R1)")
    assert problem.value.where == "echem.circuit"


def run_step(
    folder: Path, impedance: Impedance | None, **settings: Any
) -> tuple[ImpedanceFits, list[Remark]]:
    nothing = np.empty(0)
    cycling = Cycling(nothing, nothing, nothing, nothing.astype(np.int64), impedance=impedance)
    read, place = folder / "read", folder / "out"
    for path in (read, place):
        path.mkdir()
    write_record(read / "record.h5", cycling)
    values: dict[str, Any] = {
        "cell.area_mm2": AREA_MM2,
        "cell.area_se_mm2": 1.0,
        "cell.thickness_um": THICKNESS_UM,
        "echem.circuit": "auto",
        "echem.weighting": "modulus",
        "echem.kramers_kronig_tolerance": 0.005,
    }
    inputs = {"echem.read": (Source("pristine", read),)}
    compute(Work("echem.impedance", "pristine", values | settings, inputs, place))
    return read_record(place / "record.h5", ImpedanceFits), read_remarks(place)


def test_step_without_remarks(tmp_path: Path) -> None:
    found, remarks = run_step(tmp_path, impedance_of(noisy(np.random.default_rng(5), 0.002)))
    assert found.arc_role == ("series", "grain boundary", "interface")
    assert remarks == []


def test_step_says_what_is_missing(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    good, other = noisy(rng, 0.002), noisy(rng, 0.002, truth=TRUTH * [1, 1, 3, 1, 1, 1, 1, 1])
    spectra = impedance_of(good.real + 1j * other.imag, good)
    found, remarks = run_step(tmp_path, spectra, **{"cell.area_mm2": None})
    assert set(found.arc_role) == {"series", "unknown"}
    texts = [remark.text for remark in remarks]
    assert [remark.level for remark in remarks] == ["warning", "note", "warning"]
    assert "nothing is stated per area" in texts[0]
    assert "not told apart" in texts[1]
    assert texts[2].startswith("1 of 2 sweeps fail the Kramers-Kronig test")


def test_step_of_a_state_without_sweeps(tmp_path: Path) -> None:
    found, remarks = run_step(tmp_path, None, **{"cell.area_mm2": None})
    assert len(found.sweep) == 0
    assert remarks == []
