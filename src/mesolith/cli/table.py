"""``mesolith table``: one row a cell."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mesolith.cli.results import add_results, cells_behind, refuse_output


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "table",
        help="list the results of cells, one row each",
        description="Print one row a cell: states, grains, mean and spread of stress, extremes, "
        "findings, charge, failure and conditions. --output writes all columns, with their errors "
        "and units, as CSV.",
    )
    add_results(parser)
    parser.add_argument("--output", type=Path, metavar="FILE.csv", help="write all columns as CSV")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table; write the CSV where one is wanted."""
    from mesolith.cli.summary import shown
    from mesolith.io.tables import write_table
    from mesolith.pipeline.faults import storage
    from mesolith.report.cell_facts import columns_of_facts, facts
    from mesolith.report.memory import remembering

    if arguments.output is not None:
        refuse_output(arguments.output, arguments.paths)
    rows = [facts(remembering(cell)) for cell in cells_behind(arguments.paths)]
    shorts = [k for k, fact in enumerate(rows[0]) if fact.short is not None]
    head = [str(rows[0][k].short) for k in shorts]
    print("\n".join(_aligned([head, *([row[k].text for k in shorts] for row in rows)])))
    print("Stresses in MPa, hydrostatic, of the last state; extremes of all states (68 %).")
    if arguments.output is not None:
        output: Path = arguments.output
        with storage(output.parent):
            output.parent.mkdir(parents=True, exist_ok=True)
            write_table(output, columns_of_facts(rows))
        print(f"table: {shown(output)}")
    return 0


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts as lines of columns: the first to the left, the others to the right."""
    widths = [max(len(text) for text in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if k == 0 else text.rjust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
