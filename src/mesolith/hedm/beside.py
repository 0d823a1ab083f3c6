"""What is said beside the files of a state's grains, for formats that state little."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError, MissingColumnError
from mesolith.io.grain_file import one_phase
from mesolith.io.midas_header import check_lattice_units
from mesolith.records.grains import Phases

BESIDE = ("space_group", "lattice", "radius_um")


def phases_beside(options: Mapping[str, Any], path: Path) -> Phases:
    """The one phase that ``space_group`` and ``lattice`` describe.

    Raises `MissingColumnError` where one is not given, `InvalidValueError` or `UnitError` where
    the lattice is none in angstrom and degrees.
    """
    group = _given(options, "space_group", "220", path)
    return one_phase(int(group), _lattice(_given(options, "lattice", "12.95", path), path))


def radius_beside(options: Mapping[str, Any], path: Path) -> float:
    """The radius (um) that ``radius_um`` gives every grain; `MissingColumnError` without it."""
    return float(_given(options, "radius_um", "27.5", path))


def _given(options: Mapping[str, Any], key: str, example: str, path: Path) -> Any:
    value = options.get(key)
    if value is None:
        raise MissingColumnError(
            f"the file does not state what {key} says",
            where=str(path),
            remedy=f"Say it beside the files in cell.toml: grains = {{ files = [...], {key} = "
            f"{example} }}; `mesolith explain {key}` says how.",
        )
    return value


def _lattice(value: Any, path: Path) -> FloatArray:
    numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if numbers.shape == (1,):
        numbers = np.array([*numbers, *numbers, *numbers, 90.0, 90.0, 90.0])
    if numbers.shape != (6,):
        raise InvalidValueError(
            f"lattice has {len(numbers)} numbers, one (cubic) or six are expected",
            where=str(path),
            remedy="Write a b c in angstrom, then alpha beta gamma in degrees.",
        )
    check_lattice_units(numbers[None], None, f"lattice beside {path}")
    numbers[3:] *= math.pi / 180.0
    return numbers
