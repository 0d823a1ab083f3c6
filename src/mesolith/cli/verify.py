"""``mesolith verify``: read everything again and compare it with what was written down."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.cli.paths import add_paths, add_store

if TYPE_CHECKING:
    from mesolith.pipeline.verify import FileReport
    from mesolith.workflow.plan import Plan

_WORDS = {
    "raw": "raw files",
    "result": "files in the store",
    "published": "files in the result folder",
}
_REMEDIES = {
    "raw": "Put the raw file back, or run `mesolith run`: it computes again what hangs on it.",
    "result": "`mesolith run` computes the damaged result again.",
    "published": "`mesolith report` writes the result folder again.",
}
_COPIED = "Copy the result folder again, or write it with `mesolith report` where the cell is."


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="read raw files and results again and compare them with their checksums",
        description="Hash every raw file, every stored result and every file of the result folder "
        "again. PATH may also be a result folder that was copied alone. Exit code 4 where a "
        "result is damaged or edited, 3 where a raw file is not the one that was analysed.",
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
    """Verify each cell, and each result folder that was copied alone; the worst exit code."""
    from mesolith.cli.plans import plans_of
    from mesolith.pipeline.verify import verify, verify_published
    from mesolith.workflow.plan import result_place

    alone = [path for path in arguments.paths if _is_result(path)]
    code = 0
    for folder in alone:
        code = max(code, _say(str(folder), verify_published(folder), folder, copied=True))
    paths = [path for path in arguments.paths if path not in alone]
    for plan in plans_of(paths, arguments.store) if paths else ():
        files = verify(plan.graph, plan.store, source=plan.experiment.path).files
        result = result_place(plan.experiment, None)
        if result.is_dir():
            files += verify_published(result)
        code = max(code, _say(plan.experiment.name, files, plan.experiment.folder))
        if not result.is_dir():
            print("  there is no result folder here: `mesolith report` writes it")
        if arguments.trace:
            print("\n".join(_trace(plan)))
    return code


def _is_result(path: Path) -> bool:
    """A result folder, such as one that was copied to another machine."""
    from mesolith.pipeline.publish import CONTENTS_FILE

    own = path.is_dir() and not (path / "cell.toml").is_file()
    return own and ((path / CONTENTS_FILE).is_file() or (path / "report.html").is_file())


def _say(name: str, files: Sequence[FileReport], folder: Path, *, copied: bool = False) -> int:
    """Print the counts and every file that is not as it was; returns the exit code."""
    from mesolith.errors import CorruptResultError, InputError

    print(f"{name}: {_counts(files)}")
    bad = [file for file in files if file.verdict not in ("ok", "not computed")]
    for file in bad:
        place = file.path
        shown = place.relative_to(folder) if place.is_relative_to(folder) else place
        where = shown.as_posix() if file.kind != "result" else place.name[:12]
        print(f"  {file.verdict}: {file.about}: {where}: {file.detail}")
    kinds = dict.fromkeys(file.kind for file in bad)
    for kind in kinds:
        print(f"  {_COPIED if copied else _REMEDIES[kind]}")
    if "result" in kinds or "published" in kinds:
        return CorruptResultError.exit_code
    return InputError.exit_code if bad else 0


def _counts(files: Sequence[FileReport]) -> str:
    told = []
    for kind, words in _WORDS.items():
        these = [file for file in files if file.kind == kind and file.verdict != "not computed"]
        if these or kind != "published":
            good = sum(file.verdict == "ok" for file in these)
            told.append(f"{good} of {len(these)} {words}")
    if all(file.kind == "published" for file in files):
        told = told[-1:]
    open_ones = sum(file.verdict == "not computed" for file in files)
    tail = f" ({open_ones} results are not computed yet)" if open_ones else ""
    *first, last = told
    return f"{', '.join(first)}{' and ' if first else ''}{last} are as they were{tail}"


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
