"""What a command loads decides how fast it starts; loaded modules are told the same everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "scipy", "numba", "h5py", "matplotlib", "pandas", "xarray", "rich", "distributed")

CELL = """
[cell]
name = "budget"
stack = "Li|LLZO|Li"

[electrolyte]
material = "LLZTO-I-43d"

[clock]
cycler = { zone = "UTC", offset_s = 0.0 }

[[state]]
name = "pristine"
"""


def loaded_by(statement: str, folder: Path) -> set[str]:
    """Heavy packages in memory after a statement ran in a fresh interpreter."""
    report = f"import sys; print('LOADED', *sorted(set(sys.modules) & set({HEAVY!r})))"
    source = f"{statement}\n{report}"
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rsplit("LOADED", 1)[1].split())


def command(*words: str) -> str:
    return (
        "from mesolith.cli.main import main\n"
        "try:\n"
        f"    main({list(words)!r})\n"
        "except SystemExit:\n"
        "    pass"
    )


def test_import_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_by("import mesolith; mesolith.__version__; dir(mesolith)", tmp_path) == set()


def test_the_measure_sees_what_is_loaded(tmp_path: Path) -> None:
    assert "numpy" in loaded_by("import mesolith; mesolith.GrainMap", tmp_path)


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("run", "--help")])
def test_help_loads_nothing_heavy(words: tuple[str, ...], tmp_path: Path) -> None:
    assert loaded_by(command(*words), tmp_path) == set()


def test_check_loads_neither_plots_nor_compiler(tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_text(CELL, encoding="utf-8")
    loaded = loaded_by(command("check"), tmp_path)
    assert loaded & {"scipy", "numba", "matplotlib", "pandas", "xarray", "distributed"} == set()
