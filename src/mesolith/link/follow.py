"""Grains with a partner in every state, from the maps and the pairs between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.followed import FollowedGrains
from mesolith.records.grains import GrainMap
from mesolith.records.history import History
from mesolith.records.tracking import Tracking

_FIELDS = ("stress_hydrostatic", "stress_von_mises")


def compute(work: Work) -> None:
    """Step link.follow: FollowedGrains of the cell; empty, with a remark, where none remain."""
    sources = work.inputs["link.stress"]
    names = [source.label for source in sources]
    maps = [read_record(source.record_file, GrainMap) for source in sources]
    trackings = [read_record(s.record_file, Tracking) for s in work.inputs["link.track"]]
    direction = np.zeros(len(names), dtype=np.int64)
    if "link.history" in work.inputs:
        history = read_record(work.source("link.history").record_file, History)
        direction = directions_from_history(history, names)
    try:
        followed = followed_grains(names, maps, trackings, direction)
    except InvalidValueError as error:
        remark = Remark(
            "warning", "followed grains", f"{error.what}: no statistics over the states"
        )
        write_remarks(work.folder, [remark])
        followed = _nobody(names, direction)
    write_record(work.folder / "record.h5", followed)


def followed_grains(
    states: Sequence[str],
    maps: Sequence[GrainMap],
    trackings: Sequence[Tracking],
    direction: IntArray,
) -> FollowedGrains:
    """Follow grains from the first state to the last.

    Parameters
    ----------
    states, maps
        Names and final maps (with stress) in order.
    trackings
        Pairs between each state and the next, one fewer than states.
    direction
        Direction of the current that led to each state, from `directions_from_history`.

    Raises
    ------
    InvalidValueError
        A map without stress, a wrong number of trackings, or no grain that all states hold.
    """
    if len(trackings) != len(maps) - 1 or len(states) != len(maps):
        raise InvalidValueError(
            f"{len(states)} names and {len(trackings)} trackings for {len(maps)} states",
            remedy="One tracking between each state and the next.",
        )
    rows = np.arange(len(maps[0]), dtype=np.int64)[:, None]
    probability = np.ones(len(rows))
    for tracking in trackings:
        partner = np.full(1 + max(rows[:, -1].max(initial=0), tracking.before.max(initial=0)), -1)
        sure = np.zeros(len(partner))
        partner[tracking.before] = tracking.after
        sure[tracking.before] = tracking.probability
        last = rows[:, -1]
        probability = probability * sure[last]
        rows = np.column_stack([rows, partner[last]])
        kept = rows[:, -1] >= 0
        rows, probability = rows[kept], probability[kept]
    if not len(rows):
        raise InvalidValueError(
            "no grain is tracked through all states", remedy="Compare fewer states."
        )
    columns: dict[str, FloatArray] = {}
    for name in _FIELDS:
        columns[name] = _stack(maps, rows, name, states)
        columns[f"{name}_se"] = _stack(maps, rows, f"{name}_se", states)
    return FollowedGrains(
        state=tuple(states),
        direction=np.asarray(direction, dtype=np.int64),
        grain=rows[:, 0],
        row=rows,
        probability=probability,
        position=maps[0].position[rows[:, 0]],
        radius=np.mean([m.radius[rows[:, k]] for k, m in enumerate(maps)], axis=0),
        hydrostatic=columns["stress_hydrostatic"],
        hydrostatic_se=columns["stress_hydrostatic_se"],
        hydrostatic_common_se=_own_common_error(maps, "stress_hydrostatic"),
        von_mises=columns["stress_von_mises"],
        von_mises_se=columns["stress_von_mises_se"],
        von_mises_common_se=_own_common_error(maps, "stress_von_mises"),
    )


def _nobody(states: Sequence[str], direction: IntArray) -> FollowedGrains:
    """Followed grains of states that share none."""
    count = len(states)
    table, line = np.zeros((0, count)), np.zeros(count)
    return FollowedGrains(
        state=tuple(states),
        direction=direction,
        grain=np.zeros(0, dtype=np.int64),
        row=np.zeros((0, count), dtype=np.int64),
        probability=np.zeros(0),
        position=np.zeros((0, 3)),
        radius=np.zeros(0),
        hydrostatic=table,
        hydrostatic_se=table,
        hydrostatic_common_se=line,
        von_mises=table,
        von_mises_se=table,
        von_mises_common_se=line,
    )


def directions_from_history(history: History, states: Sequence[str]) -> IntArray:
    """Direction of the net current between each of these states and the one before.

    1 plates lithium on the working electrode, -1 strips it; 0 for the first state and where no
    net charge passed.
    """
    charge = []
    for name in states:
        if name not in history.state:
            raise InvalidValueError(
                f"the history knows no state {name!r}",
                remedy=f"States: {', '.join(history.state)}.",
            )
        charge.append(history.net_areal_charge[history.state.index(name)])
    return np.sign(np.diff(charge, prepend=charge[:1])).astype(np.int64)


def _stack(
    maps: Sequence[GrainMap], rows: IntArray, name: str, states: Sequence[str]
) -> FloatArray:
    parts = []
    for k, grains in enumerate(maps):
        values = getattr(grains, name)
        if values is None:
            raise InvalidValueError(
                "the grain map has no stress",
                where=states[k],
                remedy="Take the final map, not the raw.",
            )
        parts.append(values[rows[:, k]])
    return np.column_stack(parts)


def _own_common_error(maps: Sequence[GrainMap], name: str) -> FloatArray:
    """Errors of the modes that one state alone has; a mode of all states cancels in a change."""
    seen: dict[str, int] = {}
    for grains in maps:
        for mode in grains.common_modes:
            seen[mode.name] = seen.get(mode.name, 0) + 1
    variance = np.zeros(len(maps))
    for k, grains in enumerate(maps):
        for mode in grains.common_modes:
            if seen[mode.name] == 1 and name in mode.derivatives:
                variance[k] += (mode.sigma * float(np.mean(mode.derivatives[name]))) ** 2
    return np.sqrt(variance)
