"""Spots of each grain as HEXRD's spots_00000.out: one file a grain and panel.

Angles are rad: 2 theta and eta of the ray from the grain, eta from the panel's x (-y of the
house) towards its y (z of the house), omega. X and Y are mm on the panel as it recorded, from its
middle, columns along +x and rows along -y.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.instrument.instrument import Instrument
from mesolith.io.assigned_spots import AssignedSpots, rays_of

_MM = 1000.0
_NAMES = (
    *("# ID", "PID", "H", "K", "L"),
    *("sum(int)", "max(int)"),
    *("pred tth", "pred eta", "pred ome", "meas tth", "meas eta", "meas ome"),
    *("pred X", "pred Y", "meas X", "meas Y"),
)
_WIDTHS = (6,) * 5 + (12,) * 2 + (23,) * 10
_ROW = "  ".join((*("%-6d",) * 5, *("%-12e",) * 2, *("%-23.12e",) * 10)) + "\n"


def write_hexrd_spots(folder: Path, spots: AssignedSpots, instrument: Instrument) -> list[Path]:
    """Write folder/PANEL/spots_GRAIN.out of every grain and panel; their paths.

    ID counts the spots of a grain, PID the rings from the innermost. Reflections that were not
    found are not listed.
    """
    _, *predicted = rays_of(spots, spots.predicted, instrument)
    _, *measured = rays_of(spots, spots.place, instrument)
    header = "  ".join(f"{name:<{width}}" for name, width in zip(_NAMES, _WIDTHS, strict=True))
    columns = [spots.ring, *spots.hkl.T, spots.intensity, spots.maximum]
    for (two_theta, eta), place in ((predicted, spots.predicted), (measured, spots.place)):
        columns += [two_theta, _eta(eta), place[:, 2]]
    paths = []
    for number, panel in enumerate(instrument.panels):
        own = folder / panel.name
        own.mkdir(parents=True, exist_ok=True)
        middle = (panel.shape[::-1] - 1) / 2.0
        pitch = panel.pitch[::-1] * [1.0, -1.0] / _MM
        on_panel = [
            column
            for place in (spots.predicted, spots.place)
            for column in ((place[:, :2] - middle) * pitch).T
        ]
        rows = np.flatnonzero(spots.panel == number)
        table = np.column_stack([*columns, *on_panel])[rows]
        grains, first = np.unique(spots.grain_id[rows], return_index=True)
        for grain, part in zip(grains, np.split(table, first[1:]), strict=True):
            numbered = np.column_stack([np.arange(len(part)), part])
            body = (_ROW * len(part)) % tuple(numbered.ravel().tolist())
            paths.append(own / f"spots_{grain:05d}.out")
            paths[-1].write_text(f"{header}\n{body}", encoding="ascii", newline="\n")
    return paths


def _eta(eta: FloatArray) -> FloatArray:
    """HEXRD's azimuth of the house's, in [-pi, pi)."""
    return np.asarray(np.mod(1.5 * math.pi - eta, 2.0 * math.pi) - math.pi)
