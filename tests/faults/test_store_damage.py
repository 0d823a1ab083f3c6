"""Whatever happens to a file of the store: only the part it belongs to is computed again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.store_run import wide_graph
from tests.pipeline.bench import Bench, flip_bit, tree_digest


def flip_first(path: Path) -> None:
    flip_bit(path, 0)


def flip_middle(path: Path) -> None:
    flip_bit(path, path.stat().st_size // 2, bit=6)


def truncate(path: Path) -> None:
    os.chmod(path, 0o600)
    os.truncate(path, path.stat().st_size // 2)


def grow(path: Path) -> None:
    os.chmod(path, 0o600)
    with open(path, "ab") as file:
        file.write(b"\0")


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [flip_first, flip_middle, truncate, grow, remove])
def test_each_file_of_the_store_in_turn(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    bench = Bench(tmp_path)
    graph = wide_graph(bench)
    assert bench.run(graph).complete
    sound = tree_digest(bench.store.results)
    files = sorted(path for path in bench.store.root.rglob("*") if path.is_file())
    assert len(files) > 2 * len(graph)
    for file in files:
        if file.stat().st_size == 0 or not file.exists():
            continue
        harm(file)
        again = Bench(tmp_path)
        outcome = again.run(wide_graph(again))
        assert outcome.complete
        owner = file.relative_to(bench.store.root).parts
        expected = {owner[2]} if owner[0] == "results" else set()
        assert {part.key for part in outcome.computed} == expected, file
        assert tree_digest(bench.store.results) == sound
