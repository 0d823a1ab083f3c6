"""Threads that share a grid in blocks which depend on the grid alone.

Sums over blocks are added in the blocks' order, so a result is the same for any number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CELLS_PER_BLOCK = 250_000
MOST_BLOCKS = 32


class Crew:
    """Runs a kernel over blocks of planes; the blocks depend on the grid alone."""

    def __init__(self, pool: ThreadPoolExecutor | None) -> None:
        self._pool = pool

    def planes(self, kernel: Callable[..., Any], grid: Array, *arguments: Any) -> list[Any]:
        """Call ``kernel(*arguments, lo, hi)`` for blocks of the planes of a padded grid."""
        count = grid.shape[0] - 2
        blocks = max(1, min(MOST_BLOCKS, count, grid.size // CELLS_PER_BLOCK))
        edges = [1 + count * k // blocks for k in range(blocks + 1)]
        if blocks == 1 or self._pool is None:
            return [kernel(*arguments, lo, hi) for lo, hi in pairwise(edges)]
        waiting = [self._pool.submit(kernel, *arguments, lo, hi) for lo, hi in pairwise(edges)]
        return [one.result() for one in waiting]

    def pieces(self, kernel: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call a kernel on the same flat pieces of all arrays; other arguments are passed on."""
        size = next(a.size for a in arguments if isinstance(a, np.ndarray))
        blocks = max(1, min(MOST_BLOCKS, size // CELLS_PER_BLOCK))
        calls = []
        for k in range(blocks):
            part = slice(size * k // blocks, size * (k + 1) // blocks)
            calls.append(
                [a.reshape(-1)[part] if isinstance(a, np.ndarray) else a for a in arguments]
            )
        if blocks == 1 or self._pool is None:
            return [kernel(*call) for call in calls]
        waiting = [self._pool.submit(kernel, *call) for call in calls]
        return [one.result() for one in waiting]


@contextmanager
def crew_of(threads: int | None) -> Iterator[Crew]:
    """A crew of so many threads, of the machine's number where None."""
    count = threads or os.cpu_count() or 1
    if count == 1:
        yield Crew(None)
        return
    with ThreadPoolExecutor(count) as pool:
        yield Crew(pool)
