"""VTKHDF time series: the layout that the specification asks for, and the numbers in it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from mesolith.errors import InputError, InvalidValueError
from mesolith.hedm.exports import write_paraview
from mesolith.io.vtkhdf import PointStep, write_point_series
from mesolith.records.cell import Cell
from mesolith.records.grains import GrainMap
from tests.report.synthetic_cell import synthetic_cell


def test_each_step_stands_at_its_offset(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    sizes = (5, 0, 7)
    steps = [
        PointStep(float(k), rng.normal(size=(n, 3)), {"h": rng.normal(size=n), "id": np.arange(n)})
        for k, n in enumerate(sizes)
    ]
    write_point_series(tmp_path / "a.vtkhdf", steps)
    with h5py.File(tmp_path / "a.vtkhdf") as file:
        root = file["VTKHDF"]
        assert bytes(root.attrs["Type"]) == b"PolyData"
        assert list(root.attrs["Version"]) == [2, 3]
        assert root["Steps"].attrs["NSteps"] == 3
        assert list(root["Steps/Values"]) == [0.0, 1.0, 2.0]
        assert list(root["NumberOfPoints"]) == list(sizes)
        assert list(root["Vertices/NumberOfCells"]) == list(sizes)
        assert root["Steps/CellOffsets"].shape == (3, 4)
        for kind in ("Lines", "Polygons", "Strips"):
            assert list(root[kind]["NumberOfCells"]) == [0, 0, 0]
            assert list(root[kind]["Offsets"]) == [0, 0, 0]
        cells = root["Vertices/Offsets"][()]
        for k, step in enumerate(steps):
            start = root["Steps/PointOffsets"][k]
            rows = slice(start, start + sizes[k])
            assert np.allclose(root["Points"][rows], step.position, atol=1e-6)
            assert np.allclose(root["PointData/h"][rows], step.data["h"], atol=1e-6)
            assert np.array_equal(root["PointData/id"][rows], step.data["id"])
            assert root["Steps/PointDataOffsets/h"][k] == start
            # offsets have one entry more than cells in every part
            own = cells[start + k : start + k + sizes[k] + 1]
            assert np.array_equal(own, np.arange(sizes[k] + 1))


def test_steps_that_differ_are_refused(tmp_path: Path) -> None:
    one = PointStep(0.0, np.zeros((1, 3)), {"a": np.zeros(1)})
    two = PointStep(1.0, np.zeros((1, 3)), {"b": np.zeros(1)})
    with pytest.raises(InvalidValueError, match="the first has"):
        write_point_series(tmp_path / "a.vtkhdf", [one, two])
    with pytest.raises(InvalidValueError, match="no step"):
        write_point_series(tmp_path / "a.vtkhdf", [])


def test_grains_carry_their_life_through_the_states(tmp_path: Path) -> None:
    cell = synthetic_cell(n=60)
    write_paraview(cell, tmp_path / "grains.vtkhdf")
    with h5py.File(tmp_path / "grains.vtkhdf") as file:
        root = file["VTKHDF"]
        counts = list(root["NumberOfPoints"])
        assert counts == [len(grains) for _, grains in cell.having(GrainMap)]
        life = np.split(root["PointData/life"][()], np.cumsum(counts)[:-1])
        position = np.split(root["Points"][()], np.cumsum(counts)[:-1])
        shared, first, second = np.intersect1d(life[0], life[1], return_indices=True)
        assert len(shared) > 50
        away = np.linalg.norm(position[0][first] - position[1][second], axis=1)
        assert np.max(away) < 60.0
        grains = cell.states[0][GrainMap]
        assert grains.stress is not None
        six = root["PointData/stress_mpa"][: counts[0]]
        assert np.allclose(six[:, 3], grains.stress[:, 1, 2], atol=1e-3)


def test_a_cell_without_grains_has_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no grain map"):
        write_paraview(Cell("c", {}, ()), tmp_path / "x.vtkhdf")
