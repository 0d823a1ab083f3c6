"""The pages of docs/ do what they say.

A fenced block marked ``python run`` or ``console run`` is run, all blocks of a page in order in
one folder and one namespace; ``toml file PATH`` writes its content there. What a block marked
``output`` right behind it shows must appear; "..." stands for anything.

Where a page asks for the small virtual cell that the tests have analysed already, a copy of it lies
there: the command runs all the same, finds its own work, and computes nothing twice. Other virtual
cells of the pages are computed by their commands.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mesolith.virtual.demo import write_demo
from tests.architecture.house import ROOT
from tests.examples.command import started

FENCE = re.compile(r"(?ms)^```(python run|console run|toml file \S+|output)\n(.*?)^```$")
CHECKER = doctest.OutputChecker()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A block that runs, and what it must show (None where the page shows nothing)."""

    kind: str
    source: str
    shown: str | None


def blocks_of(text: str) -> list[Block]:
    blocks: list[Block] = []
    for kind, body in FENCE.findall(text):
        if kind == "output":
            last = blocks.pop()
            assert last.shown is None, "two outputs behind one block"
            blocks.append(Block(last.kind, last.source, body))
        else:
            blocks.append(Block(kind, body, None))
    return blocks


PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if blocks_of(page.read_text(encoding="utf-8"))
]
# Measured files that a page starts from: it is skipped where they are absent.
MEASURED = {"ruby.md": "hedm/hexrd_multiruby_dexelas"}


def run_python(source: str, folder: Path, names: dict[str, object]) -> str:
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        exec(compile(source, "example", "exec"), names)
    return printed.getvalue()


def run_console(source: str, folder: Path, tiny: Path) -> str:
    """What the lines print; ``tiny`` is the folder of the small virtual cell of seed 1."""
    printed = ""
    for line in source.splitlines():
        if not line.startswith("$ "):
            continue
        words = shlex.split(line[2:])
        if words[0] == "cd":
            # Holds for the rest of the block, as in a shell.
            folder = folder / words[1]
            continue
        if words[:2] == ["mesolith", "demo"] and words[3:] == ["--preset", "tiny", "--quiet"]:
            shutil.copytree(tiny, folder / words[2])
        done = started(words, folder)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        printed += done.stdout
    return printed


def check_page(text: str, folder: Path, tiny: Path) -> int:
    """Run all blocks of a page; number of blocks whose shown output holds a digit."""
    names: dict[str, object] = {"__name__": "example"}
    checked = 0
    for block in blocks_of(text):
        if block.kind == "python run":
            printed = run_python(block.source, folder, names)
        elif block.kind.startswith("toml file "):
            printed = ""
            (folder / block.kind.split()[2]).write_text(block.source, encoding="utf-8")
        else:
            printed = run_console(block.source, folder, tiny)
        if block.shown is not None:
            agrees = CHECKER.check_output(block.shown, printed, FLAGS)
            assert agrees, f"{block.source}\nshould print\n{block.shown}\nand prints\n{printed}"
            checked += bool(re.search(r"\d", block.shown))
    return checked


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in MEASURED],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_page_does_what_it_says(page: Path, tmp_path: Path, analysed: Path) -> None:
    assert check_page(page.read_text(encoding="utf-8"), tmp_path, analysed) > 0


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name in MEASURED],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_page_on_measured_files_does_what_it_says(
    page: Path, tmp_path: Path, measured: Callable[[str], Path]
) -> None:
    measured(MEASURED[page.name])
    assert check_page(page.read_text(encoding="utf-8"), tmp_path, tmp_path) > 0


def test_measured_pages_are_pages() -> None:
    assert set(MEASURED) <= {page.name for page in PAGES}


def test_settings_page_is_what_the_declarations_say(tmp_path: Path) -> None:
    printed = started(["mesolith", "explain", "--markdown"], tmp_path).stdout
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == printed


def test_cell_toml_of_the_readme_passes_check(tmp_path: Path) -> None:
    write_demo(tmp_path, seed=1, preset="tiny")
    (example,) = re.findall(r"(?ms)^```toml\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"))
    # The raw files are those of a smaller pellet, and check sets charge against area.
    (area,) = re.findall(r"(?m)^area_mm2 = .*$", (tmp_path / "cell.toml").read_text("utf-8"))
    example = re.sub(r"(?m)^area_mm2 = .*$", area, example)
    (tmp_path / "cell.toml").write_text(example, encoding="utf-8")
    done = started(["mesolith", "check"], tmp_path)
    assert done.returncode == 0, done.stdout
    assert "no mistake in 2 states and 3 files" in done.stdout


def test_a_wrong_number_on_a_page_is_seen(tmp_path: Path) -> None:
    page = "```python run\nprint(1 + 1)\n```\n\n```output\n{}\n```\n"
    assert check_page(page.format(2), tmp_path, tmp_path) == 1
    with pytest.raises(AssertionError, match="should print"):
        check_page(page.format(3), tmp_path, tmp_path)


def test_blocks_share_names_and_the_folder(tmp_path: Path) -> None:
    page = (
        "```python run\nfrom pathlib import Path\nPath('x').write_text('7')\nn = 3\n```\n"
        "```python run\nprint(n + int(Path('x').read_text()))\n```\n```output\n10\n```\n"
    )
    assert check_page(page, tmp_path, tmp_path) == 1
