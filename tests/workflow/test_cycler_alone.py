"""Whole runs of cells that lack something: no spectra, no half cycles, one half cycle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.io.tables import read_table
from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling
from mesolith.records.plating import CriticalCurrent, HalfCycleResistance, PlatedCapacity
from mesolith.records.spectra import ImpedanceFits
from mesolith.workflow import open_cell, run_cell
from tests.echem.test_pressure import cycler_file, log_file

HEAD = """
[cell]
name = "small"
plates_under_positive_current = "working"

[clock]
cycler = {{ zone = "Europe/Berlin" }}

[[state]]
name = "only"
cycling = {{ files = [{files}] }}
"""


def run(folder: Path, *files: Path) -> tuple[Cell, Path]:
    listed = ", ".join(f'"raw/{path.name}"' for path in files)
    (folder / "cell.toml").write_text(HEAD.format(files=listed))
    finished = run_cell(folder, workers=1)
    finished.outcome.raise_first_error()
    assert finished.result is not None
    return open_cell(finished.result), finished.result


def test_one_half_cycle_without_spectra_beside_a_pressure(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    cell, result = run(tmp_path, cycler_file(raw / "run.csv"), log_file(raw / "pressure.csv"))
    state = cell.states[0]
    assert np.isfinite(np.asarray(state[Cycling].pressure)).all()
    assert len(state[ImpedanceFits].sweep) == 0
    assert len(cell[HalfCycleResistance].resistance) == 1
    assert cell[CriticalCurrent].kind == "none"
    assert cell[PlatedCapacity].charge_before_failure == pytest.approx(1.0)
    tables = result / "tables"
    assert not (tables / "impedance.csv").exists()
    header = (tables / "0_only_impedancefits_arc.csv").read_text().strip()
    assert "arc_resistance_ohm_se" in header
    assert "\n" not in header
    assert read_table(tables / "pressure.csv")["change_mpa"] == pytest.approx([0.99], abs=1e-6)
    page = (result / "report.html").read_text(encoding="utf-8")
    assert "Pressure beside voltage" in page
    assert "Impedance by cycle" not in page


def test_a_spectrum_without_half_cycles(tmp_path: Path, measured: Callable[[str], Path]) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "data.i2b").symlink_to(measured("echem/pyimpspec/data.i2b"))
    cell, result = run(tmp_path, raw / "data.i2b")
    fits = cell.states[0][ImpedanceFits]
    assert fits.verdict == ("valid",)
    # the file was made from round values
    assert fits.circuit == "R0-p(R1,C1)-p(R2,CPE2)"
    exact = [100.0, 200.0, 8e-7, 500.0, 4e-4, 0.5]
    assert fits.element_value == pytest.approx(exact, rel=1e-5)
    assert len(cell[HalfCycleResistance].resistance) == 0
    assert cell[CriticalCurrent].evidence == ("no half cycle was recorded",)
    assert not (result / "tables" / "half_cycles.csv").exists()
    assert (result / "tables" / "impedance.csv").is_file()
