"""cell.nxs gives the same cell back, opens on a picture, and knows its own version."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.errors import FileFormatError, ResultVersionError
from mesolith.io.nexus import open_cell, read_provenance, write_cell
from mesolith.io.record_file import read_record, write_record
from mesolith.io.tables import record_tables
from mesolith.pipeline.technique import load
from mesolith.records.cell import Cell, State
from mesolith.records.cycling import Cycling
from mesolith.records.field import Record, quantity
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking
from mesolith.report import FIGURES
from tests.report.synthetic_cell import synthetic_cell

FORMATS = Path(__file__).parent.parent / "formats"
V1_FIRST_STRESS = 45.46949608847826


@dataclass(frozen=True, slots=True)
class Temperature(Record):
    """A record that nothing in the package knows."""

    time: FloatArray = quantity("time", unit="s", shape=("row",))
    temperature: FloatArray = quantity("temperature", unit="K", shape=("row",))


@pytest.fixture(scope="module")
def cell() -> Cell:
    return synthetic_cell(n=60)


@pytest.fixture(scope="module")
def path(cell: Cell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("nexus") / "cell.nxs"
    drawn = [(figure.name, load(figure.draw)(cell)) for figure in FIGURES]
    figures = [(name, drawing) for name, drawing in drawn if drawing is not None]
    write_cell(file, cell, figures=figures, provenance={"raw": ["a"], "software": {"x": "1"}})
    return file


def equal(a: Record, b: Record) -> bool:
    """All fields equal, records inside and common modes too."""
    if type(a) is not type(b):
        return False
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, Record):
            if not equal(x, y):
                return False
        elif field.name == "common_modes":
            for m, n in zip(x, y, strict=True):
                if (m.name, m.sigma, m.unit) != (n.name, n.sigma, n.unit):
                    return False
                if any(
                    not np.array_equal(m.derivatives[k], n.derivatives[k], equal_nan=True)
                    for k in m.derivatives
                ):
                    return False
        elif isinstance(x, np.ndarray):
            if not np.array_equal(x, y, equal_nan=True):
                return False
        elif x != y and not (x != x and y != y):
            return False
    return True


def test_the_same_cell_comes_back(cell: Cell, path: Path) -> None:
    again = open_cell(path)
    assert again.name == cell.name
    assert again.conditions == cell.conditions
    assert again.remarks == cell.remarks
    assert [s.name for s in again.states] == [s.name for s in cell.states]
    assert [dict(s.protocol) for s in again.states] == [dict(s.protocol) for s in cell.states]
    for before, after in zip(cell.states, again.states, strict=True):
        assert set(before.handles) == set(after.handles)
        for kind in before.handles:
            assert equal(before[kind], after[kind])
    for index in cell.pairs:
        first, second = cell.pair(index, Tracking), again.pair(index, Tracking)
        assert first is not None
        assert second is not None
        assert equal(first, second)


def test_tables_and_figures_from_the_file_alone(cell: Cell, path: Path) -> None:
    again = open_cell(path)
    compared = 0
    for figure in FIGURES:
        from_run, from_file = load(figure.draw)(cell), load(figure.draw)(again)
        assert (from_run is None) == (from_file is None)
        if from_run is None:
            continue
        compared += 1
        assert list(from_run.table) == list(from_file.table)
        for name, values in from_run.table.items():
            assert np.array_equal(values, from_file.table[name]), name
    assert compared >= 4
    for kind in (GrainMap, Cycling):
        one = record_tables(cell.states[1][kind], "x")
        two = record_tables(again.states[1][kind], "x")
        assert list(one) == list(two)
        assert all(np.array_equal(one[t][c], two[t][c]) for t in one for c in one[t])


def test_stored_records_are_copied_as_they_lie(cell: Cell, path: Path, tmp_path: Path) -> None:
    states = []
    for state in cell.states:
        file = tmp_path / f"{state.index}.h5"
        write_record(file, state[GrainMap])
        handle = partial(read_record, file, GrainMap)
        states.append(dataclasses.replace(state, handles={GrainMap: handle}))
    write_cell(tmp_path / "cell.nxs", dataclasses.replace(cell, states=tuple(states)))
    again = open_cell(tmp_path / "cell.nxs")
    for before, after in zip(cell.states, again.states, strict=True):
        assert equal(before[GrainMap], after[GrainMap])
    with h5py.File(tmp_path / "cell.nxs") as file:
        check_picture(default_picture(file))


def test_records_are_read_when_asked_for(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "cell.nxs"
    copy.write_bytes(path.read_bytes())
    opened = open_cell(copy)
    with h5py.File(copy, "r+") as file:
        data = file["entry/states/00_pristine/GrainMap/radius"]
        data[0] = 123.0
    assert opened.states[0][GrainMap].radius[0] == 123.0


def test_same_cell_same_bytes(path: Path, tmp_path: Path) -> None:
    cell = synthetic_cell(n=60)
    drawn = [(figure.name, load(figure.draw)(cell)) for figure in FIGURES]
    figures = [(name, drawing) for name, drawing in drawn if drawing is not None]
    other = tmp_path / "other.nxs"
    write_cell(other, cell, figures=figures, provenance={"software": {"x": "1"}, "raw": ["a"]})
    assert hashlib.sha256(other.read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()


def default_picture(file: Any) -> Any:
    """The group that NeXus viewers open on: follow @default from the root."""
    group = file
    while "default" in group.attrs:
        group = group[group.attrs["default"]]
    return group


def check_picture(group: Any) -> None:
    assert group.attrs["NX_class"] == "NXdata"
    signal = group[group.attrs["signal"]]
    (axis,) = group.attrs["axes"]
    assert signal.ndim == 1
    assert group[axis].shape == signal.shape
    assert np.all(np.isfinite(signal[()]))


def test_viewers_open_on_the_mean_stress_with_its_error(path: Path) -> None:
    with h5py.File(path) as file:
        assert file.attrs["NX_class"] == "NXroot"
        assert file["entry"].attrs["NX_class"] == "NXentry"
        group = default_picture(file)
        assert group.name == "/entry/figures/stress_by_state"
        check_picture(group)
        signal = group.attrs["signal"]
        assert group[signal].attrs["units"] == "MPa"
        errors = group[f"{signal}_errors"]
        assert errors.shape == group[signal].shape
        assert np.all(errors[()] > 0.0)


def test_without_figures_viewers_open_on_a_record(cell: Cell, tmp_path: Path) -> None:
    write_cell(tmp_path / "plain.nxs", cell)
    with h5py.File(tmp_path / "plain.nxs") as file:
        group = default_picture(file)
        check_picture(group)
        assert group.attrs["signal"] == "stress_hydrostatic"


def test_every_picture_in_the_file_can_be_drawn(path: Path) -> None:
    found = []

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and item.attrs.get("NX_class") == "NXdata":
            check_picture(item)
            found.append(item.name)

    with h5py.File(path) as file:
        file.visititems(visit)
    assert len(found) > 12


def test_conditions_have_units_for_other_programs(path: Path) -> None:
    with h5py.File(path) as file:
        sample = file["entry/sample"]
        assert sample.attrs["NX_class"] == "NXsample"
        assert sample["temperature"][()] == 50.0
        assert sample["temperature"].attrs["units"] == "degC"
        assert sample["pressure"].attrs["units"] == "MPa"
        assert sample["cell_diameter_um"][()] == 1600.0


def test_values_have_units_and_names(path: Path) -> None:
    with h5py.File(path) as file:
        stress = file["entry/states/01_plating_1/GrainMap/stress_hydrostatic"]
        assert stress.attrs["units"] == "MPa"
        assert stress.attrs["long_name"] == "hydrostatic stress"
        assert stress.attrs["uncertainty_field"] == "stress_hydrostatic_se"


def test_a_foreign_record_appears_by_itself(tmp_path: Path) -> None:
    record = Temperature(time=np.arange(5.0), temperature=300.0 + np.arange(5.0))
    cell = Cell("c", {}, (State("warm", 0, handles={Temperature: lambda: record}),))
    write_cell(tmp_path / "cell.nxs", cell)
    with h5py.File(tmp_path / "cell.nxs") as file:
        group = default_picture(file)
        check_picture(group)
        assert (group.attrs["signal"], list(group.attrs["axes"])) == ("temperature", ["time"])
        assert group["temperature"].attrs["units"] == "K"
    assert equal(open_cell(tmp_path / "cell.nxs").states[0][Temperature], record)


def test_a_record_of_a_missing_package_is_a_gap(tmp_path: Path) -> None:
    record = Temperature(time=np.arange(5.0), temperature=np.arange(5.0))
    cell = Cell("c", {}, (State("warm", 0, handles={Temperature: lambda: record}),))
    write_cell(tmp_path / "cell.nxs", cell)
    with h5py.File(tmp_path / "cell.nxs", "r+") as file:
        file["entry/states/00_warm/Temperature"].attrs["record"] = "no_such_package.x:Y"
    opened = open_cell(tmp_path / "cell.nxs")
    assert opened.states[0].handles == {}
    ((level, where, text),) = opened.remarks
    assert level == "gap"
    assert where.endswith("Temperature")
    assert "no_such_package" in text


def test_provenance_reads_back(path: Path) -> None:
    assert read_provenance(path) == {"raw": ["a"], "software": {"x": "1"}}


def test_a_newer_format_is_refused_by_name(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "future.nxs"
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        file.attrs["mesolith_format"] = 2
    with pytest.raises(ResultVersionError, match=r"future\.nxs: was written in format 2") as told:
        open_cell(copy)
    assert "upgrade" in str(told.value)


def test_what_is_no_cell_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no such file"):
        open_cell(tmp_path / "absent.nxs")
    (tmp_path / "text.nxs").write_text("hello", encoding="utf-8")
    with pytest.raises(FileFormatError, match="cannot be read as HDF5"):
        open_cell(tmp_path / "text.nxs")
    with h5py.File(tmp_path / "other.nxs", "w") as file:
        file["x"] = 1
    with pytest.raises(FileFormatError, match="not a cell written by mesolith"):
        open_cell(tmp_path / "other.nxs")


def test_the_first_format_stays_readable() -> None:
    cell = open_cell(FORMATS / "cell_v1.nxs")
    assert cell.name == "format 1"
    assert [state.name for state in cell.states][0::4] == ["pristine", "stripping 2"]
    assert cell.conditions["cell.diameter_um"] == 1600.0
    for state, grains in cell.having(GrainMap):
        assert len(grains) > 8
        assert grains.stress_hydrostatic is not None
        assert grains.common_modes[0].name == "reference lattice"
        assert len(state[Cycling].time) in (0, 40)
    tracking = cell.pair(0, Tracking)
    assert tracking is not None
    assert tracking.rule == "optimal"
    first = cell.states[0][GrainMap].stress_hydrostatic
    assert first is not None
    assert first[0] == pytest.approx(V1_FIRST_STRESS, rel=1e-12)
