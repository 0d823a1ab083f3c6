"""``mesolith report``: write the result folder again from what the store holds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mesolith.cli.paths import add_paths, add_store


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="write the report again, and open it",
        description="Write result/ again from what the store holds: figures, tables, cell.nxs and "
        "the page. Nothing is measured anew: where a step is missing, `mesolith run` is asked for.",
    )
    add_paths(parser)
    add_store(parser)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder of the result (default: result)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write each report and print where it is."""
    from mesolith.cli.plans import plans_of
    from mesolith.cli.summary import shown
    from mesolith.errors import InputError
    from mesolith.pipeline.inspection import current_findings
    from mesolith.workflow import run_cell
    from mesolith.workflow.result import RESULT_STEPS

    code = 0
    for plan in plans_of(arguments.paths, arguments.store):
        findings = current_findings(plan.store, plan.graph)
        missing = dict.fromkeys(
            part.title
            for part in plan.graph
            if findings[part.key].stored is None and part.step not in RESULT_STEPS
        )
        if missing:
            raise InputError(
                f"{len(missing)} parts are not computed yet, such as {next(iter(missing))}",
                where=shown(plan.experiment.path),
                remedy="`mesolith run` computes them and writes the report.",
            )
        finished = run_cell(
            plan.experiment,
            store=plan.store.root,
            result=arguments.output,
            allow_partial=plan.allow_partial,
        )
        for failure in finished.outcome.failures:
            print(f"{type(failure.error).__name__}: {failure.error}", file=sys.stderr)
            code = code or failure.error.exit_code
        if finished.result is not None:
            page = finished.result / "report.html"
            print(f"report: {shown(page)}")
            if arguments.open:
                _open(page)
    return code


def _open(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        print("No browser was found; open the file by hand.")
