"""``mesolith status``: what is done and what is missing, by step and state."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mesolith.cli.paths import add_paths, add_store

if TYPE_CHECKING:
    from mesolith.pipeline.graph import PartSpec
    from mesolith.pipeline.store import Finding
    from mesolith.workflow.plan import Plan


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "status",
        help="say what is done and what is missing, by step and state",
        description="Say for each step and state whether its result is in the store.",
    )
    add_paths(parser)
    add_store(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the state of each cell."""
    from mesolith.cli.plans import plans_of

    for plan in plans_of(arguments.paths, arguments.store):
        print("\n".join(status_lines(plan)))
    return 0


def status_lines(plan: Plan) -> list[str]:
    """One line a step: how many parts are done, and the states of the others."""
    from mesolith.cli.summary import shown
    from mesolith.pipeline.inspection import current_findings
    from mesolith.workflow.plan import result_place

    findings = current_findings(plan.store, plan.graph)
    steps: dict[str, list[PartSpec]] = {}
    for part in plan.graph:
        steps.setdefault(part.step, []).append(part)
    width = max(len(step) for step in steps)
    lines = [f"{plan.experiment.name}: {shown(plan.experiment.path)}"]
    for step, parts in steps.items():
        done = sum(findings[part.key].stored is not None for part in parts)
        line = f"  {step:{width}}  {done} of {len(parts)}"
        open_ones = _open(parts, findings)
        lines.append(f"{line}  {open_ones}" if open_ones else f"{line}  done")
    report = result_place(plan.experiment, None) / "report.html"
    there = shown(report) if report.is_file() else "none yet"
    return [*lines, f"  report: {there}"]


def _open(parts: list[PartSpec], findings: dict[str, Finding]) -> str:
    """Labels of what is missing or damaged."""
    missing: dict[str, None] = {}
    damaged: dict[str, None] = {}
    for part in parts:
        finding = findings[part.key]
        if finding.damage is not None:
            damaged[part.label] = None
        elif finding.stored is None:
            missing[part.label] = None
    words = []
    if missing:
        words.append(f"missing: {', '.join(missing)}")
    if damaged:
        words.append(f"damaged: {', '.join(damaged)}")
    return "; ".join(words)
