"""k-means clusters of grains by place and stress, and what shuffled stress would have given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.numerics.kmeans import k_means
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.followed import FollowedGrains
from mesolith.records.pellet import Pellet, oblique_view, pellet_around, projected
from mesolith.records.space import SpatialStatistics, StressClusters
from mesolith.records.style import (
    FAINT,
    INK,
    axes_mm,
    diverging_map,
    house_style,
    letter,
    new_figure,
)
from mesolith.report.lettering import fitted, plain

_SHUFFLES, _STARTS = 9, 2
_MOST = 3_000  # grains that take part in a shuffle
_BINS = 40
_SEED = 20_221_031


@dataclass(frozen=True, slots=True)
class _Shuffled:
    """Shares of the variance between clusters after each shuffle of stress over the places."""

    stress: FloatArray
    place: FloatArray


def draw(cell: Cell) -> Drawing | None:
    """Clusters of the first and the last state; None without them."""
    if FollowedGrains not in cell or SpatialStatistics not in cell:
        return None
    followed, space = cell[FollowedGrains], cell[SpatialStatistics]
    if not space.clusters or not len(followed):
        return None
    clusters = space.clusters[0]
    # with one state the first is the last
    shown = list(dict.fromkeys(clusters.state))
    pellet = pellet_around(cell, followed.position)
    colours = _colours(clusters.centre.shape[1])
    stress = [followed.hydrostatic[:, followed.state.index(name)] for name in shown]
    edges = np.linspace(*_ends(np.concatenate(stress)), _BINS + 1)
    shuffled = [_shuffled(followed.position, values, clusters) for values in stress]
    lines = max(fitted(name, 80.0, size=7.5).count("\n") for name in shown)
    with house_style():
        figure = new_figure(111.0 + 3.2 * lines)
        for k, name in enumerate(shown):
            view = axes_mm(figure, 3.0 + 90.0 * k, 49.0, 84.0, 57.0)
            _view(view, followed.position, clusters.label[:, k], stress[k], pellet, colours)
            view.set_title(fitted(name, 80.0, size=7.5), loc="center", pad=2)
            letter(view, "ab"[k], left_mm=0.0, up_mm=0.5)
            below = axes_mm(figure, 16.0 + 90.0 * k, 11.0, 71.0, 29.0)
            _distribution(below, clusters, k, stress[k], edges, colours)
            below.set_xlabel("hydrostatic stress (MPa)")
            if k == 0:
                below.set_ylabel("grains")
    return Drawing(
        figure=figure,
        caption=_caption(followed, clusters, shown, shuffled),
        how=(
            f"k-means of x, y, z and hydrostatic stress, k = {clusters.centre.shape[1]}, "
            f"{_SCALING[clusters.scaling]}; clusters are numbered from low to high stress. k-means "
            "divides any cloud of points and cannot say that there are no clusters. So the "
            "stresses were shuffled over the places and divided again "
            f"({_SHUFFLES} times, at most {_MOST:,} grains). Whether stress has a direction is "
            "tested in the figure of trends."
        ),
        cite=(
            (
                "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), "
                "Figs. 5a and S9a"
            ),
        ),
        table=_table(followed, clusters, shown, stress, shuffled),
    )


_SCALING = {
    "standard": "each column divided by its standard deviation",
    "none": "not scaled (µm and MPa), so that place decides nearly alone",
}


def _colours(count: int) -> Any:
    """From low stress to high; the grey in the middle darker than the map's, for it is alone."""
    from matplotlib.colors import to_rgba

    colours = diverging_map()(np.linspace(0.14, 0.86, count))
    if count % 2:
        colours[count // 2] = to_rgba(FAINT)
    return colours


def _ends(values: FloatArray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _shuffled(position: FloatArray, stress: FloatArray, clusters: StressClusters) -> _Shuffled:
    rng = np.random.default_rng(_SEED)
    taken = np.arange(len(stress))
    if len(taken) > _MOST:
        taken = np.sort(rng.choice(len(stress), _MOST, replace=False))
    place = position[taken]
    shares = []
    for _ in range(_SHUFFLES):
        table = np.column_stack([place, rng.permutation(stress)[: len(taken)]])
        scale = table.std(axis=0) if clusters.scaling == "standard" else np.ones(4)
        scale = np.where(scale > 0.0, scale, 1.0)
        count = clusters.centre.shape[1]
        found = k_means(table / scale, count, starts=_STARTS, seed=_SEED)
        variance = table.var(axis=0)
        centre = (found.centre * scale)[found.label]
        between = np.mean((centre - table.mean(axis=0)) ** 2, axis=0)
        shares.append((_share(between[3:], variance[3:]), _share(between[:3], variance[:3])))
    both = np.array(shares)
    return _Shuffled(both[:, 0], both[:, 1])


def _share(between: FloatArray, total: FloatArray) -> float:
    return float(between.sum() / total.sum()) if total.sum() > 0.0 else 0.0


def _view(
    axes: Any,
    position: FloatArray,
    label: Any,
    stress: FloatArray,
    pellet: Pellet,
    colours: Any,
) -> None:
    x, y, near = projected(position - pellet.middle)
    order = np.argsort(near, kind="stable")
    faint = float(np.clip((1_500.0 / len(x)) ** 0.5, 0.12, 0.8))
    # the stranger a grain's stress, the larger: the few would vanish among the many
    away = np.abs(stress - stress.mean()) / (stress.std() or 1.0)
    size = (4.0 + 5.0 * np.clip(away - 1.0, 0.0, 4.0)) * min(1.0, (4_000.0 / len(x)) ** 0.5)
    axes.scatter(
        x[order],
        y[order],
        s=size[order],
        c=colours[label[order]],
        alpha=faint,
        linewidths=0,
        rasterized=True,
    )
    oblique_view(axes, pellet)


def _distribution(
    axes: Any,
    clusters: StressClusters,
    state: int,
    stress: FloatArray,
    edges: FloatArray,
    colours: Any,
) -> None:
    label = clusters.label[:, state]
    for own, colour in enumerate(colours):
        counts, _ = np.histogram(stress[label == own], edges)
        mean = plain(float(clusters.centre[state, own, 3]), 0)
        axes.stairs(
            np.maximum(counts, 0.5),
            edges,
            baseline=0.5,
            color=colour,
            linewidth=1.1,
            label=f"{own + 1}: n = {clusters.grains[state, own]:,}, mean {mean} MPa",
        )
    axes.set_yscale("log")
    axes.set_ylim(0.6, 8.0 * max(1.0, len(stress) / 5.0))
    axes.set_xlim(edges[0], edges[-1])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1.0 else "")
    axes.minorticks_off()
    axes.legend(loc="upper left", borderaxespad=0.1, labelspacing=0.25, fontsize=6)
    axes.axvline(float(stress.mean()), color=INK, linewidth=0.5, dashes=(3, 2), zorder=0)


def _caption(
    followed: FollowedGrains,
    clusters: StressClusters,
    shown: list[str],
    shuffled: list[_Shuffled],
) -> str:
    told = []
    for k, name in enumerate(shown):
        own = shuffled[k]
        told.append(
            f"in {name} {_percent(clusters.share_stress[k])} % of the variance of stress lies "
            f"between the clusters (shuffled: {_percents(own.stress)} %) and "
            f"{_percent(clusters.share_place[k])} % of that of place "
            f"({_percents(own.place)} %)"
        )
    count = clusters.centre.shape[1]
    return (
        f"The {len(followed):,} followed grains of {' (a) and '.join(shown)}"
        f"{' (b)' if len(shown) > 1 else ''} by k-means cluster, k = {count}, "
        f"{_SCALING[clusters.scaling]}; above in the pellet, below the distribution of stress in "
        f"each cluster (dashed: mean of all). Clusters are always found: {'; '.join(told)}. The "
        f"ranges are those of {_SHUFFLES} shuffles of the same stresses over the places "
        "(a level of 80 %): shares within them are what k-means makes of grains that know "
        "nothing of their place."
    )


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f}"


