"""Small grain maps with known contents."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesolith.io.midas_write import write_midas
from mesolith.numerics.rotations import random_quaternions
from mesolith.records.grains import GrainMap, Phases


def grain_map(n: int = 20, *, seed: int = 0, phases: int = 1) -> GrainMap:
    """Grains of LLZO in a small pellet, strained by a few 1e-4."""
    rng = np.random.default_rng(seed)
    right = np.full(3, np.pi / 2)
    reference = np.array([[12.95, 12.95, 12.95, *right], [12.96, 12.96, 12.96, *right]])
    phase = np.arange(n) % phases
    lattice = reference[phase] * (1.0 + 3e-4 * rng.normal(size=(n, 6)))
    return GrainMap(
        grain_id=np.arange(1, n + 1),
        position=rng.uniform(-700.0, 700.0, size=(n, 3)),
        orientation=random_quaternions(rng, n),
        lattice=lattice,
        radius=rng.uniform(20.0, 30.0, size=n),
        completeness=rng.uniform(0.7, 1.0, size=n),
        phase=phase,
        phases=Phases(
            name=tuple(f"space group {group}" for group in (220, 230)[:phases]),
            space_group=np.array([220, 230])[:phases],
            lattice=reference[:phases],
        ),
        covariance=np.tile(np.eye(12) * 1e-8, (n, 1, 1)),
        error_source="assumed",
    )


def grains_file(folder: Path, n: int = 20, **options: int) -> Path:
    """A Grains.csv with those grains."""
    path = folder / "Grains.csv"
    write_midas(path, grain_map(n, **options))
    return path


def edited(path: Path, *, row: int, column: str, value: str) -> None:
    """Write another value into one cell; ``row`` counts from 0 below the names."""
    lines = path.read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("%GrainID"))
    place = lines[at].lstrip("%").split("\t").index(column)
    cells = lines[at + 1 + row].split("\t")
    cells[place] = value
    lines[at + 1 + row] = "\t".join(cells)
    path.write_text("\n".join(lines) + "\n")


def scaled(path: Path, columns: list[str], factor: float, *, digits: int = 12) -> None:
    """Multiply whole columns, as a file in another unit would have them."""
    lines = path.read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("%GrainID"))
    names = lines[at].lstrip("%").split("\t")
    places = [names.index(column) for column in columns]
    for k in range(at + 1, len(lines)):
        cells = lines[k].split("\t")
        for place in places:
            cells[place] = f"{float(cells[place]) * factor:.{digits}f}"
        lines[k] = "\t".join(cells)
    path.write_text("\n".join(lines) + "\n")


def columns_reordered(path: Path, order: list[int]) -> None:
    """Put the columns into another order, names and all."""
    lines = path.read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("%GrainID"))
    for k in range(at, len(lines)):
        cells = lines[k].lstrip("%").rstrip("\t").split("\t")
        lines[k] = "\t".join(cells[j] for j in order)
    lines[at] = "%" + lines[at]
    path.write_text("\n".join(lines) + "\n")
