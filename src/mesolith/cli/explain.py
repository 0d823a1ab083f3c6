"""``mesolith explain``: what a key of cell.toml means."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "explain",
        help="say what a key of cell.toml means",
        description="Say what a key or a table of cell.toml means: kind, unit, range, default. "
        "Without a key, list all of them.",
    )
    parser.add_argument(
        "key", metavar="KEY", nargs="?", help='such as "conditions.stack_pressure_mpa"'
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--schema", action="store_true", help="print the JSON schema for editors")
    form.add_argument("--markdown", action="store_true", help="print the page of the docs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation."""
    from mesolith.experiment.catalogue import catalogue
    from mesolith.experiment.explain import explain, json_schema, settings_page
    from mesolith.techniques import all_techniques

    keys = catalogue(all_techniques())
    if arguments.schema:
        print(json.dumps(json_schema(keys), indent=1, ensure_ascii=False))
    elif arguments.markdown:
        print(settings_page(keys))
    elif arguments.key is None:
        for entry in keys.entries():
            print(f"{entry.key}: {entry.setting.help}")
    else:
        print("\n\n".join(explain(entry) for entry in keys.find(arguments.key)))
    return 0
