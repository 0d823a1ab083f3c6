"""The command line as a whole: help, exit codes, errors as one text."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mesolith.errors
from mesolith.cli.main import COMMANDS, EXIT_CODES, build_parser, main
from mesolith.errors import MesolithError, SettingsError, StoreFullError
from mesolith.pipeline.technique import Technique

ROOT = Path(__file__).parents[2]


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `mesolith explain` end in an error."""

    def fail(arguments: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr("mesolith.cli.explain.run", fail)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"\n    {name} " in said for name in COMMANDS)
    assert "exit codes:" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_and_debug(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert "--debug" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"mesolith {mesolith.__version__}\n"


@pytest.mark.parametrize(
    "words", [[], ["nothing"], ["run", "--workers", "0"], ["run", "--memory", "x"]]
)
def test_a_wrong_command_line_ends_with_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        SettingsError("a mistake", where="cell.toml:3", remedy="Do this."),
        StoreFullError("no space"),
        MesolithError("anything"),
    ],
)
def test_an_error_is_one_text_with_its_exit_code(
    error: MesolithError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, error)
    assert main(["explain"]) == error.exit_code
    assert capsys.readouterr().err == f"{type(error).__name__}: {error}\n"


def test_debug_shows_where_it_arose(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, SettingsError("a mistake"))
    with pytest.raises(SettingsError):
        main(["explain", "--debug"])
    raising(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["explain", "--debug"])


def test_a_fault_of_the_program_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, ZeroDivisionError("by zero"))
    assert main(["explain"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ZeroDivisionError: by zero\n")
    assert "mesolith doctor --bundle" in said


def test_an_interruption_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert main(["explain"]) == 130
    assert "Interrupted" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = f"{sys.executable} -m mesolith explain --markdown | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stdout == "# Every key of cell.toml\n0\n"
    assert done.stderr == ""


def test_exit_codes_are_those_of_the_errors_and_of_the_docs() -> None:
    used = {
        kind.exit_code
        for kind in vars(mesolith.errors).values()
        if isinstance(kind, type) and issubclass(kind, MesolithError)
    }
    told = {int(code) for code in re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)}
    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    written = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert told == written == used | {0}


def test_two_techniques_of_one_name_are_one_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def clash() -> tuple[Technique, ...]:
        raise SettingsError("two techniques have the name 'hedm'")

    monkeypatch.setattr("mesolith.techniques.all_techniques", clash)
    assert main(["explain"]) == 2
    assert "SettingsError: two techniques" in capsys.readouterr().err


def add_weigh(commands: Any) -> None:
    parser = commands.add_parser("weigh", help="weigh the cell")
    parser.set_defaults(run=lambda arguments: 7)


def test_a_technique_brings_commands_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    technique = SimpleNamespace(commands=("tests.cli.test_main:add_weigh",))
    monkeypatch.setattr("mesolith.techniques.all_techniques", lambda: (technique,))
    assert "weigh" in build_parser().format_help()
    assert main(["weigh"]) == 7
