"""A run in a process of its own, for tests that kill it, starve it or run it twice.

``python -m tests.faults.store_run FOLDER WORKERS [SECONDS] [MEGABYTES] [COMPUTE]``; no workers:
the process itself computes.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from mesolith.errors import MesolithError
from mesolith.pipeline.executors import LocalExecutor
from mesolith.pipeline.graph import Graph
from tests.pipeline.bench import Bench, part


def wide_graph(
    bench: Bench, *, seconds: float = 0.0, megabytes: int = 0, compute: str = "many_bytes"
) -> Graph:
    """Six readers, one of them with large output, a join of each pair, and an end on all."""
    graph = Graph()
    read = [
        graph.add(part(f"{k}", "slow", raw=bench.raw(f"{k}.txt"), settings={"seconds": seconds}))
        for k in range(6)
    ]
    pairs = [graph.add(part(f"{a.label}-{b.label}", after=[a, b])) for a, b in pairwise(read)]
    graph.add(part("seed", "noise", after=pairs[:2]))
    graph.add(part("end", after=pairs))
    if megabytes:
        graph.add(part("many", compute, settings={"megabytes": megabytes}))
    return graph


def main(words: list[str]) -> int:
    """Run; print how many parts were computed, or the error."""
    folder, workers, *more = words
    seconds, megabytes, compute = [*more, *("0", "0", "many_bytes")[len(more) :]]
    try:
        bench = Bench(Path(folder))
        graph = wide_graph(bench, seconds=float(seconds), megabytes=int(megabytes), compute=compute)
        with LocalExecutor(int(workers)) if int(workers) else ThreadPoolExecutor(1) as executor:
            outcome = bench.run(graph, executor)
        outcome.raise_first_error()
    except MesolithError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return error.exit_code
    print(f"computed {len(outcome.computed)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
