"""``mesolith laue``: single steps of white-beam diffraction, without a cell.toml."""

from __future__ import annotations

from typing import Any

from mesolith.laue.command_calibrate import add_calibrate
from mesolith.laue.command_index import add_index
from mesolith.laue.command_peaks import add_peaks


def add(commands: Any) -> None:
    """Add the command with its actions."""
    parser = commands.add_parser(
        "laue",
        help="single steps of white-beam micro-diffraction",
        description="Single steps from white-beam patterns to grains, without a cell.toml.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_peaks(actions)
    add_calibrate(actions)
    add_index(actions)
