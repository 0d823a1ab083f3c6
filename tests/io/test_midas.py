"""Grains.csv: what is written is read again, whatever the version and order of columns."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesolith.crystal.elasticity import strain_from_lattice
from mesolith.errors import InvalidValueError
from mesolith.io.midas import read_midas
from mesolith.io.midas_write import COLUMNS, write_midas
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.grains import GrainMap
from tests.io.grain_maps import columns_reordered, edited, grain_map, grains_file

PRINTED = 0.5000001e-6


def assert_same_as_printed(read: GrainMap, written: GrainMap) -> None:
    assert np.array_equal(read.grain_id, written.grain_id)
    assert np.array_equal(read.phase, written.phase)
    assert np.array_equal(read.phases.space_group, written.phases.space_group)
    assert np.abs(read.position - written.position).max() <= PRINTED
    assert np.abs(read.radius - written.radius).max() <= PRINTED
    assert np.abs(read.completeness - written.completeness).max() <= PRINTED
    assert np.abs(read.lattice[:, :3] - written.lattice[:, :3]).max() <= PRINTED
    assert np.abs(np.degrees(read.lattice[:, 3:] - written.lattice[:, 3:])).max() <= PRINTED
    u, v = matrix_from_quaternion(read.orientation), matrix_from_quaternion(written.orientation)
    assert np.abs(u - v).max() <= 3 * PRINTED  # polished to a rotation after rounding


@given(n=st.integers(1, 12), seed=st.integers(0, 10_000), phases=st.integers(1, 2))
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, n: int, seed: int, phases: int
) -> None:
    path = tmp_path_factory.mktemp("midas") / "Grains.csv"
    written = grain_map(n, seed=seed, phases=phases)
    write_midas(path, written)
    found = read_midas(path)
    assert_same_as_printed(found.grain_map, written)
    contradictions = [finding for finding in found.findings if "contradict" in finding.text]
    assert contradictions == []


def test_second_writing_gives_the_same_file_but_for_rounding(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    write_midas(first, grain_map(50))
    write_midas(second, read_midas(first).grain_map)
    one, two = (
        np.array([line.split() for line in p.read_text().splitlines()[9:]], dtype=float)
        for p in (first, second)
    )
    place = [COLUMNS.index(name) for name in ("GrainID", "X", "Y", "Z", "a", "GrainRadius")]
    assert np.array_equal(one[:, place], two[:, place])
    assert np.abs(one[:, 1:10] - two[:, 1:10]).max() < 2.1e-6


@given(order=st.permutations(range(len(COLUMNS))))
def test_columns_in_any_order(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    path = grains_file(tmp_path_factory.mktemp("order"), 4)
    plain = read_midas(path).grain_map
    columns_reordered(path, order)
    found = read_midas(path).grain_map
    for field in ("grain_id", "position", "orientation", "lattice", "radius", "completeness"):
        assert np.array_equal(getattr(found, field), getattr(plain, field)), field


@pytest.mark.parametrize("left_out", [["PhaseNr"], ["RMSErrorStrain"], ["Eul0", "Eul1", "Eul2"]])
def test_versions_with_fewer_columns(tmp_path: Path, left_out: list[str]) -> None:
    path = grains_file(tmp_path)
    columns_reordered(path, [k for k, name in enumerate(COLUMNS) if name not in left_out])
    assert_same_as_printed(read_midas(path).grain_map, grain_map())


def test_a_version_with_more_columns(tmp_path: Path) -> None:
    path = grains_file(tmp_path)
    lines = path.read_text().splitlines()
    lines = [
        line + "DiffPosPre" if line.startswith("%GrainID") else line + "9.0" if k > 8 else line
        for k, line in enumerate(
            line.rstrip("\t") + "\t" * (k >= 8) for k, line in enumerate(lines)
        )
    ]
    path.write_text("\n".join(lines) + "\n")
    assert_same_as_printed(read_midas(path).grain_map, grain_map())


def test_strain_columns_are_the_strain_of_the_lattice(tmp_path: Path) -> None:
    written = grain_map(30, phases=2)
    path = tmp_path / "Grains.csv"
    write_midas(path, written)
    rows = np.array([line.split() for line in path.read_text().splitlines()[11:]], dtype=float)
    at = COLUMNS.index("eFab11")
    reference = written.phases.lattice[written.phase]
    strain = strain_from_lattice(written.lattice, reference, written.orientation)
    assert np.abs(rows[:, at : at + 9].reshape(-1, 3, 3) - 1e6 * strain).max() <= PRINTED


def test_rounded_orientations_become_proper_rotations(tmp_path: Path) -> None:
    path = grains_file(tmp_path)
    u = matrix_from_quaternion(read_midas(path).grain_map.orientation)
    assert np.abs(u @ u.swapaxes(1, 2) - np.eye(3)).max() < 1e-14
    assert np.linalg.det(u) == pytest.approx(1.0, abs=1e-14)


def test_errors_are_those_given(tmp_path: Path) -> None:
    path = grains_file(tmp_path)
    found = read_midas(
        path, sigma_position=5.0, sigma_orientation=1e-3, sigma_strain=2e-4, error_source="given"
    ).grain_map
    sigma = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))
    assert np.allclose(sigma, np.repeat([5.0, 1e-3, 2e-4], [3, 3, 6]))
    assert found.error_source == "given"
    assert read_midas(path).grain_map.error_source == "assumed"


def test_euler_angles_do_not_matter(tmp_path: Path) -> None:
    path = grains_file(tmp_path)
    plain = read_midas(path).grain_map
    edited(path, row=0, column="Eul0", value="nan")
    assert np.array_equal(read_midas(path).grain_map.orientation, plain.orientation)


def test_rows_may_be_parted_by_commas(tmp_path: Path) -> None:
    path = grains_file(tmp_path)
    head, names, *rows = path.read_text().partition("%GrainID")
    text = names + "".join(rows)
    path.write_text(head + text.replace("\t\n", "\n").replace("\t", ","))
    assert_same_as_printed(read_midas(path).grain_map, grain_map())


def test_thirty_thousand_grains_in_a_second(tmp_path: Path) -> None:
    small = grain_map(100)
    k = np.arange(30_000) % 100
    columns = {
        field: getattr(small, field)[k]
        for field in (
            *("position", "orientation", "lattice", "radius", "completeness", "phase"),
            "covariance",
        )
    }
    path = tmp_path / "Grains.csv"
    write_midas(path, dataclasses.replace(small, grain_id=np.arange(30_000), **columns))
    begin = time.process_time()
    assert len(read_midas(path).grain_map) == 30_000
    assert time.process_time() - begin < 1.0


def test_rows_left_out_are_a_gap(tmp_path: Path) -> None:
    path = grains_file(tmp_path)
    edited(path, row=3, column="X", value="nan")
    with pytest.raises(InvalidValueError, match="line 13"):
        read_midas(path)
    found = read_midas(path, allow_partial=True)
    assert found.grain_map.grain_id.tolist() == [1, 2, 3, *range(5, 21)]
    assert [finding.level for finding in found.findings] == ["gap"]
