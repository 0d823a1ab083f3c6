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


@pytest.fixture
def demo(analysed: Path, tmp_path: Path) -> Path:
    """A copy of the demo that a test may change."""
    return Path(shutil.copytree(analysed, tmp_path / "demo"))


@pytest.fixture
def described(analysed: Path, tmp_path: Path) -> Path:
    """A copy of the demo as before its first run, without store and result, that may be changed."""
    made_by_a_run = shutil.ignore_patterns(".mesolith", "result")
    return Path(shutil.copytree(analysed, tmp_path / "demo", ignore=made_by_a_run))
