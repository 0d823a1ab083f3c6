"""The statements of Shen et al. (2022) about a cycled surface, each as a test.

"Spatiotemporal mapping of microscopic strains and defects" and its preprint: the strain maps show
no visible change; the equivalent strain near the surface that meets lithium grows; eps_zz goes
from compression to tension in every grain; misorientation grows in the lower right corner.
Besides: growth is ordered by depth below the interface rather than tied to grain boundaries
everywhere.

No run asks these tests yet: with nothing planted, misorientation in the corner and eps_zz alarmed
more often than they state (4 of 16 trials, 6 of 48 grains at 5 %), and the study is not finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.link.laue_settings import Region, StatementSettings, lower_right_corner
from mesolith.link.laue_spatial import (
    MapCells,
    MapSums,
    SumAnswer,
    grain_means,
    independent_columns,
    map_cells,
)
from mesolith.numerics.spatial import holm_p_values
from mesolith.records.field import CommonMode
from mesolith.records.laue_changes import LaueChange, LaueStatements
from mesolith.records.laue_map import LaueMap

UNCHANGED = "no visible change in the strain maps"
NEAR_GROWS = "near-surface von Mises strain grows"
TURNS_TENSILE = "eps_zz goes from compression to tension in every grain"
REGION_GROWS = "misorientation grows in the {}"
DEPTH_ORDERED = "growth is ordered by depth rather than tied to boundaries"
CONFIRMED, REFUTED, NOT_FOUND, UNTOLD = "confirmed", "refuted", "not found", "cannot be told"
_LEVEL = 0.05
_FEWEST_CELLS = 5
_SIX = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_GROWN = (("strain_equivalent", "1"), ("misorientation", "rad"), ("peak_width", "px"))


@dataclass(slots=True)
class _Rows:
    """Rows of the table as they come."""

    entries: list[tuple[str, str, float, float, float, float, str, float, float, float]] = field(
        default_factory=list
    )
    against: list[float] = field(default_factory=list)
    judged: list[bool] = field(default_factory=list)

    def add(
        self,
        statement: str,
        question: str,
        answer: SumAnswer,
        k: int,
        unit: str,
        spread: float,
        verdict: tuple[float, float] | None = None,
    ) -> None:
        """Sum ``k`` of an answer; ``verdict`` are the p-values for and against the statement."""
        value, half = float(answer.value[k]), float(answer.half_width()[k])
        p, against = (float(answer.p[k]), np.nan) if verdict is None else verdict
        self.entries.append(
            (
                *(statement, question, value, float(answer.se[k]), value - half, value + half),
                *(unit, value / spread, float(answer.units[k]), p),
            )
        )
        self.against.append(against)
        self.judged.append(verdict is not None)

    def record(self) -> LaueStatements:
        columns = list(zip(*self.entries, strict=True))
        judged, p = np.array(self.judged), np.array(columns[9])
        family = holm_p_values(np.where(judged, p, np.nan))
        against = holm_p_values(np.array(self.against))
        return LaueStatements(
            statement=columns[0],
            question=columns[1],
            **{
                name: np.array(columns[k], dtype=np.float64)
                for name, k in (("estimate", 2), ("se", 3), ("low", 4), ("high", 5))
            },
            unit=columns[6],
            effect=np.array(columns[7]),
            independent=np.array(columns[8]),
            p=p,
            p_family=family,
            p_against=against,
            verdict=tuple(_verdict(*row) for row in zip(judged, family, against, strict=True)),
        )


def _verdict(judged: bool, p: float, against: float) -> str:
    if not judged:
        return ""
    if p < _LEVEL:
        return CONFIRMED
    if against < _LEVEL:
        return REFUTED
    return NOT_FOUND if np.isfinite(p) else UNTOLD


@dataclass(slots=True)
class _Surface:
    """What all tests share: the points that every scan has, in cells, and the growth's model."""

    first: LaueMap
    changes: list[LaueChange]
    rows: list[IntArray]
    cells: MapCells
    grains: IntArray
    sums: MapSums
    names: list[str]
    weights: FloatArray

    def values(self, k: int, name: str) -> FloatArray:
        return np.asarray(getattr(self.changes[k], name)[self.rows[k]])

    def common(self, k: int, name: str) -> list[tuple[float, FloatArray]]:
        return [
            (mode.sigma, mode.derivatives[name][self.rows[k]])
            for mode in self.changes[k].common_modes
            if name in mode.derivatives
        ]

    def spread(self, name: str) -> float:
        return float(np.std(getattr(self.first, name)[self.points]))

    @property
    def points(self) -> IntArray:
        return np.asarray(self.changes[0].point[self.rows[0]])


