"""The import table of docs/architecture.md holds, and so do the rules below it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator

import pytest

from tests.architecture.house import (
    ROOT,
    SOURCE,
    TABLE,
    Import,
    all_imports,
    import_table,
    imports_of,
    is_allowed,
    part_imported,
    part_of,
    python_files,
    tree_of,
)

RULES = import_table(TABLE.read_text(encoding="utf-8"))
TECHNIQUES = ("hedm", "echem", "laue")
WALKERS = ("experiment", "workflow", "cli")


def test_every_part_has_a_row_and_every_row_a_part() -> None:
    parts = {part_of(file) for file in python_files()} - {"__init__", "__main__"}
    assert parts == set(RULES)


def test_table_is_without_circles() -> None:
    done: set[str] = set()
    while len(done) < len(RULES):
        ready = {
            part
            for part, allowed in RULES.items()
            if part not in done and {entry.split(":")[0] for entry in allowed} <= done
        }
        assert ready, f"these import each other in a circle: {sorted(set(RULES) - done)}"
        done |= ready


def test_nobody_imports_what_the_table_forbids() -> None:
    forbidden = []
    for found in all_imports():
        part = part_of(found.file)
        if part in ("__init__", "__main__"):
            continue
        if part == "cli" and found.file.stem == "demo" and part_imported(found) == "virtual":
            continue
        if not is_allowed(part, found, RULES):
            forbidden.append(str(found))
    assert not forbidden, "\n".join(forbidden)


@pytest.mark.parametrize(
    ("part", "line", "allowed"),
    [
        ("pipeline", "from mesolith.errors import StoreError", True),
        ("pipeline", "from mesolith.records.cell import Cell", False),
        ("pipeline", "def f():\n    from mesolith import records", False),
        ("hedm", "from ..echem import read", False),
        ("hedm", "if TYPE_CHECKING:\n    from mesolith.echem.read import cut", False),
        ("hedm", "from .read import compute", True),
        ("virtual", "from mesolith.io.midas import write_grains", True),
        ("virtual", "from mesolith.io.midas import read_grains", False),
        ("virtual", "import mesolith.io.midas", False),
        ("virtual", "from mesolith.axes import SIX", False),
        ("cli", "from mesolith.virtual.cell import VirtualCell", False),
        ("report", "from mesolith import __version__", True),
    ],
)
def test_the_reader_of_imports_sees_through(part: str, line: str, allowed: bool) -> None:
    file = SOURCE / part / "example.py"
    verdicts = [is_allowed(part, found, RULES) for found in imports_of(ast.parse(line), file)]
    assert verdicts == [allowed]


def test_a_technique_never_meets_another() -> None:
    others = [
        str(found)
        for found in all_imports()
        if part_of(found.file) in TECHNIQUES
        and part_imported(found) in TECHNIQUES
        and part_imported(found) != part_of(found.file)
    ]
    assert not others


def test_only_the_demo_imports_the_virtual_cell() -> None:
    importers = {
        found.file.relative_to(SOURCE).as_posix()
        for found in all_imports()
        if part_imported(found) == "virtual" and part_of(found.file) != "virtual"
    }
    assert importers <= {"cli/demo.py"}


def _texts_outside_docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node


def test_those_who_walk_the_list_name_no_technique() -> None:
    named = []
    for file in python_files():
        if part_of(file) not in WALKERS or file == SOURCE / "cli" / "demo.py":
            continue
        for text in _texts_outside_docstrings(tree_of(file)):
            if re.search(rf"\b({'|'.join(TECHNIQUES)})\b", str(text.value)):
                named.append(f"{file.relative_to(ROOT)}:{text.lineno}: {text.value!r}")
    assert not named, "\n".join(named)


def _declared() -> tuple[set[str], set[str]]:
    """Names of packages in the core and in the extras that users install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^A-Za-z0-9._-]", text)[0].lower() for text in requirements}

    extras = project["optional-dependencies"]
    optional = {name for extra in ("table", "cluster", "frames") for name in names(extras[extra])}
    return names(project["dependencies"]), optional


def _foreign(standard: frozenset[str]) -> Iterator[tuple[str, Import]]:
    for found in all_imports():
        top = found.module.split(".")[0]
        if top not in standard and top != "mesolith":
            yield top, found


def test_every_foreign_import_is_a_declared_dependency(standard_library: frozenset[str]) -> None:
    core, optional = _declared()
    wrong = []
    for top, found in _foreign(standard_library):
        package = top.lower()
        if package in core:
            continue
        late = found.inside_function or _is_type_checking_only(found)
        if not (package in optional and late):
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def test_every_dependency_is_used(standard_library: frozenset[str]) -> None:
    core, optional = _declared()
    used = {top.lower() for top, _ in _foreign(standard_library)}
    assert (core | optional) - used <= {"tzdata"}


def test_dask_is_imported_in_one_file(standard_library: frozenset[str]) -> None:
    files = {found.file for top, found in _foreign(standard_library) if top == "distributed"}
    assert len(files) <= 1


def _is_type_checking_only(found: Import) -> bool:
    return any(
        isinstance(node, ast.If)
        and ast.unparse(node.test).endswith("TYPE_CHECKING")
        and node.lineno < found.line <= (node.end_lineno or 0)
        for node in ast.walk(tree_of(found.file))
    )


@pytest.fixture(scope="module")
def standard_library() -> frozenset[str]:
    return frozenset(sys.stdlib_module_names)
