"""Every sign of the geometry turned around, one at a time: do measured spots notice?

In the files below each plus becomes a minus and each minus a plus, in a copy of the package, and
the tests of measured data run on it (a fork each, kernels not compiled). What they let pass, for
no measured file has a chi or a distortion off the middle, the tests against other programs'
numbers and formulas must notice. Met where no turn passes both but those that `HARMLESS` explains.
Takes an hour of one core.

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
os.environ["MESOLITH_REQUIRE_DATA"] = "1"  # a skipped test notices nothing

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
MEASURED = (
    "tests/formats/test_instruments.py",
    "tests/hedm/test_calibrate_grains.py::test_hexrds_stage_is_found_again_from_its_ruby",
    "tests/hedm/test_calibrate_grains.py::test_the_tilts_of_makemap_have_their_signs",
)
FOREIGN = (
    "tests/io/test_hexrd_instrument.py",
    "tests/io/test_imaged11_instrument.py",
    "tests/io/test_midas_instrument.py",
    "tests/io/test_lauetools_detector.py",
    "tests/instrument/test_goniometer.py",
    "tests/instrument/test_panel.py",
    "tests/instrument/test_predict.py",
    "tests/instrument/test_distortion.py",
)
# a line without blanks: why its signs change no result
HARMLESS = {
    "determinant=a*d-b*c": "how fast Newton's method converges",
    "at_u+=(d*off_u-b*off_v)/determinant": "how fast Newton's method converges",
    "at_v+=(a*off_v-c*off_u)/determinant": "how fast Newton's method converges",
}
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
    places = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) or (isinstance(node, ast.keyword) and node.arg == "axis")
        for inner in ast.walk(node.slice if isinstance(node, ast.Subscript) else node.value)
    }
    for node in ast.walk(tree):
        if id(node) in places:
            continue  # an index or a count of axes, not a direction
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


def notices(turn: Turn, tests: tuple[str, ...], folder: Path) -> bool:
    """Whether one of the tests fails with this sign turned, in a process of its own."""
    place = folder / "mesolith" / turn.file
    before = place.read_text(encoding="utf-8")
    place.write_text(turn.source, encoding="utf-8")
    try:
        return fails(tests, folder)
    finally:
        place.write_text(before, encoding="utf-8")


def fails(tests: tuple[str, ...], folder: Path) -> bool:
    """Whether a test fails on the package as it is in the folder; endless ones fail too."""
    child = os.fork()
    if child == 0:
        os._exit(_run_tests(tests, folder))
    return os.waitpid(child, 0)[1] != 0


def _run_tests(tests: tuple[str, ...], folder: Path) -> int:
    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    sys.dont_write_bytecode = True
    os.chdir(ROOT)
    sys.path[:0] = [str(folder), str(ROOT)]
    words = [*tests, "-q", "-x", "-p", "no:cacheprovider", "-W", "ignore"]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return int(pytest.main(words))


def main() -> int:
    """Turn each sign; 0 where every turn is noticed."""
    # loaded once, before the forks
    import h5py  # noqa: F401
    import numba  # noqa: F401
    import numpy  # noqa: F401
    import pytest  # noqa: F401
    import scipy.optimize
    import scipy.spatial.transform  # noqa: F401

    chosen = [f for f in FILES if not sys.argv[1:] or any(word in f for word in sys.argv[1:])]
    counts: dict[str, list[int]] = {}
    passed: list[Turn] = []
    harmless = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shutil.copytree(
            ROOT / "src" / "mesolith",
            folder / "mesolith",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        if fails(MEASURED, folder) or fails(FOREIGN, folder):
            print("the tests fail as things stand, or the measured files are not there")
            return 2
        for file in chosen:
            turns = list(turns_of(file))
            counts[file] = [0, 0, len(turns)]
            for turn in turns:
                if notices(turn, MEASURED, folder):
                    counts[file][0] += 1
                elif notices(turn, FOREIGN, folder):
                    counts[file][1] += 1
                    print(f"  foreign  {file}:{turn.line}:{turn.column}: {turn.text}", flush=True)
                elif turn.text.replace(" ", "") in HARMLESS:
                    harmless += 1
                else:
                    passed.append(turn)
                    print(f"  NEITHER  {file}:{turn.line}:{turn.column}: {turn.text}", flush=True)
            measured, foreign, total = counts[file]
            print(f"{file}: {measured} of {total} by measured data, {foreign} by foreign numbers")
    if chosen == list(FILES):
        unnoticed = [f"{t.file}:{t.line}: {t.text}" for t in passed]
        write_result("instrument_signs", {"noticed": counts, "unnoticed": unnoticed})
    measured, foreign, total = (sum(column) for column in zip(*counts.values(), strict=True))
    print(
        f"{total} signs: {measured} noticed by measured data, {foreign} by other programs' "
        f"numbers and formulas, {harmless} harmless, {len(passed)} by neither"
    )
    return 0 if not passed else 1


if __name__ == "__main__":
    sys.exit(main())
