"""What of a graph is in the store, verified before anything runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from mesolith.pipeline.graph import Graph
from mesolith.pipeline.store import Finding, Store


def current_findings(store: Store, graph: Graph) -> dict[str, Finding]:
    """Findings by key.

    What a missing part is going to read is verified thoroughly, so that no result is computed
    from a large file that rotted unseen.
    """
    findings = _examined(store, [part.key for part in graph], thorough=False)
    checked: set[str] = set()
    while True:
        read = {
            source.key
            for part in graph
            if findings[part.key].stored is None
            for source in part.part_inputs
            if findings[source.key].stored is not None
        }
        if not read - checked:
            return findings
        findings.update(_examined(store, sorted(read - checked), thorough=True))
        checked |= read


def _examined(store: Store, keys: Iterable[str], *, thorough: bool) -> dict[str, Finding]:
    listed = list(keys)
    if not listed:
        return {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = pool.map(lambda key: store.examine(key, thorough=thorough), listed)
        return dict(zip(listed, found, strict=True))
