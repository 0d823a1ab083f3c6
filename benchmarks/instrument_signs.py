"""Every sign of the geometry turned around, one at a time: do measured spots notice?

In the files below each plus becomes a minus and each minus a plus, in a copy of the package, and
the tests of measured data run on it (a fork each, kernels not compiled). A turn that no test
notices is a survivor. Met where none survives but those that `HARMLESS` explains.

    python benchmarks/instrument_signs.py [PART OF A FILE'S NAME ...]
"""

from __future__ import annotations

import ast
import io
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"

from _harness import ROOT, write_result

FILES = (
    "axes.py",
    "instrument/goniometer.py",
    "instrument/panel.py",
    "instrument/scattering.py",
    "instrument/parameters.py",
    "instrument/distortion.py",
    "instrument/_kernels_geometry.py",
    "io/hexrd_instrument.py",
    "io/imaged11_instrument.py",
    "io/midas_instrument.py",
    "io/lauetools_detector.py",
)
TESTS = ("tests/formats/test_instruments.py", "tests/hedm/test_calibrate_grains.py")
MEASURED = "ge or ruby or rubies or makemap or midas or laue or hexrds"
# text of the line, without blanks -> why nothing measured can notice it
HARMLESS: dict[str, str] = {}
_MOST_SECONDS = 40  # of processor time


@dataclass(frozen=True)
class Turn:
    """One sign in one file: its line and column, and the text of the file with it turned."""

    file: str
    line: int
    column: int
    text: str
    source: str


def turns_of(file: str) -> Iterator[Turn]:
    """Every file with one binary or unary sign turned around, signs of code only."""
    source = (ROOT / "src" / "mesolith" / file).read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    for line, column, new in sorted(_signs(ast.parse(source), lines)):
        row = lines[line - 1]
        turned = row[:column] + new + row[column + 1 :]
        text = "".join([*lines[: line - 1], turned, *lines[line:]])
        yield Turn(file, line, column, row.strip(), text)


def _signs(tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield node.lineno, _column(lines[node.lineno - 1], node.col_offset), "+"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
            if isinstance(node, ast.AugAssign):
                start = (node.target.end_lineno or 0, node.target.end_col_offset or 0)
                end = (node.value.lineno, node.value.col_offset)
            else:
                start = (node.left.end_lineno or 0, node.left.end_col_offset or 0)
                end = (node.right.lineno, node.right.col_offset)
            sign = "+" if isinstance(node.op, ast.Add) else "-"
            for number in range(start[0], end[0] + 1):
                row = lines[number - 1]
                low = _column(row, start[1]) if number == start[0] else 0
                high = _column(row, end[1]) if number == end[0] else len(row)
                found = row.find(sign, low, high)
                if found >= 0:
                    yield number, found, "-" if sign == "+" else "+"
                    break


def _column(row: str, offset: int) -> int:
    """Place of a letter from its place among the bytes."""
    return len(row.encode("utf-8")[:offset].decode("utf-8"))


def notices(turn: Turn, folder: Path) -> bool:
    """Whether a test fails with this sign turned, in a process of its own."""
    place = folder / "mesolith" / turn.file
    before = place.read_text(encoding="utf-8")
    place.write_text(turn.text, encoding="utf-8")
    child = os.fork()
    if child == 0:
        os._exit(_run_tests(folder))
    try:
        # a fit that never ends dies of its limit of processor time: noticed, too
        return os.waitpid(child, 0)[1] != 0
    finally:
        place.write_text(before, encoding="utf-8")


def _run_tests(folder: Path) -> int:
    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    sys.dont_write_bytecode = True
    os.chdir(ROOT)
    sys.path[:0] = [str(folder), str(ROOT)]
    words = [*TESTS, "-q", "-x", "-k", MEASURED, "-p", "no:cacheprovider", "-W", "ignore"]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return int(pytest.main(words))


def main() -> int:
    """Turn each sign; 0 where every turn is noticed or explained."""
    # loaded once, before the forks
    import h5py  # noqa: F401
    import numba  # noqa: F401
    import numpy  # noqa: F401
    import pytest  # noqa: F401
    import scipy.optimize
    import scipy.spatial.transform  # noqa: F401

    chosen = [f for f in FILES if not sys.argv[1:] or any(word in f for word in sys.argv[1:])]
    noticed, survivors = {}, []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shutil.copytree(
            ROOT / "src" / "mesolith",
            folder / "mesolith",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        child = os.fork()
        if child == 0:
            os._exit(_run_tests(folder))
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
            print("the tests fail as things stand")
            return 2
        for file in chosen:
            turns = list(turns_of(file))
            left = []
            for turn in turns:
                if not notices(turn, folder):
                    left.append(turn)
                    print(f"    {file}:{turn.line}:{turn.column}: {turn.text}", flush=True)
            survivors += left
            noticed[file] = [len(turns) - len(left), len(turns)]
            print(f"{file}: {noticed[file][0]} of {len(turns)} signs noticed", flush=True)
    unexplained = [t for t in survivors if t.text.replace(" ", "") not in HARMLESS]
    if chosen == list(FILES):
        write_result(
            "instrument_signs",
            {
                "noticed": noticed,
                "unexplained": [f"{t.file}:{t.line}: {t.text}" for t in unexplained],
            },
        )
    total = sum(count for _, count in noticed.values())
    print(
        f"{total - len(survivors)} of {total} signs noticed by measured data, "
        f"{len(survivors) - len(unexplained)} harmless, {len(unexplained)} unexplained"
    )
    return 0 if not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
