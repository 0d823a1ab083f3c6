"""The command line: finds the command, runs it, and turns errors into one text and an exit code.

Each command is a file of its own that loads what it needs when it runs, so that ``--help``
costs nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import mesolith
from mesolith.errors import MesolithError

COMMANDS = (
    "demo",
    "new",
    "check",
    "explain",
    "run",
    "status",
    "verify",
    "report",
    "export",
    "compare",
    "table",
    "clean",
    "doctor",
)
EXIT_CODES = """exit codes:
  0    done
  1    an error that no other number stands for
  2    a mistake in cell.toml or on the command line
  3    a file or value that cannot be used
  4    the store: no space, no permission, or a damaged result
  5    a part of a step failed
  130  interrupted; what is finished is kept, and the line to resume is printed

Start with `mesolith demo`, or with `mesolith new DIR --from RAW` for files of your own."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        parser = build_parser()
        arguments = parser.parse_args(words)
    except MesolithError as error:
        return _report(error)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except MesolithError as error:
        if arguments.debug:
            raise
        return _report(error)
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except Exception as error:
        if arguments.debug:
            raise
        print(
            f"{type(error).__name__}: {error}\n  This is a mistake of Mesolith, not yours. "
            "`--debug` shows where; `mesolith doctor --bundle FILE` makes a file for a bug report.",
            file=sys.stderr,
        )
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command, those of the techniques included."""
    from mesolith.pipeline.technique import load
    from mesolith.techniques import all_techniques

    parser = argparse.ArgumentParser(
        prog="mesolith",
        description="What happened inside a solid-state lithium-metal cell.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mesolith {mesolith.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"mesolith.cli.{name}").add(commands)
    for technique in all_techniques():
        for dotted in technique.commands:
            load(dotted)(commands)
    for command in commands.choices.values():
        command.add_argument(
            "--debug", action="store_true", help="show where in the program an error arose"
        )
    return parser


def _report(error: MesolithError) -> int:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
