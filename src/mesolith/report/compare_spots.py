"""Hot and cold spots of several cells: stress by state, and change net of regression."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.hotspots import HotSpots, SpotChanges, SpotHistory
from mesolith.records.style import FAINT, INK, axes_mm, house_style, letter, new_figure, wrapped
from mesolith.report.compare_states import DIXIT, Columns, colour_of, columns_of, marker_of

_KINDS = (("hydrostatic", "hydrostatic stress"), ("von_mises", "von Mises stress"))


def draw(cells: Sequence[Cell]) -> Drawing | None:
    """Spots fixed in one state, followed; None where fewer than two cells have spots."""
    if sum(HotSpots in cell and bool(cell[HotSpots].histories) for cell in cells) < 2:
        return None
    columns = columns_of(cells)
    table = _table(cells)
    with house_style():
        figure = new_figure(120.0)
        frames = [
            axes_mm(figure, left, bottom, 73, 46) for bottom in (69, 17) for left in (16, 105)
        ]
        for k, (kind, label) in enumerate(_KINDS):
            _levels(frames[k], cells, kind, columns)
            frames[k].set_ylabel(f"{label} of spots (MPa)")
            _changes(frames[k + 2], cells, kind, columns)
            frames[k + 2].set_ylabel(f"change, {label} (MPa)")
        for k, axes in enumerate(frames):
            labels = wrapped(columns.names, 11) if k > 1 else []
            axes.set_xticks(range(len(columns.names)), labels, fontsize=6.5)
            axes.set_xlim(-0.5, len(columns.names) - 0.5)
            letter(axes, "abcd"[k], left_mm=14.0, up_mm=-1.0)
        for k, cell in enumerate(cells):
            frames[2].plot([], [], marker_of(k), color=colour_of(k), label=cell.name)
        for kind, dashes in (("hot spots", ()), ("cold spots", (2, 1.5))):
            frames[2].plot([], [], color=INK, dashes=dashes or (1, 0), linewidth=0.8, label=kind)
        figure.legend(
            *frames[2].get_legend_handles_labels(), loc="lower center", ncols=6, columnspacing=1.5
        )
    return Drawing(
        figure=figure,
        caption=_caption(cells),
        how=(
            "Spots are fixed in one state and followed; their neighbourhoods are as in each "
            "cell's own report. Chosen by a noisy value, spots fall back to the mean without any "
            "change (a, b, as measured); in (c, d) that part and the pellet's mean are taken off. "
            "Each cell's p-values stand in its findings, differences between cells below."
        ),
        cite=(f"{DIXIT}, Figs. 5, S10-S16",),
        table=table,
    )


def _caption(cells: Sequence[Cell]) -> str:
    told = []
    for cell in cells:
        for history in _histories(cell, "hydrostatic"):
            if history.kind == "hot":
                spots = history.centre.shape[0]
                counts = ", ".join(str(n) for n in history.grains)
                told.append(
                    f"{cell.name}: {spots} hot and {spots} cold spots, {counts} grains around the "
                    "hot ones by state"
                )
    return (
        "Hot (full line) and cold (dashed) spots, chosen by (a) hydrostatic, (b) von Mises stress "
        "in one state and followed: mean of their neighbourhoods with one standard error (68 %, by "
        "blocks of grains; no bar where one block holds all). (c, d) Change since that state "
        "against the pellet's mean, regression to the mean removed, with 68 % intervals; no bar "
        f"where no error is known. {'; '.join(told)}."
    )


def _histories(cell: Cell, quantity: str) -> Iterator[SpotHistory]:
    if HotSpots in cell:
        for kind in ("hot", "cold"):
            found = cell[HotSpots].history(kind=kind, chosen="fixed", quantity=quantity)
            if found is not None:
                yield found


def _fixed_changes(cell: Cell, quantity: str) -> SpotChanges | None:
    return (
        cell[HotSpots].changes_of(chosen="fixed", quantity=quantity) if HotSpots in cell else None
    )


def _rows_of(changes: SpotChanges, kind: str) -> list[tuple[int, str]]:
    """Rows of one kind of spot with the state that each leads to."""
    found = []
    for k, question in enumerate(changes.question):
        word, _, states = question.partition(": ")
        if word == kind:
            found.append((k, states.partition(" to ")[2]))
    return found


def _levels(axes: Any, cells: Sequence[Cell], quantity: str, columns: Columns) -> None:
    for number, cell in enumerate(cells):
        for history in _histories(cell, quantity):
            x = np.array([columns.place(number, state) for state in history.state])
            _line(axes, x, history.mean, history.mean_se[None].repeat(2, 0), number, history.kind)
    axes.axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)


def _changes(axes: Any, cells: Sequence[Cell], quantity: str, columns: Columns) -> None:
    for number, cell in enumerate(cells):
        changes = _fixed_changes(cell, quantity)
        if changes is None:
            continue
        for kind in ("hot", "cold"):
            rows = _rows_of(changes, kind)
            if not rows:
                continue
            k = np.array([row for row, _ in rows])
            x = np.array([columns.place(number, state) for _, state in rows])
            change = changes.change[k]
            ends = np.stack([change - changes.low[k], changes.high[k] - change])
            _line(axes, x, change, ends, number, kind)
    axes.axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)


def _line(axes: Any, x: Any, y: Any, ends: Any, number: int, kind: str) -> None:
    colour = colour_of(number)
    dashes = (1, 0) if kind == "hot" else (2, 1.5)
    axes.plot(x, y, color=colour, linewidth=0.8, dashes=dashes, alpha=0.8)
    known = np.all(np.isfinite(ends), axis=0) & np.any(ends > 0.0, axis=0)
    axes.errorbar(
        x[known], y[known], yerr=ends[:, known], fmt="none", ecolor=colour, linewidth=0.8, capsize=2
    )
    face = colour if kind == "hot" else "white"
    axes.plot(x, y, marker_of(number), color=face, markeredgecolor=colour, markersize=3.6, mew=0.8)


def _table(cells: Sequence[Cell]) -> dict[str, Any]:
    """One row a cell, stress, kind of spot and state."""
    rows: list[dict[str, Any]] = []
    nan = float("nan")
    for cell in cells:
        for quantity, _ in _KINDS:
            changes = _fixed_changes(cell, quantity)
            for history in _histories(cell, quantity):
                rows_of = [] if changes is None else _rows_of(changes, history.kind)
                to = {state: k for k, state in rows_of}
                for s, state in enumerate(history.state):
                    k = to.get(state)
                    row = {
                        "cell": cell.name,
                        "stress": quantity,
                        "spots": history.kind,
                        "state": state,
                        "grains": int(history.grains[s]),
                        "mean_mpa": float(history.mean[s]),
                        "mean_mpa_se": float(history.mean_se[s]),
                    }
                    for column, field in (
                        ("change_mpa", "change"),
                        ("change_mpa_lower68", "low"),
                        ("change_mpa_upper68", "high"),
                        ("p", "p"),
                        ("p_family", "p_family"),
                    ):
                        row[column] = nan if k is None else float(getattr(changes, field)[k])
                    rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