def laue_statements(
    first: LaueMap, changes: Sequence[LaueChange], settings: StatementSettings | None = None
) -> LaueStatements:
    """Each statement about the last scan against the first, with the numbers it stands on.

    ``changes`` are those of all later scans against ``first``, in order, with distances from the
    interface. Growth near the interface, at boundaries and in regions is one model: the change of
    a point is that of its grain, plus terms that fall off from the interface and from the nearest
    boundary, plus one in each region. What is common to all points drops from these terms; from
    changes of whole grains it does not, and is carried in their errors.

    Raises
    ------
    InvalidValueError
        No change is given, or too few points are common to all scans.
    """
    settings = settings or StatementSettings()
    regions = (lower_right_corner(first.scan), *settings.regions)
    surface = _surface(first, list(changes), settings, regions)
    rows = _Rows()
    _unchanged(rows, surface, settings.visible_strain)
    _growth(rows, surface, regions)
    _turns_tensile(rows, surface, np.asarray(settings.zz) / np.linalg.norm(settings.zz))
    return rows.record()


def _surface(
    first: LaueMap,
    changes: list[LaueChange],
    settings: StatementSettings,
    regions: Sequence[Region],
) -> _Surface:
    if not changes:
        raise InvalidValueError("no later scan to compare", remedy="Give two scans or more.")
    shared = changes[0].point
    for change in changes[1:]:
        shared = np.intersect1d(shared, change.point)
    rows = [np.flatnonzero(np.isin(change.point, shared)) for change in changes]
    own = changes[0]
    x, y, grain = own.x[rows[0]], own.y[rows[0]], own.grain[rows[0]]
    if len(shared) < 4 * _FEWEST_CELLS:
        raise InvalidValueError(
            f"{len(shared)} points are common to all scans",
            remedy="Compare scans of the same area.",
        )
    cells = map_cells(x, y, grain, max(first.scan.pitch))
    names, counts = np.unique(cells.grain, return_counts=True)
    grains = names[counts >= _FEWEST_CELLS]
    near = np.exp(-np.maximum(own.interface_distance[rows[0]], 0.0) / settings.near_um)
    beside = np.exp(-own.boundary_distance[rows[0]] / settings.boundary_um)
    shapes = [np.zeros((len(cells.grain), 0))]
    terms = {"interface": cells.mean(near), "boundary": cells.mean(beside)}
    for region in regions:
        inside = (x >= region.x_low) & (x <= region.x_high)
        inside &= (y >= region.y_low) & (y <= region.y_high)
        terms[region.name] = cells.mean(inside.astype(np.float64))
        shapes.append(_within(terms[region.name], cells.place))
    constants = (cells.grain[:, None] == names).astype(np.float64)
    columns = np.column_stack([constants, *terms.values()])
    kept = independent_columns(columns)
    design = columns[:, kept]
    fixed = np.column_stack([design, *shapes])
    fixed = fixed[:, independent_columns(fixed)]
    inverse = np.linalg.pinv(design)
    left = [name for name, good in zip(terms, kept[len(names) :], strict=True) if good]
    weights = inverse[len(design.T) - len(left) :].T
    return _Surface(first, changes, rows, cells, grains, MapSums(cells, fixed), left, weights)


def _within(inside: FloatArray, place: FloatArray) -> FloatArray:
    """Smooth shapes (cells, 9) inside a region, whose noise is judged by what lies elsewhere."""
    rows = inside > 0.0
    if not np.any(rows):
        return np.zeros((len(inside), 0))
    low, extent = place[rows].min(axis=0), np.maximum(np.ptp(place[rows], axis=0), 1.0)
    u, v = (2.0 * (place - low) / extent - 1.0).T
    powers = [(i, n - i) for n in (1, 2, 3) for i in range(n + 1)]
    return np.stack([inside * u**i * v**j for i, j in powers], axis=1)


def _unchanged(rows: _Rows, surface: _Surface, visible: float) -> None:
    """Mean change of each component in each grain against what could be seen."""
    last = len(surface.changes) - 1
    weights = grain_means(surface.cells, surface.grains)
    strain, modes = surface.values(last, "strain"), surface.common(last, "strain")
    within, beyond, largest = [], [], (-1.0, 0, 0)
    answers = []
    for c, (i, j) in enumerate(_SIX):
        answer = surface.sums.test(
            weights, strain[:, i, j], [(sigma, moved[:, i, j]) for sigma, moved in modes]
        )
        answers.append(answer)
        within.append(np.maximum(answer.above(-visible), answer.below(visible)))
        beyond.append(np.minimum(answer.above(visible), answer.below(-visible)))
        k = int(np.argmax(np.abs(answer.value)))
        largest = max(largest, (float(np.abs(answer.value[k])), c, k))
    _, c, k = largest
    i, j = _SIX[c]
    spread = float(np.std(surface.first.strain[surface.points][:, i, j]))
    count = 2.0 * np.size(beyond)
    against = float(np.fmin(1.0, count * _least(np.array(beyond))))
    question = f"largest mean change of a component in a grain ({i + 1}{j + 1})"
    rows.add(UNCHANGED, question, answers[c], k, "1", spread, (float(np.max(within)), against))


