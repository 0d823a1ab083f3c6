"""`mesolith demo`: a virtual cell from files to report, and nothing overwritten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def test_a_demo_that_is_there_is_not_made_again(mesolith, demo: Path) -> None:
    cell = demo / "cell.toml"
    before = cell.stat().st_mtime_ns
    code, said, _ = mesolith("demo", demo, "--preset", "tiny", "--workers", "1")
    assert code == 0
    assert "work: 0 parts computed" in said
    assert cell.stat().st_mtime_ns == before
    assert re.search(r"^[\d,]+ grains x 5 states$", said, re.MULTILINE)
    assert re.search(r"^demo: [\d.]+ s \(", said, re.MULTILINE)


def test_another_seed_makes_another_cell_in_a_demo_folder(
    mesolith, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesolith.cli.run.run_one", lambda *_: 0)
    grains = demo / "raw/pristine/Grains.csv"
    before = grains.read_bytes()
    assert mesolith("demo", demo, "--preset", "tiny", "--quiet", "--seed", "2")[0] == 0
    assert grains.read_bytes() != before


def test_a_folder_that_the_demo_did_not_make_is_left_alone(mesolith, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    code, _, error = mesolith("demo", tmp_path)
    assert (code, error.partition(":")[0]) == (3, "OutputPlaceError")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    code, _, error = mesolith("demo", tmp_path / "mine.txt")
    assert code == 3


def test_an_unknown_preset_is_refused(mesolith, tmp_path: Path) -> None:
    code, _, error = mesolith("demo", tmp_path / "demo", "--preset", "huge")
    assert (code, "Presets: tiny, demo" in error) == (3, True)
