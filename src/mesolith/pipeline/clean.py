"""Remove from a store what no present cell.toml reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mesolith.errors import StoreError
from mesolith.pipeline.disk import remove_tree
from mesolith.pipeline.faults import storage
from mesolith.pipeline.graph import Graph
from mesolith.pipeline.plans import forget_plan, read_plans
from mesolith.pipeline.store import Store


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed, or would be: results, leftovers of killed runs, bytes on disk."""

    results: int
    leftovers: int
    freed_bytes: int


def clean(store: Store, graphs: Mapping[Path, Graph], *, dry_run: bool = False) -> Cleaned:
    """Remove results that no graph reaches, and what killed runs left behind.

    Parameters
    ----------
    graphs
        Graph of each present cell.toml, by its path. What a cell.toml that is not among them
        wanted last stays while that file exists.

    Raises
    ------
    StoreError
        A run is in progress on this store.
    """
    running = store.runs_in_progress()
    if running:
        raise StoreError(
            f"a run is in progress on this store ({running[0]})",
            where=str(store.root),
            remedy="Wait for its end, or stop it; then clean.",
        )
    wanted = {part.key for graph in graphs.values() for part in graph}
    present = {path.resolve() for path in graphs}
    gone = []
    for plan in read_plans(store):
        if plan.source.resolve() in present:
            continue
        if plan.source.is_file():
            wanted |= plan.keys()
        else:
            gone.append(plan)
    useless = [key for key in store.all_keys() if key not in wanted]
    leftovers = store.leftovers()
    with storage(store.root):
        freed = sum(_bytes_below(store.folder(key)) for key in useless)
        freed += sum(_bytes_below(path) for path in leftovers)
        if not dry_run:
            for key in useless:
                store.remove(key)
            for path in leftovers:
                remove_tree(path)
            for plan in gone:
                forget_plan(store, plan)
    return Cleaned(len(useless), len(leftovers), freed)


def _bytes_below(folder: Path) -> int:
    if folder.is_file():
        return folder.stat().st_size
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
