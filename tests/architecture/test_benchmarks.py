"""What benchmarks and tools take from each other is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))


def module_of(name: str) -> Path | None:
    """The file of a module beside the benchmarks or under tests, if it is one of ours."""
    beside, below = ROOT / "benchmarks" / f"{name}.py", ROOT.joinpath(*name.split("."))
    if beside.is_file():
        return beside
    return below.with_suffix(".py") if below.with_suffix(".py").is_file() else None


def names_of(path: Path) -> set[str]:
    """Names that a module binds at its top level."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {
                name.id for one in targets for name in ast.walk(one) if isinstance(name, ast.Name)
            }
    return found


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_of_ours_exists(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        source = module_of(node.module)
        if source is not None:
            missing = {alias.name for alias in node.names} - names_of(source)
            assert not missing, f"{node.module} has no {', '.join(sorted(missing))}"
