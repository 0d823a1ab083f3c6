"""Files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.errors import InputError
from mesolith.hedm.indexed import FROM_SPOTS
from mesolith.hedm.program_files import write_program_files
from mesolith.hedm.shown_layer import layer_words
from mesolith.instrument.station import StationCalibration
from mesolith.io.tables import file_stem
from mesolith.io.vtkhdf import PointStep, write_point_series
from mesolith.records.cell import Cell
from mesolith.records.grains import GrainMap
from mesolith.records.indexed import SpotAssignment
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.lives import life_numbers
from mesolith.records.spots import Spots


def write_paraview(cell: Cell, path: Path) -> None:
    """Grains of all states as one VTKHDF time series; the time is the number of the state.

    Points are centres of mass (um). Point data: grain_id, life (the same number in every state
    for a tracked grain), radius_um, completeness, phase, orientation (w, x, y, z) and, where
    known, strain and stress (11 22 33 23 13 12), hydrostatic and von Mises stress with errors.
    Raises ``InputError`` where no state holds grains.
    """
    maps = {state.index: grains for state, grains in cell.having(GrainMap)}
    if not maps:
        raise _no_grains(cell)
    lives = life_numbers(cell, maps)
    stressed = all(grains.stress is not None for grains in maps.values())
    steps = [
        PointStep(float(index), grains.position, _data(grains, lives[index], stressed))
        for index, grains in maps.items()
    ]
    write_point_series(path, steps)


def write_midas_folder(cell: Cell, path: Path) -> None:
    """Grains.csv, HDF5, parameters and SpotMatrix.csv of every state that has them."""
    _write_folder(cell, path, "midas")


def write_imaged11_folder(cell: Cell, path: Path) -> None:
    """Grain maps, HDF5, parameters and, of the layer with most grains, peaks, for ImageD11."""
    _write_folder(cell, path, "imaged11")


def write_hexrd_folder(cell: Cell, path: Path) -> None:
    """grains.out, instrument and the spots of each grain, of every state that has them."""
    _write_folder(cell, path, "hexrd")


def _write_folder(cell: Cell, folder: Path, program: str) -> None:
    """Files of all states in one folder, named by the states' numbers and names.

    Grains of frames lie on the program's axes with the calibrated detector beside them; what a
    program has no word for stands in left_out.txt. Raises ``InputError`` where no state holds
    grains.
    """
    states = [state for state in cell.states if GrainMap in state]
    if not states:
        raise _no_grains(cell)
    station: StationCalibration | None = None
    if StationCalibration in cell:
        station = cell[StationCalibration]
    folder.mkdir(parents=True, exist_ok=True)
    missing: list[str] = []
    for state in states:
        grain_map = state[GrainMap]
        spots: Spots | None = None
        assignment: SpotAssignment | None = None
        height = 0.0
        if Spots in state:
            spots = state[Spots]
        if SpotAssignment in state:
            assignment = state[SpotAssignment]
        if LayerFinds in state and spots is not None:
            finds = state[LayerFinds]
            height = float(finds.layer_z[finds.shown_layer])
            if len(finds.layer_z) > 1:
                missing.append(
                    f"{layer_words(finds, state.name)}: its spots are written; a result keeps "
                    "those of no other layer"
                )
        _, left_out = write_program_files(
            folder,
            f"{state.index}_{file_stem(state.name)}_",
            program,
            grain_map=grain_map,
            station=station if grain_map.error_source == FROM_SPOTS else None,
            spots=spots,
            assignment=assignment,
            height=height,
        )
        missing += [f"{state.name}: {text}" for text in left_out]
    if missing:
        text = "\n".join(missing) + "\n"
        (folder / "left_out.txt").write_text(text, encoding="utf-8", newline="\n")


def _no_grains(cell: Cell) -> InputError:
    return InputError(
        f"cell {cell.name!r} has no grain map to export",
        remedy="Give a state its grain files and run the cell.",
    )


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
