"""Steps, parts, the store and the executors. Nothing in here knows any science.

How it is used, from files to verified results::

    from pathlib import Path
    from mesolith.pipeline.engine import execute
    from mesolith.pipeline.executors import LocalExecutor
    from mesolith.pipeline.graph import Graph, PartInput, PartSpec, raw_inputs
    from mesolith.pipeline.place import refuse_inside
    from mesolith.pipeline.store import Store

    refuse_inside(place, raw_files, project=cell_toml.parent)      # before anything is written
    store = Store.open(place)
    graph = Graph()
    read = graph.add(PartSpec(
        step="hedm.read", version=1, label="pristine", compute="mesolith.hedm.read:compute",
        settings={"hedm.sigma_strain": 1e-4},
        inputs={"raw": raw_inputs(store.fingerprints, "pristine", [Path("Grains.csv")])},
    ))
    graph.add(PartSpec(
        step="link.stress", version=1, label="pristine", compute="mesolith.link.stress:compute",
        inputs={"hedm.read": (PartInput("pristine", read.key),)},
    ))
    with LocalExecutor(workers=2) as executor:
        outcome = execute(graph, store, executor, source=cell_toml, progress=listener)
    folder = outcome.results[read.key].folder                      # record.h5, remarks.json

A part is added after its inputs, so a graph is always in order. `PartSpec.group` names the cell
where a project has several. `Graph.upstream(keys)` is the smaller graph for ``--state`` or
``--only``.

| wanted | found in |
|---|---|
| run | `engine.execute` -> `engine.Outcome` (results, computed, reused, failures, skipped) |
| progress and estimate | `progress.Progress`, `progress.Estimate` |
| ``--dry-run``, ``status`` | `dryrun.preview` |
| ``verify``; where a number comes from | `verify.verify`, `verify.trace` |
| ``clean`` | `clean.clean` |
| the result folder | `publish.replacing` (a folder to fill), `publish.publish` (files to copy) |
| ``--scheduler`` | `dask_executor.DaskExecutor` |
| durations, hosts, memory | `journal.read_journal(store.journal_file)` |

`execute` raises what concerns the whole run (`StoreFullError`, `StorePermissionError`,
`RunInterrupted`); the errors of parts are in the outcome, and `Outcome.raise_first_error` raises
the first. Parts must be importable by name: a worker is a process of its own.
"""