def _percents(shares: FloatArray) -> str:
    low, high = _percent(float(shares.min())), _percent(float(shares.max()))
    return low if low == high else f"{low} to {high}"


def _table(
    followed: FollowedGrains,
    clusters: StressClusters,
    shown: list[str],
    stress: list[FloatArray],
    shuffled: list[_Shuffled],
) -> dict[str, Any]:
    """One row a grain and state; what holds for the whole state is repeated in its rows."""
    count, states = len(followed), len(shown)
    place = np.tile(followed.position, (states, 1))
    table: dict[str, Any] = {
        "state": np.repeat(np.array(shown), count),
        "grain_row": np.tile(followed.grain, states),
        "x_um": place[:, 0],
        "y_um": place[:, 1],
        "z_um": place[:, 2],
        "stress_hydrostatic_mpa": np.concatenate(stress),
        "cluster": clusters.label[:, :states].T.ravel() + 1,
    }
    for name, values in (
        ("share_stress", clusters.share_stress[:states]),
        ("share_place", clusters.share_place[:states]),
        ("share_stress_shuffled_low", [own.stress.min() for own in shuffled]),
        ("share_stress_shuffled_high", [own.stress.max() for own in shuffled]),
        ("share_place_shuffled_low", [own.place.min() for own in shuffled]),
        ("share_place_shuffled_high", [own.place.max() for own in shuffled]),
    ):
        table[name] = np.repeat(np.array(values, dtype=float), count)
    return table
