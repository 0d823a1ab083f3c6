"""Records of the statistics, made by the steps themselves from grains with planted spots."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mesolith.io.record_file import read_record, write_record
from mesolith.link import findings, statistics
from mesolith.records.cell import Cell
from mesolith.records.field import Record
from mesolith.records.findings import Findings
from mesolith.records.followed import FollowedGrains
from mesolith.records.hotspots import HotSpots
from mesolith.records.pathways import Pathways
from mesolith.records.space import SpatialStatistics
from mesolith.records.transitions import Transitions

from ..link.followed import followed, lattice_positions

SETTINGS: dict[str, Any] = {
    "hedm.spots": 10,
    "hedm.spot_share": None,
    "hedm.neighbourhood": "radius",
    "hedm.spots_from": None,
    "hedm.clusters": 3,
    "hedm.cluster_scaling": "standard",
    "hedm.permutations": 4_000,
    "hedm.paths": 50,
}
STEPS: tuple[tuple[str, type[Record], Callable[[Any], None]], ...] = (
    ("link.space", SpatialStatistics, statistics.compute_space),
    ("link.hotspots", HotSpots, statistics.compute_hotspots),
    ("link.pathways", Pathways, statistics.compute_pathways),
    ("link.transitions", Transitions, statistics.compute_transitions),
    ("link.findings", Findings, findings.compute),
)


def planted_grains(states: tuple[str, ...], *, across: int = 10, seed: int = 5) -> FollowedGrains:
    """Grains whose twelve hottest and coldest swing with the current; a trend grows along z."""
    rng = np.random.default_rng(seed)
    position = lattice_positions(rng, across=across)
    count = len(position)
    quiet = 15.0 * rng.standard_normal(count)
    special = rng.choice(count, 24, replace=False)
    pull = np.zeros(count)
    pull[special] = np.where(np.arange(24) < 12, 220.0, -220.0)
    truth = np.empty((count, len(states)))
    for k in range(len(states)):
        swing = 1.0 if k == 0 else (1.3 if k % 2 else 0.9)
        truth[:, k] = quiet + swing * pull + 0.1 * k * position[:, 2]
    found = followed(rng, position, truth)
    return dataclasses.replace(found, state=states)


def records_of(grains: FollowedGrains, **changed: Any) -> dict[type[Record], Record]:
    """Every record of the statistics of these grains, by type."""
    found: dict[type[Record], Record] = {FollowedGrains: grains}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write_record(root / "link.follow.h5", grains)
        for name, kind, compute in STEPS:
            folder = root / name
            folder.mkdir()
            work = SimpleNamespace(
                settings=SETTINGS | changed,
                folder=folder,
                source=lambda step: SimpleNamespace(record_file=root / f"{step}.h5"),
            )
            compute(work)
            (folder / "record.h5").rename(root / f"{name}.h5")
            found[kind] = read_record(root / f"{name}.h5", kind)
    return found


@lru_cache(maxsize=4)
def planted_records(states: tuple[str, ...]) -> dict[type[Record], Record]:
    """Records of the planted grains of these states."""
    return records_of(planted_grains(states))


def holding(cell: Cell, records: dict[type[Record], Record]) -> Cell:
    """The cell with these records of its own."""
    handles = {kind: (lambda found=found: found) for kind, found in records.items()}
    return dataclasses.replace(cell, handles={**cell.handles, **handles})


def statistics_cell(records: dict[type[Record], Record]) -> Cell:
    """A cell of nothing but these records; its diameter and height are not given."""
    return holding(Cell("statistics", {}, ()), records)
