"""Whole runs on measured files, from cell.toml to the report, with the digits of their authors."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.hedm.settings import Settings as HedmSettings
from mesolith.io.tables import read_table
from mesolith.records.cycling import Cycling
from mesolith.records.grains import GrainMap
from mesolith.records.plating import CriticalCurrent, HalfCycleResistance, PlatedCapacity
from mesolith.records.spectra import ImpedanceFits
from mesolith.workflow import open_cell, run_cell

GOLD = Path(__file__).parents[1] / "materials" / "gold.cif"

LITHIUM_CELL = """
[cell]
name = "tape 4"
stack = "Li|LLZO|Li"
area_mm2 = 28.27
plates_under_positive_current = "working"

[clock]
cycler = {{ zone = "Europe/Berlin" }}

[[state]]
name = "cycled"
cycling = {{ files = ["{name}"] }}
"""

GOLD_CELL = """
[cell]
name = "simulated gold"

[electrolyte]
material = "gold.cif"
stiffness_gpa = [192.9, 163.8, 41.5]

[[state]]
name = "as made"
grains = {{ files = ["{name}"], format = "midas" }}
"""


@pytest.fixture(scope="module")
def lithium(measured: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Result folder of the measured lithium cell yadg/mb."""
    return _run(tmp_path_factory.mktemp("mb"), LITHIUM_CELL, measured("echem/yadg/mb.mpt"))


@pytest.fixture(scope="module")
def gold(measured: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Result folder of MIDAS' simulated gold grains."""
    folder = tmp_path_factory.mktemp("gold")
    shutil.copy(GOLD, folder / "gold.cif")
    return _run(folder, GOLD_CELL, measured("hedm/midas_ff_example/GrainsSim.csv"))


def _run(folder: Path, text: str, measured_file: Path) -> Path:
    raw = folder / "raw"
    raw.mkdir()
    (raw / measured_file.name).symlink_to(measured_file)
    (folder / "cell.toml").write_text(text.format(name=f"raw/{measured_file.name}"))
    finished = run_cell(folder, workers=1)
    finished.outcome.raise_first_error()
    assert finished.result is not None
    return finished.result


def test_lithium_cell_has_resistances_and_verdicts(lithium: Path) -> None:
    """Numbers of the authors again, where the steps of the whole cell state them."""
    cell = open_cell(lithium)
    found = cell[HalfCycleResistance]
    assert found.state == ("cycled",) * 8
    assert 1e3 * found.spread[1] == pytest.approx(0.1280, abs=5e-5)
    assert np.all(found.scatter < found.spread)
    assert np.all(np.abs(found.resistance - 1340.0) < 20.0)
    assert found.areal_resistance == pytest.approx(found.resistance * 28.27e-6)
    critical = cell[CriticalCurrent]
    assert (critical.kind, critical.upper) == ("none", np.inf)
    assert critical.lower == pytest.approx(2.8e-6 / 28.27e-6, rel=2e-3)
    capacity = cell[PlatedCapacity]
    assert capacity.charge == pytest.approx(np.full(8, 2.8e-6 * 3600.0), rel=1.5e-3)
    fits = cell.states[0][ImpedanceFits]
    # as pyimpspec's residuals say (benchmarks/impedance.py)
    assert [k for k, word in enumerate(fits.verdict) if word == "violated"] == [1, 2, 4, 6]
    assert fits.fitted.tolist() == [1] * 8
    assert np.all(np.abs(fits.direct - 1130.0) < 120.0)
    tables = lithium / "tables"
    table = read_table(tables / "half_cycles.csv")
    assert table["standard_deviation_mv"][1] == pytest.approx(0.1280, abs=5e-5)
    assert (tables / "0_cycled_impedancefits_element.csv").is_file()
    assert (tables / "cell_criticalcurrent_signs.csv").is_file()
    told = [text for _, _, text in cell.remarks]
    assert any("the area counts as exact" in text for text in told)


def test_lithium_cell_has_the_half_cycles_its_authors_count(lithium: Path) -> None:
    cycling = open_cell(lithium).states[0][Cycling]
    half = cycling.half_cycles
    assert half is not None
    assert len(half.step) == 8
    assert half.rows.tolist() == [120] * 8
    negative = half.current < 0
    assert negative.sum() == 4
    first = np.flatnonzero(negative)[0]
    assert round(half.overpotential[first] * 1e3, 4) == -3.7365
    assert round(half.overpotential_std[first] * 1e3, 4) == 0.1280
    assert np.allclose(np.abs(half.current), 2.8e-6, rtol=0.01)


def test_lithium_cell_pooled_negative_half_cycles(lithium: Path) -> None:
    cycling = open_cell(lithium).states[0][Cycling]
    half = cycling.half_cycles
    assert half is not None
    rows = [
        np.arange(first, first + count)
        for first, count, current in zip(half.first_row, half.rows, half.current, strict=True)
        if current < 0
    ]
    voltage = cycling.voltage[np.concatenate(rows)] * 1e3
    assert len(voltage) == 480
    assert round(float(voltage.mean()), 4) == -3.7471
    assert round(float(voltage.std(ddof=1)), 4) == 0.1244


def test_lithium_cell_impedance_at_low_frequency(lithium: Path) -> None:
    spectra = open_cell(lithium).states[0][Cycling].impedance
    assert spectra is not None
    lowest = spectra.real[np.isclose(spectra.frequency, 0.1, rtol=0.01)]
    assert round(float(lowest.min()), 1) == 1108.8
    assert round(float(lowest.max()), 1) == 1146.2


def test_lithium_cell_reaches_the_report(lithium: Path) -> None:
    page = (lithium / "report.html").read_text(encoding="utf-8")
    assert "tape 4" in page
    assert "n = 1,588 points" in page
    assert "n = 8" in page
    assert "0.0792 mAh/cm²" in page  # eight hours of 2.8 uA over 28.27 mm2
    table = read_table(next((lithium / "tables").glob("*cycling_half_cycles.csv")))
    assert len(table["overpotential_volt"]) == 8


def test_gold_grains_are_those_of_the_simulator(gold: Path) -> None:
    grains = open_cell(gold).states[0][GrainMap]
    assert len(grains) == 250
    assert round(float(grains.lattice[:, 0].mean()), 6) == 4.079902
    assert grains.position[0] == pytest.approx([588.287193, -630.550267, -183.686664], abs=1e-9)


def test_gold_needs_no_cycler_and_names_what_nobody_gave(gold: Path) -> None:
    cell = open_cell(gold)
    assert Cycling not in cell.states[0]
    missing = {where for level, where, _ in cell.remarks if level == "missing"}
    assert {
        "conditions.stack_pressure_mpa",
        "conditions.temperature_c",
        "conditions.protocol",
    } <= missing
    page = (gold / "report.html").read_text(encoding="utf-8")
    first_page = page[: page.index("<figure")] if "<figure" in page else page
    assert "conditions.temperature_c" in first_page


def test_gold_strain_columns_of_zero_are_told(gold: Path) -> None:
    """GrainsSim.csv states zero strain beside lattices that are strained by 1e-3."""
    cell = open_cell(gold)
    assert any("eFab" in text for _, _, text in cell.remarks)
    grains = cell.states[0][GrainMap]
    assert grains.strain is not None
    assert np.abs(grains.strain).max() > 5e-4
    assert grains.error_source == "assumed"
    assert HedmSettings().sigma_strain == 1e-4
