"""The source tree as the architecture tests see it: files, parts, and who imports whom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mesolith"
TABLE = ROOT / "docs" / "architecture.md"


@dataclass(frozen=True)
class Import:
    """One imported name: ``from module import name``, or ``import module`` (name empty)."""

    file: Path
    line: int
    module: str
    name: str
    inside_function: bool

    def __str__(self) -> str:
        place = self.file.relative_to(ROOT) if self.file.is_relative_to(ROOT) else self.file
        what = f"from {self.module} import {self.name}" if self.name else f"import {self.module}"
        return f"{place}:{self.line}: {what}"


def python_files(folder: Path = SOURCE) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def part_of(file: Path) -> str:
    """Folder or module directly below the package: 'io' for io/midas.py, 'units' for units.py."""
    first = file.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


@cache
def tree_of(file: Path) -> ast.Module:
    """A source file, parsed once for all tests; none of them changes it."""
    return ast.parse(file.read_text(encoding="utf-8"))


def trees() -> list[tuple[Path, ast.Module]]:
    return [(file, tree_of(file)) for file in python_files()]


def imports_of(tree: ast.Module, file: Path) -> Iterator[Import]:
    """Every import in a file: at the top, in functions and under TYPE_CHECKING alike."""
    package = ["mesolith", *file.relative_to(SOURCE).parts[:-1]]
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, inside = stack.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, "", inside)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                base = package[: len(package) - node.level + 1]
                module = ".".join([*base, *([module] if module else [])])
            for alias in node.names:
                yield Import(file, node.lineno, module, alias.name, inside)
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        stack.extend((child, inside) for child in ast.iter_child_nodes(node))


@cache
def all_imports() -> tuple[Import, ...]:
    return tuple(found for file, tree in trees() for found in imports_of(tree, file))


def part_imported(found: Import) -> str | None:
    """The part of Mesolith that an import reaches, '' for the package itself, None for others."""
    words = found.module.split(".")
    if words[0] != "mesolith":
        return None
    if len(words) > 1:
        return words[1]
    is_part = (SOURCE / found.name).is_dir() or (SOURCE / f"{found.name}.py").is_file()
    return found.name if found.name and is_part else ""


def import_table(text: str) -> dict[str, list[str]]:
    """Part -> what it may import, from the table in docs/architecture.md."""
    section = text.split("## Who may import whom", 1)[1].split("\n## ", 1)[0]
    table = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 2 and re.fullmatch(r"`\w+`", cells[0]):
            table[cells[0].strip("`")] = re.findall(r"`([^`]+)`", cells[1])
    return table


def is_allowed(part: str, found: Import, table: dict[str, list[str]]) -> bool:
    """Whether the table lets ``part`` make this import."""
    target = part_imported(found)
    if target is None or target in ("", part):
        return True
    for entry in table[part]:
        name, _, pattern = entry.partition(":")
        if name != target:
            continue
        if not pattern or (found.name and re.fullmatch(pattern.replace("*", ".*"), found.name)):
            return True
    return False
