"""The cells that a command is about, as arguments."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Add PATH...: cell.toml files, folders with one, or project folders."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        type=Path,
        default=[Path()],
        help="a cell.toml, a folder with one, or a project folder whose subfolders hold them "
        "(default: this folder)",
    )


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add --store."""
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="folder of the store (default: .mesolith beside cell.toml, or in the project folder)",
    )
