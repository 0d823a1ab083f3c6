"""Files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.errors import InputError
from mesolith.io.vtkhdf import PointStep, write_point_series
from mesolith.records.cell import Cell
from mesolith.records.grains import GrainMap
from mesolith.records.lives import life_numbers


def write_paraview(cell: Cell, path: Path) -> None:
    """Grains of all states as one VTKHDF time series; the time is the number of the state.

    Points are centres of mass (um). Point data: grain_id, life (the same number in every state
    for a tracked grain), radius_um, completeness, phase, orientation (w, x, y, z) and, where
    known, strain and stress (11 22 33 23 13 12), hydrostatic and von Mises stress with errors.
    Raises ``InputError`` where no state holds grains.
    """
    maps = {state.index: grains for state, grains in cell.having(GrainMap)}
    if not maps:
        raise InputError(
            f"cell {cell.name!r} has no grain map to export",
            remedy="Give a state its grain files and run the cell.",
        )
    lives = life_numbers(cell, maps)
    stressed = all(grains.stress is not None for grains in maps.values())
    steps = [
        PointStep(float(index), grains.position, _data(grains, lives[index], stressed))
        for index, grains in maps.items()
    ]
    write_point_series(path, steps)


def _data(grains: GrainMap, life: NDArray[np.int64], stressed: bool) -> dict[str, NDArray[Any]]:
    data: dict[str, NDArray[Any]] = {
        "grain_id": grains.grain_id,
        "life": life,
        "radius_um": grains.radius,
        "completeness": grains.completeness,
        "phase": grains.phase,
        "orientation": grains.orientation,
    }
    if stressed:
        for name in ("strain", "stress"):
            tensor = getattr(grains, name)
            if tensor is not None:
                unit = "_mpa" if name == "stress" else ""
                data[f"{name}{unit}"] = tensor[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        for name in ("stress_hydrostatic", "stress_von_mises"):
            for suffix in ("", "_se"):
                values = getattr(grains, f"{name}{suffix}")
                if values is not None:
                    data[f"{name}_mpa{suffix}"] = values
    return data
