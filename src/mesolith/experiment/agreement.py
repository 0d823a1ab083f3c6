"""Values of a cell.toml that cannot all be true together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from mesolith.errors import ClockError, ContradictionError, DuplicateError
from mesolith.experiment.experiment import ExperimentState
from mesolith.experiment.mistakes import Book, did_you_mean
from mesolith.experiment.places import KeyPath
from mesolith.experiment.sections import NEEDED, STATE, After
from mesolith.pipeline.technique import Step, Technique

_ROUNDING = 1.02  # a length given with two digits


def check_agreement(
    values: Mapping[str, Mapping[str, Any]],
    states: tuple[ExperimentState, ...],
    raw: Mapping[str, Any],
    techniques: tuple[Technique, ...],
    book: Book,
) -> None:
    """Note everything that two places of the file say differently."""
    _area(values["cell"], book)
    steps = _steps_to_run(states, techniques)
    _needed(values, steps, book)
    _area_between(values["cell"], states, techniques, steps, book)
    _names(states, book)
    _after_of_first(states, raw, book)
    for state in states:
        if state.after is not None:
            _counts(state.after, (STATE, state.index, "after"), book)
    _times(states, book)
    _shared_files(states, book)
    _series(values["conditions"].get("stack_pressure_mpa"), states, book)


def _area(cell: Mapping[str, Any], book: Book) -> None:
    diameter, area = cell.get("diameter_um"), cell.get("area_mm2")
    if diameter is None or area is None:
        return
    face = math.pi / 4.0 * (diameter * 1e-3) ** 2
    if area > face * _ROUNDING:
        book.value(
            ("cell", "area_mm2"),
            f"area_mm2 = {area:g} is larger than the face of the pellet, {face:.4g} mm2 "
            f"(diameter_um = {diameter:g})",
            "The active area is what lithium covers.",
            ContradictionError,
            also=book.places.value(("cell", "diameter_um")),
        )


def _needed(values: Mapping[str, Mapping[str, Any]], steps: list[Step], book: Book) -> None:
    """Keys without a safe default, where a step that will run works with them."""
    wanted: dict[str, str] = {}
    for step in steps:
        for setting in step.settings:
            if setting in NEEDED:
                wanted.setdefault(NEEDED[setting], step.name)
    for dotted, step_name in wanted.items():
        table, _, key = dotted.partition(".")
        if key in values[table] and values[table][key] is None:
            book.key(
                (table,),
                f"[{table}] lacks the key {key!r}, which the step {step_name} works with",
                f"`mesolith explain {dotted}` says what it is.",
            )


def _area_between(
    cell: Mapping[str, Any],
    states: tuple[ExperimentState, ...],
    techniques: tuple[Technique, ...],
    steps: list[Step],
    book: Book,
) -> None:
    """`after` is per area, files are not: where a step compares both, it needs the area."""
    if "area_mm2" not in cell or cell["area_mm2"] is not None:
        return
    compared = {
        name.removesuffix("?")
        for step in steps
        if "cell.area_mm2" in step.settings
        for name in step.inputs
    }
    keys = [t.key for t in techniques if any(step.name in compared for step in t.steps)]
    for state in states:
        for key in keys:
            if state.after is not None and state.files.get(key):
                book.key(
                    ("cell",),
                    f"[cell] lacks the key 'area_mm2': `after` of {state.name!r} is per area, its "
                    f"{key} is not",
                    "Say the area that lithium covers, or leave one of the two out.",
                )
                return


def _steps_to_run(
    states: tuple[ExperimentState, ...], techniques: tuple[Technique, ...]
) -> list[Step]:
    """Steps of the techniques that have files, and the links that find their inputs."""
    from mesolith.link import STEPS

    used = {key for state in states for key in state.files}
    running = [step for t in techniques if t.key in used for step in t.steps]
    names = {step.name for step in running}
    for step in STEPS:
        if all(name.endswith("?") or name in names for name in step.inputs):
            running.append(step)
            names.add(step.name)
    return running


def _names(states: tuple[ExperimentState, ...], book: Book) -> None:
    seen: dict[str, int] = {}
    for state in states:
        word = state.name.strip().casefold()
        if word and word in seen:
            book.value(
                (STATE, state.index, "name"),
                f"the name {state.name!r} is given to two states",
                None,
                DuplicateError,
                also=book.places.key((STATE, seen[word], "name")),
            )
        seen.setdefault(word, state.index)


def _after_of_first(
    states: tuple[ExperimentState, ...], raw: Mapping[str, Any], book: Book
) -> None:
    if states and states[0].index == 0 and "after" in raw[STATE][0]:
        book.key(
            (STATE, 0, "after"),
            "the first state follows nothing that is measured, so it has no `after`",
            "Leave it out, or list the state before.",
        )


def _counts(after: After, path: KeyPath, book: Book) -> None:
    if (after.half_cycles is None) == (after.cycles is None):
        both = after.cycles is not None
        book.key(
            path,
            "after holds half_cycles and cycles" if both else "after lacks half_cycles or cycles",
            "One of them says how often the current flowed.",
        )
        return
    word = "half_cycles" if after.half_cycles is not None else "cycles"
    count = after.half_cycles if after.half_cycles is not None else after.cycles
    for key, value in (("current_ma_cm2", after.current_ma_cm2), ("duration_h", after.duration_h)):
        if isinstance(value, tuple) and len(value) != count:
            book.value(
                (*path, key),
                f"{key} lists {len(value)} values for {word} = {count}",
                "Give one value for all, or one for each.",
                ContradictionError,
            )


def _hours(after: After) -> float:
    count = after.half_cycles or after.cycles or 0
    durations = after.duration_h
    return sum(durations) if isinstance(durations, tuple) else count * durations


def _times(states: tuple[ExperimentState, ...], book: Book) -> None:
    """Times must rise, and leave room for what is said to have happened in between."""
    hours = 0.0
    last: ExperimentState | None = None
    for state in states:
        hours += _hours(state.after) if state.after is not None else 0.0
        if state.measured_at is None:
            continue
        if last is not None and last.measured_at is not None:
            here: KeyPath = (STATE, state.index, "measured_at")
            if state.measured_at <= last.measured_at:
                book.value(
                    here,
                    f"{state.name!r} was measured at {state.measured_at.isoformat()}, not after "
                    f"{last.name!r} at {last.measured_at.isoformat()}",
                    "States stand in the order of time.",
                    ClockError,
                    also=book.places.key((STATE, last.index, "measured_at")),
                )
            elif state.measured_at - last.measured_at < timedelta(hours=hours / _ROUNDING):
                between = (state.measured_at - last.measured_at).total_seconds() / 3600.0
                book.value(
                    here,
                    f"{between:.4g} h lie between {last.name!r} and {state.name!r}, but their "
                    f"half cycles take {hours:.4g} h",
                    "One of measured_at, duration_h and the number of cycles is wrong.",
                    ContradictionError,
                    also=book.places.key((STATE, state.index, "after")),
                )
        last, hours = state, 0.0


def _shared_files(states: tuple[ExperimentState, ...], book: Book) -> None:
    seen: dict[tuple[str, object], ExperimentState] = {}
    for state in states:
        for key, files in state.files.items():
            for file, entry in zip(files, state.entries[key], strict=True):
                other = seen.setdefault((key, file), state)
                if other is not state:
                    book.value(
                        (STATE, state.index, key, "files", entry),
                        f"{file.name} is listed under {key} of {other.name!r} already",
                        "A file belongs to one state.",
                        DuplicateError,
                        also=book.places.key((STATE, other.index, key)),
                    )


def _series(value: Any, states: tuple[ExperimentState, ...], book: Book) -> None:
    if not isinstance(value, tuple):
        return
    path: KeyPath = ("conditions", "stack_pressure_mpa")
    names = [state.name for state in states]
    given = [entry["state"] for entry in value]
    for k, name in enumerate(given):
        if name not in names:
            book.value(
                (*path, k, "state"),
                f"stack_pressure_mpa names a state {name!r} that does not exist",
                did_you_mean(name, names, listing="States"),
            )
        elif name in given[:k]:
            book.value((*path, k, "state"), f"stack_pressure_mpa names {name!r} twice")
    for state in states:
        if state.name and state.name not in given:
            book.key(
                path,
                f"stack_pressure_mpa gives no value for the state {state.name!r}",
                also=book.places.value((STATE, state.index, "name")),
            )
