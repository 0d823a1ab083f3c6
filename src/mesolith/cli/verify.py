"""``mesolith verify``: read everything again and compare it with what was written down."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mesolith.cli.paths import add_paths, add_store

if TYPE_CHECKING:
    from mesolith.pipeline.verify import FileReport, Verification
    from mesolith.workflow.plan import Plan


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="read raw files and results again and compare them with their checksums",
        description="Hash every raw file and every stored result again. Exit code 4 where a "
        "result is damaged, 3 where a raw file is not the one that was analysed.",
    )
    add_paths(parser)
    add_store(parser)
    parser.add_argument(
        "--trace",
        action="store_true",
        help="list for each result the settings, inputs and versions it was made from",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Verify each cell; returns the worst exit code."""
    from mesolith.cli.plans import plans_of
    from mesolith.pipeline.verify import verify

    code = 0
    for plan in plans_of(arguments.paths, arguments.store):
        found = verify(plan.graph, plan.store, source=plan.experiment.path)
        changed = list(_changed_since(plan))
        print(f"{plan.experiment.name}: {_counts(found)}")
        for file in found.files:
            if file.verdict not in ("ok", "not computed"):
                print(f"  {file.verdict}: {file.about}: {file.path.name}: {file.detail}")
        for line in changed:
            print(f"  changed: {line}")
        if arguments.trace:
            print("\n".join(_trace(plan)))
        code = max(code, _code(found.files, changed))
    return code


def _changed_since(plan: Plan) -> Iterator[str]:
    """Raw files that are not the ones of the last run."""
    from mesolith.pipeline.graph import RawInput
    from mesolith.pipeline.plans import read_plan

    known = read_plan(plan.store, plan.experiment.path).parts
    said = set()
    for part in plan.graph:
        inputs = known.get(part.identity, {}).get("inputs", {})
        before = {(label, file): sha for found in inputs.values() for label, file, sha in found}
        for found in part.inputs.values():
            for source in found:
                if not isinstance(source, RawInput) or source.path in said:
                    continue
                place = (source.label, source.path.name)
                if before.get(place, source.fingerprint.sha256) != source.fingerprint.sha256:
                    said.add(source.path)
                    yield f"{source.label}: {source.path.name}: not the file of the last run"


def _counts(found: Verification) -> str:
    raw = [file for file in found.files if file.kind == "raw"]
    results = [file for file in found.files if file.kind == "result"]
    good = sum(file.verdict == "ok" for file in raw)
    sound = sum(file.verdict == "ok" for file in results)
    open_ones = sum(file.verdict == "not computed" for file in results)
    text = f"{good} of {len(raw)} raw files and {sound} of {len(results) - open_ones} result files"
    tail = f" ({open_ones} results are not computed yet)" if open_ones else ""
    return f"{text} are as they were{tail}"


def _code(files: tuple[FileReport, ...], changed: list[str]) -> int:
    from mesolith.errors import CorruptResultError, InputError

    bad = {file.kind for file in files if file.verdict not in ("ok", "not computed")}
    if "result" in bad:
        return CorruptResultError.exit_code
    return InputError.exit_code if bad or changed else 0


def _trace(plan: Plan) -> list[str]:
    """Where each result comes from, in the order of the steps."""
    import json

    lines = []
    for part in plan.graph:
        stored = plan.store.lookup(part.key)
        if stored is None:
            continue
        lines.append(f"  {part.title}  {part.key[:16]}")
        for name in ("version", "settings", "inputs", "software"):
            if facts := stored.facts.get(name):
                text = json.dumps(facts, ensure_ascii=False, sort_keys=True)
                lines.append(f"    {name}: {text}")
    return lines
