"""Every bad input has an error of its own, with file, place and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.echem.read import compute as read_cycling
from mesolith.errors import (
    ClockError,
    ContradictionError,
    DuplicateError,
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MesolithError,
    MissingColumnError,
    OrientationError,
    TruncatedFileError,
    UnitError,
    UnknownFormatError,
)
from mesolith.hedm.read import compute as read_grains
from mesolith.io.delimited import read_delimited
from mesolith.io.midas import MidasGrains, read_midas
from mesolith.io.midas_write import COLUMNS
from mesolith.link.history import StateRecord, history_from_records
from mesolith.pipeline.work import Source, Work
from tests.io.grain_maps import columns_reordered, edited, grains_file, scaled

EFAB = [f"eFab{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)]
EKEN = [f"eKen{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)]
ORIENTATION = [f"O{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)]


def refused(path: Path, kind: type[MesolithError], words: str, **options: Any) -> MesolithError:
    """The error that reading the file causes: its kind, its words, its place and a remedy."""
    with pytest.raises(kind, match=words) as caught:
        read_midas(path, **options)
    assert type(caught.value) is kind
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    return caught.value


def warned(found: MidasGrains, level: str, words: str) -> bool:
    return any(f.level == level and words in f.text for f in found.findings)


class TestTruncatedGrains:
    def test_rows_are_missing(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:-5]))
        refused(path, TruncatedFileError, "15 of 20 grains")
        found = read_midas(path, allow_partial=True)
        assert len(found.grain_map) == 15
        assert warned(found, "gap", "15 of 20")

    @pytest.mark.parametrize("cut", [10, 100, 200, 400])
    def test_last_row_is_cut_short(self, tmp_path: Path, cut: int) -> None:
        path = grains_file(tmp_path)
        path.write_bytes(path.read_bytes()[:-cut])
        refused(path, TruncatedFileError, "19 of 20 grains.*line 29 is cut short")
        assert len(read_midas(path, allow_partial=True).grain_map) == 19

    def test_last_number_is_cut_short(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        text = path.read_text()
        path.write_text(text.rstrip()[:-3])
        refused(path, TruncatedFileError, "cut short")

    def test_header_alone(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:9]))
        refused(path, TruncatedFileError, "counts 20 grains, the file has no row")

    def test_header_cut(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:7]))
        refused(path, FileFormatError, "no line of column names")

    def test_row_in_the_middle(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        lines = path.read_text().splitlines(keepends=True)
        lines[15] = lines[15][:80] + "\n"
        path.write_text("".join(lines))
        error = refused(path, FileFormatError, "of 47 cells")
        assert str(error.where).endswith("line 16")

    def test_more_rows_than_counted(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines) + lines[-1].replace("20\t", "21\t", 1))
        refused(path, ContradictionError, "counts 20 grains, the file has 21 rows")


class TestColumnsAndUnits:
    def test_shuffled_columns_work(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        plain = read_midas(path).grain_map
        columns_reordered(path, list(range(len(COLUMNS)))[::-1])
        assert np.array_equal(read_midas(path).grain_map.orientation, plain.orientation)

    def test_missing_columns(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        kept = [k for k, name in enumerate(COLUMNS) if name not in ("GrainRadius", "gamma")]
        columns_reordered(path, kept)
        refused(path, MissingColumnError, "gamma, grainradius")

    def test_missing_lattice(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "Lattice Parameter" not in line))
        refused(path, UnitError, "no %Lattice Parameter line")

    def test_missing_space_group(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "SpaceGroup" not in line))
        refused(path, FileFormatError, "no %SpaceGroup line")

    def test_missing_unit_of_a_cycler_column(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("time/s,Voltage,Current(A)\n0,0.1,1e-5\n1,0.1,1e-5\n")
        with pytest.raises(UnitError, match="'Voltage' states no unit") as caught:
            read_delimited(path)
        assert "line 1" in str(caught.value.where)

    def test_current_density_is_no_current(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("time/s;Ewe/V;I[mA/cm2]\n0;0,1;0,1\n")
        with pytest.raises(UnitError, match="mA/cm2"):
            read_delimited(path)

    @pytest.mark.parametrize(
        ("factor", "words"), [(1e-6, "fractions"), (1e-4, "percent"), (1e-3, "per mille")]
    )
    def test_strain_in_the_wrong_unit(self, tmp_path: Path, factor: float, words: str) -> None:
        path = grains_file(tmp_path)
        scaled(path, EFAB, factor)
        refused(path, UnitError, f"they hold {words}, MIDAS writes microstrain")
        assert len(read_midas(path, check_strain=False).grain_map) == 20

    def test_strain_that_contradicts_the_lattice(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        plain = read_midas(path).grain_map
        scaled(path, EFAB, -1.0)
        found = read_midas(path)
        assert warned(found, "warning", "eFab columns contradict the lattice")
        assert not warned(found, "warning", "eKen")
        assert np.array_equal(found.grain_map.lattice, plain.lattice)

    def test_strain_that_is_no_symmetric_tensor(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        scaled(path, ["eFab12", "eFab13", "eFab23"], -3.0)
        assert warned(read_midas(path), "warning", "no symmetric tensors")

    def test_lattice_in_nanometre(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        scaled(path, ["a", "b", "c"], 0.1)
        refused(path, UnitError, "more than 5 %.*ratio 0.1")

    def test_angles_in_radians(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        scaled(path, ["alpha", "beta", "gamma"], np.pi / 180.0)
        refused(path, UnitError, "radians, not degrees")

    @pytest.mark.parametrize("factor", [1e-3, 1e3])
    def test_positions_in_another_unit_than_radii(self, tmp_path: Path, factor: float) -> None:
        path = grains_file(tmp_path)
        scaled(path, ["X", "Y", "Z"] if factor < 1 else ["GrainRadius"], factor)
        refused(path, UnitError, "times the box")

    def test_completeness_in_percent(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        scaled(path, ["Confidence"], 100.0)
        refused(path, InvalidValueError, "not between 0 and 1 in 20 of 20")


class TestRows:
    @pytest.mark.parametrize("column", ["X", "O22", "a", "gamma", "GrainRadius", "Confidence"])
    def test_nan(self, tmp_path: Path, column: str) -> None:
        path = grains_file(tmp_path)
        edited(path, row=4, column=column, value="nan")
        edited(path, row=9, column=column, value="inf")
        error = refused(path, InvalidValueError, "2 of 20 grains hold NaN, infinity")
        assert str(error.where).endswith("line 14")
        found = read_midas(path, allow_partial=True)
        assert len(found.grain_map) == 18
        assert warned(found, "gap", "2 of 20")

    def test_only_nan(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path, 1)
        edited(path, row=0, column="X", value="nan")
        refused(path, InvalidValueError, "1 of 1", allow_partial=True)

    def test_word_among_the_numbers(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        edited(path, row=2, column="Y", value="12,5")
        error = refused(path, FileFormatError, "column y holds '12,5'")
        assert str(error.where).endswith("line 12")

    def test_duplicated_ids(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        edited(path, row=6, column="GrainID", value="3")
        error = refused(path, DuplicateError, "1 grain ids occur more than once: 3")
        assert str(error.where).endswith("line 16")
        found = read_midas(path, allow_partial=True)
        assert found.grain_map.grain_id.tolist() == [*range(1, 7), *range(8, 21)]
        assert warned(found, "gap", "1 rows repeat")

    def test_one_grain(self, tmp_path: Path) -> None:
        found = read_midas(grains_file(tmp_path, 1))
        assert len(found.grain_map) == 1
        assert warned(found, "warning", "one grain")

    def test_no_grains(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path, 1)
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:-1]).replace("%NumGrains 1", "%NumGrains 0"))
        refused(path, EmptyFileError, "lists no grains")

    def test_empty_file(self, tmp_path: Path) -> None:
        path = tmp_path / "Grains.csv"
        path.write_bytes(b"")
        refused(path, EmptyFileError, "the file is empty")

    def test_binary_file(self, tmp_path: Path) -> None:
        path = tmp_path / "Grains.csv"
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
        refused(path, FileFormatError, "zero bytes")

    def test_phase_that_is_not_listed(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path, phases=2)
        edited(path, row=1, column="PhaseNr", value="3.000000")
        refused(path, ContradictionError, "PhaseNr 3 where the header lists 2 phases")


class TestOrientations:
    def test_left_handed(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        scaled(path, ["O11", "O21", "O31"], -1.0)
        refused(path, OrientationError, "20 of 20 orientation matrices are left-handed")

    def test_one_left_handed(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        line = path.read_text().splitlines()[12].split("\t")
        for k in (1, 4, 7):
            edited(path, row=3, column=COLUMNS[k], value=str(-float(line[k])))
        error = refused(path, OrientationError, "1 of 20 orientation matrices are left-handed")
        assert str(error.where).endswith("line 13")

    def test_not_orthogonal(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        scaled(path, ["O13"], 1.2)
        refused(path, OrientationError, "not orthogonal")

    def test_zero_matrix(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        for column in ORIENTATION:
            edited(path, row=0, column=column, value="0.0")
        refused(path, OrientationError, "not orthogonal")

    def test_transposed(self, tmp_path: Path) -> None:
        path = grains_file(tmp_path)
        order = list(range(len(COLUMNS)))
        order[1:10] = [1, 4, 7, 2, 5, 8, 3, 6, 9]
        names = path.read_text().splitlines()[8]
        columns_reordered(path, order)
        lines = path.read_text().splitlines()
        lines[8] = names
        path.write_text("\n".join(lines) + "\n")
        refused(path, OrientationError, "transposed")


class TestCyclerFiles:
    def test_without_times(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("Ewe/V,I/mA,Ns\n0.1,0.01,1\n0.1,0.01,1\n")
        with pytest.raises(ClockError, match="no times") as caught:
            read_delimited(path)
        assert caught.value.remedy

    def test_naive_times_without_a_zone(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("Date,Ewe/V,I/mA\n2024-05-13 10:00:00,0,0\n2024-05-13 10:00:01,0,0\n")
        with pytest.raises(ClockError, match="has no time zone") as caught:
            cycling_of(tmp_path, path, zone=None)
        assert "[clock] cycler" in str(caught.value.remedy)

    def test_times_from_an_unknown_start(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("time/s,Ewe/V,I/mA\n0,0,0\n1,0,0\n")
        with pytest.raises(ClockError, match="states no date") as caught:
            cycling_of(tmp_path, path)
        assert "started" in str(caught.value.remedy)

    def test_ambiguous_date(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("Date,Ewe/V,I/mA\n01/10/2024 10:00:00,0,0\n01/10/2024 10:00:01,0,0\n")
        with pytest.raises(ClockError, match="10 January 2024 or 1 October 2024") as caught:
            cycling_of(tmp_path, path)
        assert "date_order" in str(caught.value.remedy)

    def test_time_runs_back(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("time/s,Ewe/V,I/mA\n0,0,0\n10,0,0\n5,0,0\n")
        with pytest.raises(ContradictionError, match="runs back from 10 to 5 s") as caught:
            read_delimited(path)
        assert str(caught.value.where).endswith("line 4")

    def test_infinite_current(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("time/s,Ewe/V,I/mA\n0,0,0\n10,0,1e400\n")
        with pytest.raises(InvalidValueError, match="column 'I/mA' holds inf") as caught:
            read_delimited(path)
        assert str(caught.value.where).endswith("line 3")

    def test_last_row_cut_short(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("time/s,Ewe/V,I/mA\n0,0,0\n10,0,0\n20,0")
        with pytest.raises(TruncatedFileError, match="cut short"):
            read_delimited(path)
        found = read_delimited(path, allow_partial=True)
        assert len(found.time) == 2
        assert found.findings[0].level == "gap"

    def test_unknown_content(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.csv"
        path.write_text("once upon a time\n")
        with pytest.raises(UnknownFormatError, match="no reader of cycler records"):
            cycling_of(tmp_path, path)

    def test_empty(self, tmp_path: Path) -> None:
        path = tmp_path / "cycler.mpt"
        path.write_bytes(b"")
        with pytest.raises(EmptyFileError):
            cycling_of(tmp_path, path)

    def test_the_same_record_twice(self, tmp_path: Path) -> None:
        first, second = tmp_path / "a.csv", tmp_path / "b.csv"
        for path in (first, second):
            path.write_text("Unix Time / s,Voltage / V,Current / A\n0,0,0\n100,0,0\n")
        with pytest.raises(ContradictionError, match=r"starts 100 s before a\.csv ends"):
            cycling_of(tmp_path, first, second)


class TestStates:
    NAMES = ("pristine", "plating 1", "stripping 1")

    def history(self, start: list[float], measured_at: list[float]) -> None:
        records = [StateRecord(None, start=s, end=s + 100.0) for s in start]
        history_from_records(list(self.NAMES), records, [None] * 3, np.array(measured_at), None, [])

    def test_swapped_against_their_records(self) -> None:
        with pytest.raises(ContradictionError, match="cycler files start 500 s earlier") as caught:
            self.history([0.0, 1500.0, 1000.0], [np.nan] * 3)
        assert "'plating 1'" in str(caught.value)
        assert "'stripping 1'" in str(caught.value)

    def test_swapped_against_their_times_of_measurement(self) -> None:
        with pytest.raises(ContradictionError, match="it was measured 60 s earlier") as caught:
            self.history([np.nan] * 3, [600.0, 540.0, 700.0])
        assert "'pristine'" in str(caught.value)

    def test_unknown_grain_format(self, tmp_path: Path) -> None:
        path = tmp_path / "grains.csv"
        path.write_text("a,b\n1,2\n")
        settings = {
            "state.grains": {},
            "hedm.sigma_position_um": 20.0,
            "hedm.sigma_orientation_deg": 0.1,
            "hedm.sigma_strain": 1e-4,
            "hedm.minimum_completeness": 0.0,
            "hedm.strain_columns": "check",
        }
        work = Work("hedm.read", "s", settings, {"raw": (Source("s", path),)}, tmp_path)
        with pytest.raises(UnknownFormatError, match="no reader of grain maps"):
            read_grains(work)


def cycling_of(folder: Path, *paths: Path, zone: str | None = "Europe/Berlin") -> None:
    settings = {
        "state.cycling": {},
        "clock.cycler": None if zone is None else {"zone": zone, "offset_s": 0.0},
        "cell.plates_under_positive_current": "working",
        "echem.current_share": 0.9,
    }
    sources = tuple(Source("s", path) for path in paths)
    read_cycling(Work("echem.read", "s", settings, {"raw": sources}, folder))
