"""CSV tables: numbers round-trip, errors stand beside values, any reader can read them."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mesolith.echem.whole_cell import empty_half_cycles
from mesolith.errors import InvalidValueError
from mesolith.io.tables import (
    file_stem,
    read_table,
    record_tables,
    write_record_tables,
    write_table,
)
from mesolith.records.cycling import Cycling
from mesolith.records.grains import GrainMap
from tests.report.synthetic_cell import cycling_of_state, grains_of_states


@pytest.fixture(scope="module")
def grains() -> GrainMap:
    return grains_of_states(40, 3)[0][0]


def test_numbers_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=20_000) * 10.0 ** rng.integers(-12, 12, 20_000)
    values[:4] = [np.nan, 0.0, -0.0, 1e-320]
    columns = {"value": values, "count": np.arange(20_000), "flag": values > 0.0}
    write_table(tmp_path / "a.csv", columns)
    again = read_table(tmp_path / "a.csv")
    assert np.array_equal(again["value"], values, equal_nan=True)
    assert np.array_equal(again["count"], columns["count"])
    assert set(again["flag"]) == {"true", "false"}


def test_text_is_quoted_as_the_rfc_has_it(tmp_path: Path) -> None:
    words = ['a "b"', "c, d", "e\nf", "über", ""]
    write_table(tmp_path / "a.csv", {"state, name": np.array(words), "n": np.arange(5)})
    raw = (tmp_path / "a.csv").read_bytes()
    assert raw.startswith(b'"state, name",n\r\n"a ""b""",0\r\n')
    assert raw.endswith(b"\r\n")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[1:]] == words


def test_columns_of_unequal_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="differ in length"):
        write_table(tmp_path / "a.csv", {"a": np.arange(3), "b": np.arange(4)})


def test_errors_stand_beside_their_values(grains: GrainMap) -> None:
    table = record_tables(grains, "grains")["grains"]
    names = list(table)
    assert names[0] == "grain_id"
    for column in ("position_x_um", "strain_33", "stress_12_mpa", "stress_hydrostatic_mpa"):
        assert names[names.index(column) + 1] == f"{column}_se"
    assert table["position_x_um_se"][0] == pytest.approx(20.0)
    assert table["strain_33_se"][0] == pytest.approx(1e-4)
    assert table["stress_hydrostatic_mpa_se"][0] == pytest.approx(17.8055, rel=1e-4)
    # two modes in squares: 1.5e-5 times 3 K, and 1 MPa over 3
    expected = np.hypot(1.5e-5 * 3.0 * 102_800.0, 1.0 / 3.0)
    assert table["stress_hydrostatic_mpa_common_se"][0] == pytest.approx(expected)
    assert not any(name.endswith("_se_mpa") for name in names)


def test_symmetric_tensors_are_written_once(grains: GrainMap) -> None:
    names = list(record_tables(grains, "grains")["grains"])
    assert [n for n in names if n.startswith("stress_") and n.endswith("_mpa")][:6] == [
        f"stress_{component}_mpa" for component in ("11", "12", "13", "22", "23", "33")
    ]


def test_orientation_errors_follow_the_rotation_vector(grains: GrainMap) -> None:
    table = record_tables(grains, "grains")["grains"]
    squares = sum(table[f"orientation_{k}_se"] ** 2 for k in "wxyz")
    # a small rotation by d moves the quaternion by d / 2
    assert np.allclose(squares, 3.0 * np.deg2rad(0.1) ** 2 / 4.0, rtol=1e-9)


def test_records_inside_get_tables_of_their_own(tmp_path: Path) -> None:
    cycling = cycling_of_state(4)
    written = write_record_tables(tmp_path, cycling, "4_stripping 2_cycling")
    assert sorted(path.name for path in written) == [
        "4_stripping_2_cycling.csv",
        "4_stripping_2_cycling_half_cycles.csv",
        "4_stripping_2_cycling_impedance.csv",
    ]
    half = read_table(tmp_path / "4_stripping_2_cycling_half_cycles.csv")
    assert cycling.half_cycles is not None
    assert half["overpotential_volt"][0] == cycling.half_cycles.overpotential[0]
    assert half["overpotential_volt_se"][0] == cycling.half_cycles.overpotential_se[0]


def test_an_empty_record_has_its_header(tmp_path: Path) -> None:
    empty = dataclasses.replace(cycling_of_state(0), impedance=None)
    assert isinstance(empty, Cycling)
    write_record_tables(tmp_path, empty, "x")
    assert (tmp_path / "x.csv").read_text() == "time_s,current_ampere,voltage_volt,step\n"
    write_record_tables(tmp_path, empty_half_cycles(), "y")
    assert "overpotential_volt,overpotential_volt_se" in (tmp_path / "y.csv").read_text()


@pytest.mark.parametrize(
    ("name", "stem"),
    [("plating 1", "plating_1"), ("a/b\\c:d", "a_b_c_d"), ("../x", "x"), ("ü", "_"), ("", "_")],
)
def test_file_stems_fit_any_system(name: str, stem: str) -> None:
    assert file_stem(name) == stem
