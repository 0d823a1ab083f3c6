"""The result folder: the old one or the new one, never something between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesolith.errors import OutputPlaceError
from mesolith.pipeline import publish as module
from mesolith.pipeline.publish import CONTENTS_FILE, publish, replacing
from mesolith.pipeline.verify import verify_published

SCRIPT = """
import sys
from pathlib import Path
from mesolith.pipeline.publish import replacing
k = 0
while True:
    k += 1
    with replacing(Path(sys.argv[1])) as new:
        for name in ("a", "b", "c"):
            (new / name).write_text(str(k))
    print(k, flush=True)
"""


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Path]:
    source = tmp_path / "made"
    source.mkdir()
    (source / "r").write_text("report")
    (source / "t").write_text("table")
    return {"report.html": source / "r", "tables/grains.csv": source / "t"}


def test_files_are_put_in_place(tmp_path: Path, made: dict[str, Path]) -> None:
    publish(tmp_path / "result", made)
    assert names(tmp_path / "result") == [".mesolith-result", "report.html", "tables/grains.csv"]
    assert (tmp_path / "result" / "tables" / "grains.csv").read_text() == "table"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made", "result"]


def test_old_files_go_and_those_of_the_user_stay(tmp_path: Path, made: dict[str, Path]) -> None:
    result = tmp_path / "result"
    publish(result, made)
    (result / "notes").mkdir()
    (result / "notes" / "mine.txt").write_text("keep me")
    publish(result, {"report.html": made["tables/grains.csv"]})
    assert names(result) == [".mesolith-result", "notes/mine.txt", "report.html"]
    assert (result / "notes" / "mine.txt").read_text() == "keep me"
    assert (result / "report.html").read_text() == "table"
    publish(result, made)
    assert "notes/mine.txt" in names(result)


def test_the_list_of_an_earlier_version_has_no_checksums(
    tmp_path: Path, made: dict[str, Path]
) -> None:
    result = tmp_path / "result"
    publish(result, made)
    assert [report.verdict for report in verify_published(result)] == ["ok", "ok"]
    (result / CONTENTS_FILE).write_text('["report.html", "tables/grains.csv"]')
    (result / "report.html").write_text("edited")
    (result / "tables/grains.csv").unlink()
    assert [report.verdict for report in verify_published(result)] == ["ok", "missing"]
    publish(result, {"report.html": made["report.html"]})
    assert names(result) == [".mesolith-result", "report.html"]


def test_an_edit_of_the_result_never_reaches_the_store(
    tmp_path: Path, made: dict[str, Path]
) -> None:
    os.chmod(made["report.html"], 0o444)
    publish(tmp_path / "result", made)
    (tmp_path / "result" / "report.html").write_text("edited")
    assert made["report.html"].read_text() == "report"


def test_large_files_are_not_copied(
    tmp_path: Path, made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINK_FROM_BYTES", 6)
    publish(tmp_path / "result", made)
    assert (tmp_path / "result" / "report.html").samefile(made["report.html"])
    assert not (tmp_path / "result" / "tables" / "grains.csv").samefile(made["tables/grains.csv"])


def fill_half(result: Path) -> None:
    with replacing(result) as new:
        (new / "report.html").write_text("half")
        raise ZeroDivisionError


def test_an_error_leaves_the_old_result(tmp_path: Path, made: dict[str, Path]) -> None:
    result = tmp_path / "result"
    publish(result, made)
    with pytest.raises(ZeroDivisionError):
        fill_half(result)
    assert (result / "report.html").read_text() == "report"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made", "result"]


def test_a_folder_of_the_user_is_not_replaced(tmp_path: Path, made: dict[str, Path]) -> None:
    home = tmp_path / "Documents"
    home.mkdir()
    publish(home, {})
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    with pytest.raises(OutputPlaceError, match=r"thesis\.tex"):
        publish(tmp_path / "thesis", made)
    assert names(tmp_path / "thesis") == ["thesis.tex"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputPlaceError, match="a file is in the way"):
        publish(tmp_path / "file", made)


@pytest.mark.skipif(os.name == "nt", reason="kills a process")
def test_killed_at_any_moment_the_result_is_whole(tmp_path: Path) -> None:
    result = tmp_path / "result"
    for round_ in range(8):
        command = [sys.executable, "-c", SCRIPT, str(result)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.003 * round_)
            child.send_signal(signal.SIGKILL)
        with pytest.raises(ZeroDivisionError):
            fill_half(result)  # cleans, and leaves what was there
        texts = {(result / name).read_text() for name in "abc"}
        assert len(texts) == 1
        assert [p.name for p in tmp_path.iterdir()] == ["result"]
