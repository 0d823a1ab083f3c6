"""All patterns of a scan: seeds from a coarse raster first, then rows, each by itself.

Two passes. `find_seeds` indexes some patterns from nothing. `index_rows` goes along rows of the
raster: at each point it tries what the point before in the row, the same point of an earlier scan
and the seeds nearby had, and searches from nothing where that does not explain the pattern. A row
knows nothing of other rows but the seeds, so that parts made of rows give the same answer in any
order and however they are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.laue.bending import slopes_of_spots, strain_by_bending
from mesolith.laue.index import LaueIndexer
from mesolith.laue.point import Follower, left_over, reciprocal_lattices, standing
from mesolith.laue.scan_settings import ScanSettings
from mesolith.laue.solve import IndexedPattern, index_pattern
from mesolith.laue.streaks import Streaks, streaks_of_grain
from mesolith.records.laue import LaueGrains, LauePeaks, laue_peaks
from mesolith.records.laue_found import LaueFound, LaueSeeds, joined_grains
from mesolith.records.laue_scan import LaueScan


def seed_points(scan: LaueScan, settings: ScanSettings | None = None) -> IntArray:
    """Points (k,) of a scan, rows of its record, that `find_seeds` wants the patterns of."""
    step = (settings or ScanSettings()).seed_step
    half = step // 2
    rows = np.unique(
        np.minimum(np.arange(half, scan.raster_rows + half, step), scan.raster_rows - 1)
    )
    columns = np.unique(
        np.minimum(np.arange(half, scan.raster_columns + half, step), scan.raster_columns - 1)
    )
    chosen = scan.grid[np.ix_(rows, columns)].ravel()
    return np.asarray(chosen[chosen >= 0])


def find_seeds(indexer: LaueIndexer, scan: LaueScan, patterns: Iterable[LauePeaks]) -> LaueSeeds:
    """Grains of some patterns of a scan, each indexed from nothing.

    ``patterns`` are those of `seed_points`, or of some of them: the seeds of parts are joined by
    `joined_seeds`. An empty list is passed over.
    """
    rows, columns, lattices, completeness, shares = [], [], [], [], []
    for at, peaks in _in_order(scan, patterns):
        found = index_pattern(indexer, peaks)
        lattice = standing(indexer, reciprocal_lattices(found.grains))
        share = left_over(found, peaks) / len(peaks)
        rows += [int(scan.row[at])] * len(lattice)
        columns += [int(scan.column[at])] * len(lattice)
        lattices += list(lattice)
        completeness += found.grains.completeness.tolist()
        shares += [share] * len(lattice)
    return LaueSeeds(
        row=np.array(rows, dtype=np.int64),
        column=np.array(columns, dtype=np.int64),
        reciprocal=np.array(lattices).reshape(-1, 3, 3),
        completeness=np.array(completeness, dtype=np.float64),
        unexplained=np.array(shares, dtype=np.float64),
    )


def index_rows(
    indexer: LaueIndexer,
    scan: LaueScan,
    patterns: Iterable[LauePeaks],
    seeds: LaueSeeds,
    *,
    earlier: tuple[LaueScan, LaueFound] | None = None,
    settings: ScanSettings | None = None,
) -> LaueFound:
    """Grains at the points of whole rows of a scan.

    Parameters
    ----------
    indexer
        Phase, station and settings of the search.
    scan
        The raster; the number that peaks carry says which point they are of.
    patterns
        One list a point, in the points' order, of one row or several whole rows; they may be
        made while they are read. An empty list is passed over.
    seeds
        Those of the whole scan.
    earlier
        A scan of the same surface in an earlier state and what was found in it: what lay nearest
        to a point then is tried there.
    settings
        Those of `ScanSettings` by default.

    Returns
    -------
    found
        Of the points whose list is not empty.

    Raises
    ------
    InvalidValueError
        A list holds several patterns, is of none of the scan's points, or they are not in order.
    """
    settings = settings or ScanSettings()
    before = None if earlier is None else _Earlier(*earlier)
    answers = _Answers(indexer)
    follower: Follower | None = None
    last: list[FloatArray] = []
    row = column = -1
    for at, peaks in _in_order(scan, patterns):
        if follower is None or scan.row[at] != row:
            follower = Follower(
                indexer, settings, seeds.usual_unexplained, seeds.usual_completeness
            )
            last = []
        elif scan.column[at] != column + 1:
            last = []
        row, column = int(scan.row[at]), int(scan.column[at])
        others = _seeds_near(seeds, row, column, settings.seed_step)
        if before is not None:
            there = before.lattices_at(float(scan.x[at]), float(scan.y[at]))
            others = [*standing(indexer, there), *others]
        found, left = follower.point(peaks, last, others)
        light = answers.add(peaks, found, left)
        lattices = reciprocal_lattices(found.grains)
        if follower.searched:
            lattices = standing(indexer, lattices)
        last = [lattices[k] for k in np.argsort(-light, kind="stable")]
    return answers.record()


@dataclass(slots=True)
class _Earlier:
    """What an earlier scan had found, by place."""

    scan: LaueScan
    found: LaueFound
    tree: cKDTree = field(init=False)
    begin: IntArray = field(init=False)

    def __post_init__(self) -> None:
        point = {number: k for k, number in enumerate(self.scan.pattern.tolist())}
        strange = [number for number in self.found.pattern.tolist() if number not in point]
        if strange:
            raise InvalidValueError(
                f"pattern {strange[0]} belongs to no point of the earlier scan {self.scan.name}",
                remedy="Give the earlier scan with what was found in it.",
            )
        rows = [point[number] for number in self.found.pattern.tolist()]
        self.tree = cKDTree(np.stack([self.scan.x[rows], self.scan.y[rows]], axis=1))
        self.begin = np.concatenate([[0], np.cumsum(self.found.grains_at)])

    def lattices_at(self, x: float, y: float) -> FloatArray:
        """Reciprocal lattices (k, 3, 3) at the nearest point."""
        if not len(self.found):
            return np.zeros((0, 3, 3))
        at = int(self.tree.query((x, y))[1])
        vectors = self.found.grains.lattice_vectors[self.begin[at] : self.begin[at + 1]]
        return np.ascontiguousarray(np.swapaxes(np.linalg.inv(vectors), 1, 2))


@dataclass(slots=True)
class _Answers:
    """What was found so far in a part of a scan."""

    indexer: LaueIndexer
    pattern: list[int] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    unexplained: list[int] = field(default_factory=list)
    grains: list[LaueGrains] = field(default_factory=list)
    brightness: list[float] = field(default_factory=list)
    streaks: list[Streaks] = field(default_factory=list)
    bending: list[FloatArray] = field(default_factory=list)

    def add(self, peaks: LauePeaks, found: IndexedPattern, left: int) -> FloatArray:
        """Keep one point's grains and what their peaks say; the brightness of each."""
        links = found.assignment
        used = links.weight > 0.0
        light = np.bincount(links.grain[used], peaks.strength[links.peak[used]], len(found.grains))
        alone = used & ~links.shared
        lattices = reciprocal_lattices(found.grains)
        for k in range(len(found.grains)):
            own = np.flatnonzero(alone & (links.grain == k))
            peak, depth = links.peak[own], links.depth[own]
            slope = slopes_of_spots(
                lattices[k],
                links.hkl[own].astype(np.float64),
                depth,
                self.indexer.geometry.row,
            )
            # as the fit weighs them, but for doubts of depths
            variance = np.trace(peaks.covariance[peak], axis1=1, axis2=2)
            known = np.where(np.isfinite(variance), variance, np.nanmean(variance))
            weight = links.weight[own] / np.where(np.isfinite(known), known, 1.0)
            self.bending.append(strain_by_bending(slope, depth, weight))
            self.streaks.append(
                streaks_of_grain(slope[..., :3], peaks.widths[peak], peaks.tilt[peak])
            )
        self.pattern.append(int(peaks.pattern[0]))
        self.peaks.append(len(peaks))
        self.unexplained.append(left)
        self.grains.append(found.grains)
        self.brightness += light.tolist()
        return np.asarray(light)

    def record(self) -> LaueFound:
        """All of it as a record."""
        nothing = index_pattern(self.indexer, laue_peaks(*np.zeros((3, 0))), search=False).grains
        streaks = self.streaks
        numbers = {
            name: np.array([getattr(one, name) for one in streaks], dtype=np.float64)
            for name in (
                *("peak_width", "peak_width_se", "streak"),
                *("streak_tilt", "bend", "bend_se"),
            )
        }
        return LaueFound(
            pattern=np.array(self.pattern, dtype=np.int64),
            peaks=np.array(self.peaks, dtype=np.int64),
            unexplained=np.array(self.unexplained, dtype=np.int64),
            grains_at=np.array([len(one) for one in self.grains], dtype=np.int64),
            grains=joined_grains([nothing, *self.grains]),
            brightness=np.array(self.brightness, dtype=np.float64),
            bend_axis=np.array([one.bend_axis for one in streaks]).reshape(-1, 3),
            strain_by_bending=np.array(self.bending).reshape(-1, 3, 3, 3),
            **numbers,
        )


