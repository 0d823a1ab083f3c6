"""Mesolith: what happened inside a solid-state lithium-metal cell.

Public names load lazily: ``import mesolith`` costs nothing but this file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Cell": "mesolith.records.cell",
    "Cycling": "mesolith.records.cycling",
    "GrainMap": "mesolith.records.grains",
    "MesolithError": "mesolith.errors",
    "State": "mesolith.records.cell",
    "Tracking": "mesolith.records.tracking",
    "open": "mesolith.workflow",
    "run": "mesolith.workflow",
}

__all__ = [*sorted(_HOMES), "__version__"]

if TYPE_CHECKING:
    from mesolith.errors import MesolithError
    from mesolith.records.cell import Cell, State
    from mesolith.records.cycling import Cycling
    from mesolith.records.grains import GrainMap
    from mesolith.records.tracking import Tracking
    from mesolith.workflow import open, run


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mesolith' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