def _growth(rows: _Rows, surface: _Surface, regions: Sequence[Region]) -> None:
    """Terms of the change that stand near the interface, at boundaries and in regions."""
    last = len(surface.changes) - 1
    of_term = {name: k for k, name in enumerate(surface.names)}
    for name, unit in _GROWN:
        spread = surface.spread(name)
        for k in range(len(surface.changes)):
            later = surface.changes[k].registration.later
            weights, terms = surface.weights, list(surface.names)
            if "interface" in of_term and "boundary" in of_term:
                apart = weights[:, of_term["interface"]] - weights[:, of_term["boundary"]]
                weights = np.column_stack([weights, apart])
                terms.append("interface less boundary")
            if not terms:
                continue
            answer = surface.sums.test(weights, surface.values(k, name), surface.common(k, name))
            claims = _claims(name, regions) if k == last else {}
            for t, term in enumerate(terms):
                verdict = (float(answer.above()[t]), float(answer.below()[t]))
                question = f"{name}, {term}, {later}"
                claim = claims.get(term)
                rows.add(
                    claim or DEPTH_ORDERED,
                    question,
                    answer,
                    t,
                    unit,
                    spread,
                    verdict if claim else None,
                )


def _claims(name: str, regions: Sequence[Region]) -> dict[str, str]:
    """Which statement a term of a value speaks of."""
    if name == "strain_equivalent":
        return {"interface": NEAR_GROWS, "interface less boundary": DEPTH_ORDERED}
    if name == "misorientation":
        return {region.name: REGION_GROWS.format(region.name) for region in regions}
    return {}


def _turns_tensile(rows: _Rows, surface: _Surface, n: FloatArray) -> None:
    """eps_zz of each grain before and after; every grain has to turn.

    How true strain varies in a grain is no error of its mean. Errors of both scans are in the
    change, and no scan alone errs more; what both have alike stands in the common modes.
    """
    last = len(surface.changes) - 1
    points = surface.points
    weights = grain_means(surface.cells, surface.grains)
    before = np.einsum("i,nij,j->n", n, surface.first.strain[points], n)
    change = np.einsum("i,nij,j->n", n, surface.values(last, "strain"), n)
    spread = float(np.std(before))
    own, moved = _responses(surface, n, last)
    modes = [*own, *(name for name in moved if name not in own)]
    none = (0.0, np.zeros(len(points)))
    after = []
    for name in modes:
        one, two = own.get(name, none), moved.get(name, none)
        after.append((max(one[0], two[0]), one[1] + two[1]))
    answers = (
        surface.sums.test(weights, before, list(own.values()), errs_like=change),
        surface.sums.test(weights, before + change, after, errs_like=change),
        surface.sums.test(weights, change, list(moved.values())),
    )
    for g, grain in enumerate(surface.grains):
        for label, answer in zip(("before", "after", "change"), answers, strict=True):
            rows.add(TURNS_TENSILE, f"eps_zz, {label}, grain {grain}", answer, g, "1", spread)
    for_it = np.maximum(answers[0].below(), answers[1].above())
    contrary = np.minimum(answers[0].above(), answers[1].below())
    worst = int(np.argmax(np.where(np.isfinite(for_it), for_it, 2.0)))
    against = float(min(1.0, 2.0 * len(contrary) * _least(contrary)))
    question = f"change of eps_zz in the grain least sure to turn ({surface.grains[worst]})"
    verdict = (float(np.max(for_it)), against)
    rows.add(TURNS_TENSILE, question, answers[2], worst, "1", spread, verdict)


def _responses(
    surface: _Surface, n: FloatArray, k: int
) -> tuple[dict[str, tuple[float, FloatArray]], dict[str, tuple[float, FloatArray]]]:
    """How eps_zz before, and its change, answer to each common mode."""

    def along(mode: CommonMode, rows: IntArray, count: int) -> tuple[float, FloatArray]:
        moved = np.broadcast_to(mode.derivatives["strain"], (count, 3, 3))[rows]
        return mode.sigma, np.einsum("i,nij,j->n", n, moved, n)

    first, change = surface.first, surface.changes[k]
    own = {
        mode.name: along(mode, surface.points, len(first))
        for mode in first.common_modes
        if "strain" in mode.derivatives
    }
    moved = {
        mode.name: along(mode, surface.rows[k], len(change))
        for mode in change.common_modes
        if "strain" in mode.derivatives
    }
    return own, moved


def _least(p: FloatArray) -> float:
    """Smallest of those that are known; NaN where none is."""
    known = p[np.isfinite(p)]
    return float(known.min()) if len(known) else float("nan")
