"""A small virtual cell, written and analysed once for all commands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mesolith.cli.main import main

Said = tuple[int, str, str]


@pytest.fixture
def mesolith(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """``mesolith("check", path)``: exit code, standard output, standard error."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a demo that was run; tests that change it take `demo`."""
    folder = tmp_path_factory.mktemp("analysed") / "demo"
    words = ["demo", str(folder), "--preset", "tiny", "--workers", "1", "--quiet"]
    assert main(words) == 0
    return folder


@pytest.fixture
def demo(analysed: Path, tmp_path: Path) -> Path:
    """A copy of the demo that a test may change."""
    return Path(shutil.copytree(analysed, tmp_path / "demo"))
