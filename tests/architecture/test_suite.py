"""The suite itself: what its processes share, and when there are several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from tests.conftest import MOST_PROCESSES, pytest_xdist_auto_num_workers

MadeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.mark.parametrize(
    ("arguments", "one"),
    [
        (["tests"], False),
        (["tests/link", "tests/cli/test_run.py"], False),
        (["tests/cli/test_run.py"], True),
        (["tests/cli/test_run.py::test_sizes"], True),
    ],
)
def test_files_that_are_named_run_in_one_process(arguments: list[str], one: bool) -> None:
    count = pytest_xdist_auto_num_workers(SimpleNamespace(args=arguments))  # type: ignore[arg-type]
    assert count == 0 if one else 1 <= count <= MOST_PROCESSES


def test_what_is_shared_is_made_once(made_once: MadeOnce) -> None:
    name = uuid4().hex
    makers: list[str] = []

    def make(folder: Path) -> None:
        makers.append(folder.name)
        (folder / "made").write_text("whole", encoding="utf-8")

    folders = {made_once(name, make) for _ in range(3)}
    assert makers == [name]
    assert [(folder / "made").read_text(encoding="utf-8") for folder in folders] == ["whole"]


def test_what_could_not_be_made_fails_for_all_who_ask(made_once: MadeOnce) -> None:
    name = uuid4().hex

    def fail(folder: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        made_once(name, fail)
    with pytest.raises(AssertionError, match="could not be made"):
        made_once(name, fail)
