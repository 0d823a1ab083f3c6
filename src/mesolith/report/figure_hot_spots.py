"""Where the hottest and coldest grains lie in each state, with their neighbourhoods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.followed import FollowedGrains
from mesolith.records.hotspots import HotSpots, SpotHistory
from mesolith.records.pellet import Pellet, pellet_around, scale_bar, side_view, top_view
from mesolith.records.style import BLUE, INK, MM_PER_INCH, RED, axes_mm, house_style, new_figure
from mesolith.report.lettering import fitted, thousands

COLOURS = {"hot": RED, "cold": BLUE}
_WORDS = {"hot": "hottest", "cold": "coldest"}
_STRESS = "hydrostatic"
_ACROSS, _MOST = 5, 10  # states in a row, states at most
_PAPER = "70 um"
_BACKGROUND = 500  # other grains that are shown


@dataclass(frozen=True, slots=True)
class _Spots:
    """Spots of one kind: picked anew in each state, and those of one state kept."""

    kind: str
    anew: SpotHistory
    fixed: SpotHistory
    paper: SpotHistory | None

    @property
    def kept(self) -> list[int]:
        """How many spots of each state are among the fixed ones."""
        centre, fixed = self.anew.centre, self.fixed.centre
        return [len(np.intersect1d(centre[:, k], fixed[:, k])) for k in range(centre.shape[1])]


def draw(cell: Cell) -> Drawing | None:
    """Every state from above and from the side; None without spots."""
    if FollowedGrains not in cell or HotSpots not in cell:
        return None
    followed = cell[FollowedGrains]
    found = [s for kind in COLOURS if (s := _spots(cell[HotSpots], kind)) is not None]
    if not found or not len(followed):
        return None
    states = _shown(len(followed.state))
    pellet = pellet_around(cell, followed.position)
    scale = min(33.0 / pellet.diameter, 40.0 / pellet.height)
    top, side = scale * pellet.diameter, scale * pellet.height
    lines = max(fitted(followed.state[k], 31.0, size=7.5).count("\n") + 1 for k in states)
    pitch = 3.2 * lines + top + side + 11.0
    rows = -(-len(states) // _ACROSS)
    with house_style():
        figure = new_figure(rows * pitch + 7.0)
        for place, k in enumerate(states):
            row, column = divmod(place, _ACROSS)
            middle = 12.0 + 33.6 * (column + 0.5)
            upper = 7.0 + (rows - row) * pitch - 3.2 * lines - 2.0 - top
            lower = upper - side - 2.5
            first = axes_mm(figure, middle - top / 2.0, upper, top, top)
            second = axes_mm(figure, middle - top / 2.0, lower, top, side)
            first.set_title(fitted(followed.state[k], 31.0, size=7.5), loc="center", pad=2)
            _view(first, followed, found, k, pellet, (0, 1), top_view(first, pellet), scale)
            _view(second, followed, found, k, pellet, (0, 2), side_view(second, pellet), scale)
            _counted(second, found, k)
            if column == 0:
                _directions(first, second)
                scale_bar(second, pellet, below=6.5 / side)
        _legend(figure, found)
    return Drawing(
        figure=figure,
        caption=_caption(followed, found, states),
        how=(
            "Places are those of the first state, on axes that follow the sample. Seen along z "
            "(above) and along y (below); spots are points at their centres of mass, some of "
            "the other grains are faint points, and a circle has the radius of the neighbourhood "
            "in the scale of the pellet. Spots are chosen by the measured stress, so that noise "
            "has a part in who is among them: changes are judged in the figures of their changes, "
            "never here."
        ),
        cite=(
            (
                "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), "
                "Figs. 3f and S10"
            ),
        ),
        table=_table(followed, found),
    )


def _spots(record: HotSpots, kind: str) -> _Spots | None:
    anew = record.history(kind=kind, chosen="anew", quantity=_STRESS)
    fixed = record.history(kind=kind, chosen="fixed", quantity=_STRESS)
    if anew is None or fixed is None:
        return None
    paper = record.history(kind=kind, chosen="fixed", quantity=_STRESS, neighbourhood=_PAPER)
    return _Spots(kind, anew, fixed, paper)


def _shown(states: int) -> list[int]:
    """All states, or the first ones and the last where they are too many."""
    return list(range(states)) if states <= _MOST else [*range(_MOST - 1), states - 1]


def _view(
    axes: Any,
    followed: FollowedGrains,
    found: list[_Spots],
    state: int,
    pellet: Pellet,
    along: tuple[int, int],
    outline: Any,
    scale: float,
) -> None:
    place = (followed.position - pellet.middle)[:, along]
    # the others are no more than a background: some of them show where the body is
    others = place[:: max(1, len(place) // _BACKGROUND)]
    axes.scatter(*others.T, s=1.6, color=INK, alpha=0.15, linewidths=0, rasterized=True)
    for spots in found:
        colour = COLOURS[spots.kind]
        centre = place[spots.anew.centre[:, state]]
        reaches = {spots.anew.reach: 0.22, 70.0: 0.0}
        for reach, fill in reaches.items():
            if reach <= 0.0 or (reach == 70.0 and spots.paper is None):
                continue
            (circles,) = axes.plot(
                *centre.T,
                "o",
                markersize=2.0 * reach * scale * 72.0 / MM_PER_INCH,
                markerfacecolor=(colour, fill) if fill else "none",
                markeredgecolor=colour,
                markeredgewidth=0.5,
                zorder=2,
            )
            circles.set_clip_path(outline)
        axes.plot(*centre.T, "o", color=colour, markersize=2.2, zorder=3)
        axes.plot(
            *place[spots.fixed.centre[:, state]].T,
            "s",
            color="none",
            markeredgecolor=INK,
            markeredgewidth=0.6,
            markersize=4.2,
            zorder=4,
        )


def _counted(axes: Any, found: list[_Spots], state: int) -> None:
    words = f"kept: {', '.join(f'{s.kept[state]} {s.kind}' for s in found)}"
    axes.text(0.5, -0.06, words, transform=axes.transAxes, ha="center", va="top", fontsize=6.5)


def _directions(top: Any, side: Any) -> None:
    """Two short arrows left of each view: x to the right, y or z upwards."""
    corner, length = np.array([-25.0, 2.0]), 15.0
    for axes, upwards in ((top, "y"), (side, "z")):
        for name, way in (("x", (1.0, 0.0)), (upwards, (0.0, 1.0))):
            end = corner + length * np.array(way)
            axes.annotate(
                "",
                tuple(end),
                tuple(corner),
                xycoords="axes points",
                textcoords="axes points",
                arrowprops={
                    "arrowstyle": "-|>",
                    "linewidth": 0.7,
                    "color": INK,
                    "mutation_scale": 5,
                    "shrinkA": 0,
                },
            )
            axes.annotate(
                name,
                tuple(end + 3.5 * np.array(way)),
                xycoords="axes points",
                ha="center",
                va="center",
                fontsize=7,
            )


def _legend(figure: Any, found: list[_Spots]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], marker="o", color=COLOURS[s.kind], markersize=3, linestyle="none")
        for s in found
    ]
    names = [f"{_WORDS[s.kind]} grains of the state" for s in found]
    if found[0].anew.reach > 0.0:
        handles.append(Patch(facecolor=(RED, 0.22), edgecolor=RED, linewidth=0.5))
        names.append(f"neighbourhood, {found[0].anew.reach:.0f} µm")
    if found[0].paper is not None and found[0].anew.reach != 70.0:
        handles.append(Line2D([], [], marker="o", color="none", mec=RED, mew=0.5, markersize=6))
        names.append("70 µm")
    square = Line2D([], [], marker="s", color="none", markeredgecolor=INK, markersize=4)
    handles.append(square)
    names.append("fixed spots")
    figure.legend(
        handles,
        names,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=len(names),
        columnspacing=1.4,
    )


def _caption(followed: FollowedGrains, found: list[_Spots], states: list[int]) -> str:
    first = found[0]
    from_state = _fixed_from(first, followed)
    last = followed.state[-1]
    stayed = []
    for spots in found:
        count, kept = len(spots.fixed.centre), spots.kept[-1]
        low, high = _share_interval(kept, count)
        stayed.append(
            f"{kept} of {count} {_WORDS[spots.kind]} (95 %: {count * low:.1f} to "
            f"{count * high:.1f})"
        )
    counted = "; ".join(
        f"{s.kind}: {thousands(s.anew.grains)} grains"
        + ("" if s.paper is None else f", {thousands(s.paper.grains)} within 70 µm of fixed spots")
        for s in found
    )
    left_out = len(followed.state) - len(states)
    text = (
        f"The {len(first.anew.centre)} hottest and coldest of {len(followed):,} followed grains "
        f"by hydrostatic stress, picked anew in each state, with their neighbourhoods ({counted})."
    )
    if len(followed.state) > 1:
        by_chance = len(first.fixed.centre) ** 2 / len(followed)
        text += (
            f" Squares: spots fixed from {from_state}; below each state, how many of them are "
            f"still spots. In {last} still {' and '.join(stayed)}; chance alone would keep "
            f"{by_chance:.2g}."
        )
    if left_out:
        text += f" {left_out} states before the last are left out; the table holds all."
    return text


def _fixed_from(spots: _Spots, followed: FollowedGrains) -> str:
    """State whose own spots are the fixed ones."""
    kept = spots.kept
    return followed.state[int(np.argmax(kept))]


def _share_interval(hits: int, count: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a share."""
    from scipy.special import betaincinv

    low = 0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, 0.025))
    high = 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, 0.975))
    return low, high


def _table(followed: FollowedGrains, found: list[_Spots]) -> dict[str, Any]:
    rows: dict[str, list[Any]] = {}
    for spots in found:
        for history in (spots.anew, spots.fixed):
            for k, state in enumerate(history.state):
                for rank, centre in enumerate(history.centre[:, k]):
                    x, y, z = followed.position[centre]
                    row = {
                        "state": state,
                        "kind": spots.kind,
                        "chosen": history.chosen,
                        "rank": rank + 1,
                        "grain_row": int(followed.row[centre, k]),
                        "x_um": x,
                        "y_um": y,
                        "z_um": z,
                        "stress_hydrostatic_mpa": followed.hydrostatic[centre, k],
                        "stress_hydrostatic_mpa_se": followed.hydrostatic_se[centre, k],
                        "neighbourhood_mean_mpa": history.spot_mean[rank, k],
                        "reach_um": history.reach,
                        "grains_in_neighbourhoods": int(history.grains[k]),
                    }
                    for name, value in row.items():
                        rows.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in rows.items()}