def _seeds_near(seeds: LaueSeeds, row: int, column: int, step: int) -> list[FloatArray]:
    """Seeds of the points of the coarse raster about a point, nearest first."""
    across, along = np.abs(seeds.row - row), np.abs(seeds.column - column)
    near = np.flatnonzero((across <= step) & (along <= step))
    order = np.argsort(across[near] ** 2 + along[near] ** 2, kind="stable")
    return list(seeds.reciprocal[near[order]])


def _in_order(scan: LaueScan, patterns: Iterable[LauePeaks]) -> Iterator[tuple[int, LauePeaks]]:
    """Row of the scan and peaks of each list that is not empty."""
    point = {number: k for k, number in enumerate(scan.pattern.tolist())}
    previous = -1
    for peaks in patterns:
        if not len(peaks):
            continue
        number = int(peaks.pattern[0])
        if number not in point:
            raise InvalidValueError(
                f"peaks of pattern {number} belong to no point of scan {scan.name}",
                remedy="Number the patterns as the scan does.",
            )
        if point[number] <= previous:
            raise InvalidValueError(
                f"scan {scan.name}: pattern {number} does not come after {scan.pattern[previous]}",
                remedy="Give the patterns of whole rows in the scan's order.",
            )
        previous = point[number]
        yield previous, peaks
