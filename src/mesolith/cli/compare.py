"""``mesolith compare``: two or more cells side by side on one page."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from mesolith.cli.results import add_results, cells_behind, refuse_output


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "compare",
        help="set two or more cells side by side on one page",
        description="Write one self-contained page on which the results of two or more cells "
        "stand side by side: conditions, stresses, spots, transitions, findings, and tests of "
        "what differs, each other cell against the first.",
    )
    add_results(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        default=Path("compare.html"),
        help="the page (default: compare.html)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say what was tested."""
    from mesolith.cli.sizes import counted
    from mesolith.cli.summary import shown
    from mesolith.errors import SettingsError
    from mesolith.pipeline.faults import storage
    from mesolith.workflow.comparison import compare_cells

    cells = cells_behind(arguments.paths)
    if len(cells) < 2:
        raise SettingsError(
            f"{counted(len(cells), 'cell')} behind these paths: a comparison needs two or more",
            remedy="`mesolith report` shows one cell.",
        )
    output: Path = arguments.output
    refuse_output(output, arguments.paths)
    with storage(output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
        found = compare_cells(cells, output)
    counts = Counter(difference.verdict for difference in found)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    names = ", ".join(cell.name for cell in cells)
    print(f"{counted(len(cells), 'cell')}: {names}")
    print(f"{counted(len(found), 'difference')} tested{f': {told}' if told else ''}")
    print(f"comparison: {shown(output)}")
    return 0
