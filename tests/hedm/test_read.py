"""Step hedm.read: the grain map of a state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.errors import ContradictionError, DuplicateError, EmptyFileError
from mesolith.hedm.read import compute, cost
from mesolith.io.midas_write import write_midas
from mesolith.io.record_file import read_record
from mesolith.pipeline.work import Remark, Source, Work, read_remarks
from mesolith.records.grains import GrainMap
from tests.io.grain_maps import columns_reordered, grain_map, grains_file


def work_on(folder: Path, *paths: Path, **settings: Any) -> Work:
    defaults: dict[str, Any] = {
        "state.grains": {"format": "midas"},
        "hedm.sigma_position_um": 20.0,
        "hedm.sigma_orientation_deg": 0.1,
        "hedm.sigma_strain": 1e-4,
        "hedm.minimum_completeness": 0.0,
        "hedm.strain_columns": "check",
    }
    named = {(f"hedm.{key}" if "." not in key else key): value for key, value in settings.items()}
    place = folder / "out"
    place.mkdir(exist_ok=True)
    sources = {"raw": tuple(Source("pristine", path) for path in paths)}
    return Work("hedm.read", "pristine", defaults | named, sources, place)


def read(folder: Path, *paths: Path, **settings: Any) -> tuple[GrainMap, list[Remark]]:
    work = work_on(folder, *paths, **settings)
    compute(work)
    return read_record(work.folder / "record.h5", GrainMap), read_remarks(work.folder)


def test_map_without_strain_and_with_assumed_errors(tmp_path: Path) -> None:
    found, remarks = read(tmp_path, grains_file(tmp_path))
    assert len(found) == 20
    assert found.strain is None
    assert found.error_source == "assumed"
    sigma = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))[0]
    assert sigma == pytest.approx(np.repeat([20.0, np.radians(0.1), 1e-4], [3, 3, 6]))
    assert [remark.level for remark in remarks] == ["assumed"]
    assert "assumed are position 20 um, orientation 0.1 deg, strain 0.0001 (" in remarks[0].text


def test_given_errors_are_no_assumption(tmp_path: Path) -> None:
    given = {"sigma_position_um": 8.0, "sigma_orientation_deg": 0.05, "sigma_strain": 5e-5}
    found, remarks = read(tmp_path, grains_file(tmp_path), **given)
    assert found.error_source == "given"
    assert found.covariance[0, 6, 6] == pytest.approx(25e-10)
    assert remarks == []


def test_one_given_error_leaves_the_others_assumed(tmp_path: Path) -> None:
    found, remarks = read(tmp_path, grains_file(tmp_path), sigma_position_um=8.0)
    assert found.error_source == "assumed"
    assert found.covariance[0, 0, 0] == pytest.approx(64.0)
    assert "assumed are orientation 0.1 deg, strain 0.0001 (" in remarks[0].text


def test_format_is_recognised(tmp_path: Path) -> None:
    found, _ = read(tmp_path, grains_file(tmp_path), **{"state.grains": {}})
    assert len(found) == 20


def test_grains_below_the_completeness_are_left_out(tmp_path: Path) -> None:
    path = grains_file(tmp_path)
    whole, _ = read(tmp_path, path)
    limit = float(np.median(whole.completeness))
    found, remarks = read(tmp_path, path, minimum_completeness=limit)
    assert len(found) == 10
    assert found.completeness.min() >= limit
    assert "10 of 20 grains" in remarks[0].text
    with pytest.raises(EmptyFileError, match="no grain reaches a completeness of 1"):
        read(tmp_path, path, minimum_completeness=1.0)


def layers(folder: Path, *, first_id: int = 21, place: str = "0.000000") -> tuple[Path, Path]:
    one = grains_file(folder)
    two = folder / "layer2.csv"
    write_midas(two, grain_map(seed=1))
    lines = two.read_text().splitlines()
    lines[3] = f"%GlobalPosition {place}"
    for k in range(9, len(lines)):
        _, rest = lines[k].split("\t", 1)
        lines[k] = f"{first_id + k - 9}\t{rest}"
    two.write_text("\n".join(lines) + "\n")
    return one, two


def test_several_files_are_one_map(tmp_path: Path) -> None:
    found, _ = read(tmp_path, *layers(tmp_path))
    assert found.grain_id.tolist() == list(range(1, 41))
    assert found.covariance.shape == (40, 12, 12)


def test_files_that_share_ids(tmp_path: Path) -> None:
    with pytest.raises(DuplicateError, match="20 grain ids occur in several files"):
        read(tmp_path, *layers(tmp_path, first_id=1))


def test_layers_at_different_positions_cannot_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ContradictionError, match="GlobalPosition is 100"):
        read(tmp_path, *layers(tmp_path, place="100.000000"))


def test_files_of_different_phases(tmp_path: Path) -> None:
    one, two = layers(tmp_path)
    two.write_text(two.read_text().replace("SpaceGroup:220", "SpaceGroup:230"))
    with pytest.raises(ContradictionError, match="phases"):
        read(tmp_path, one, two)


def test_gaps_are_remarked_where_partial_data_are_allowed(tmp_path: Path) -> None:
    path = grains_file(tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]))
    found, remarks = read(tmp_path, path, **{"run.allow_partial": True})
    assert len(found) == 18
    assert "gap" in [remark.level for remark in remarks]


def test_order_of_columns_changes_no_byte(tmp_path: Path) -> None:
    path = grains_file(tmp_path)
    read(tmp_path, path)
    plain = (tmp_path / "out/record.h5").read_bytes()
    columns_reordered(path, list(range(47))[::-1])
    read(tmp_path, path)
    assert (tmp_path / "out/record.h5").read_bytes() == plain


def test_cost_follows_the_size_of_the_files(tmp_path: Path) -> None:
    small = cost(work_on(tmp_path, grains_file(tmp_path)))
    (tmp_path / "large.csv").write_bytes(bytes(13_000_000))
    large = cost(work_on(tmp_path, tmp_path / "large.csv"))
    assert large.seconds == pytest.approx(small.seconds + 1.0, rel=0.01)
    assert large.memory_bytes > 2 * small.memory_bytes
