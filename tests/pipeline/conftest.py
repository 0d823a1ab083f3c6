"""A bench for each test, and two local workers shared by a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesolith.pipeline.executors import LocalExecutor
from tests.pipeline.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def workers() -> Iterator[LocalExecutor]:
    with LocalExecutor(2) as executor:
        yield executor
