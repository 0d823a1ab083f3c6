"""House style that a machine can read: length, names, leftovers, docstrings."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.house import ROOT, SOURCE, python_files, trees

MOST_LINES = 500
TEXTS = {".py", ".md", ".toml", ".js", ".css", ".cff", ".cif", ".txt", ".json", ".yml", ".yaml", ""}
# Written so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:w.rk|h.me|r.ot|t.p|Us.rs|f.rm)/[A-Za-z]")
LEFTOVER = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X)\b|NotImplemented[E]rror")
Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def tracked_files() -> list[Path]:
    """Files of the repository, from git; from the tree where this is no clone."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        folders = ("src", "tests", "docs", "benchmarks", "tools", ".ci")
        paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return [path for path in paths if path.is_file() and path.suffix in TEXTS]


def lines_matching(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file in files
        for number, line in enumerate(
            file.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if pattern.search(line)
    ]


def test_no_source_file_holds_more_than_one_concept() -> None:
    long = {
        str(file.relative_to(ROOT)): count
        for file in python_files()
        if (count := len(file.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_no_room_for_odds_and_ends() -> None:
    odd = {"utils", "util", "helpers", "misc", "common", "tools"}
    assert not [file for file in python_files() if file.stem in odd or file.parent.name in odd]


def test_nothing_is_left_unfinished() -> None:
    assert lines_matching(LEFTOVER, [f for f in tracked_files() if f.suffix == ".py"]) == []


def test_no_path_of_a_machine() -> None:
    assert lines_matching(MACHINE_PATH, tracked_files()) == []


@pytest.mark.parametrize(
    ("line", "is_path"),
    [
        ("open('/" + "home/ada/x')", True),
        ("see docs/" + "work/plan", False),
        ("https://example.org/" + "home/page", False),
        ("/" + "tmp/demo", True),
    ],
)
def test_the_pattern_of_machine_paths(line: str, is_path: bool) -> None:
    assert bool(MACHINE_PATH.search(line)) is is_path


def test_no_error_is_swallowed() -> None:
    swallowed = []
    for file, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
            silent = all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
            if node.type is None or (broad and silent):
                swallowed.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert not swallowed


def _public(tree: ast.Module) -> list[Documented]:
    found: list[Documented] = []
    for node in tree.body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found += [
                    child
                    for child in node.body
                    if isinstance(child, ast.FunctionDef) and not child.name.startswith("_")
                ]
    return found


def _is_exempt(node: Documented) -> bool:
    """Overloads, overriding methods and a protocol's members say it elsewhere."""
    if ast.unparse(node.body[-1]) == "...":
        return True
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    return bool(decorators & {"overload", "typing.overload", "override", "typing.override"})


def test_every_public_name_has_a_docstring() -> None:
    bare = []
    for file, tree in trees():
        if file != SOURCE / "__init__.py" and not ast.get_docstring(tree):
            bare.append(f"{file.relative_to(ROOT)}: module")
        bare += [
            f"{file.relative_to(ROOT)}:{node.lineno}: {node.name}"
            for node in _public(tree)
            if not _is_exempt(node) and not ast.get_docstring(node)
        ]
    assert not bare, "\n".join(bare)
