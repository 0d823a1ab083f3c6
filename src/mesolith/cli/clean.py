"""``mesolith clean``: free the disk of what no present cell.toml reaches."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.cli.paths import add_paths, add_store

if TYPE_CHECKING:
    from mesolith.pipeline.graph import Graph
    from mesolith.pipeline.store import Store


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "clean",
        help="remove from the store what no present cell.toml reaches",
        description="Remove stored results that no present cell.toml reaches, and what killed "
        "runs left behind. Raw files and result folders stay as they are.",
    )
    add_paths(parser)
    add_store(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Clean each store once."""
    from mesolith.cli.plans import plans_of
    from mesolith.cli.sizes import text_from_size
    from mesolith.cli.summary import shown
    from mesolith.pipeline.clean import clean

    stores: dict[Path, tuple[Store, dict[Path, Graph]]] = {}
    for plan in plans_of(arguments.paths, arguments.store):
        _, graphs = stores.setdefault(plan.store.root, (plan.store, {}))
        graphs[plan.experiment.path] = plan.graph
    for store, graphs in stores.values():
        done = clean(store, graphs, dry_run=arguments.dry_run)
        verb = "would free" if arguments.dry_run else "freed"
        print(
            f"{shown(store.root)}: {done.results} results and {done.leftovers} leftovers, "
            f"{verb} {text_from_size(done.freed_bytes)}"
        )
    return 0
