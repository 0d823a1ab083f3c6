"""The cell, its states, and the handles to what was measured and found in each."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from mesolith.errors import InputError
from mesolith.records.field import Record

R = TypeVar("R", bound=Record)
Handle = Callable[[], Record]


@dataclass(frozen=True, slots=True, repr=False)
class State:
    """One electrochemical state; ``state[GrainMap]`` loads the record of that type."""

    name: str
    index: int
    protocol: Mapping[str, Any] = field(default_factory=dict)
    handles: Mapping[type[Record], Handle] = field(default_factory=dict)

    def __repr__(self) -> str:
        held = ", ".join(kind.__name__ for kind in self.handles)
        return f"<State {self.index} {self.name!r}: {held or 'nothing'}>"

    def __getitem__(self, record: type[R]) -> R:
        try:
            handle = self.handles[record]
        except KeyError:
            held = ", ".join(kind.__name__ for kind in self.handles) or "nothing"
            raise InputError(
                f"state {self.name!r} has no {record.__name__}", remedy=f"It holds: {held}."
            ) from None
        return cast(R, handle())

    def __contains__(self, record: type[Record]) -> bool:
        return record in self.handles


@dataclass(frozen=True, slots=True, repr=False)
class Cell:
    """A cell as its files and its cell.toml tell it.

    ``conditions`` are the values of cell.toml by dotted key ("cell.area_mm2"). ``handles`` are
    records of the cell as a whole; ``pairs`` those between a state and the next, by the index of
    the earlier. ``remarks`` are what a reader must know: (level, where, text).
    """

    name: str
    conditions: Mapping[str, Any]
    states: tuple[State, ...]
    handles: Mapping[type[Record], Handle] = field(default_factory=dict)
    pairs: Mapping[int, Mapping[type[Record], Handle]] = field(default_factory=dict)
    remarks: tuple[tuple[str, str, str], ...] = ()

    def __repr__(self) -> str:
        lines = "".join(f"\n  {state!r}" for state in self.states)
        return f"<Cell {self.name!r}>{lines}"

    def __getitem__(self, record: type[R]) -> R:
        if record not in self.handles:
            raise InputError(f"cell {self.name!r} has no {record.__name__}")
        return cast(R, self.handles[record]())

    def __contains__(self, record: type[Record]) -> bool:
        return record in self.handles

    def state(self, name: str) -> State:
        """State of that name."""
        for state in self.states:
            if state.name == name:
                return state
        raise InputError(
            f"cell {self.name!r} has no state {name!r}",
            remedy=f"States: {', '.join(state.name for state in self.states)}.",
        )

    def having(self, record: type[R]) -> Iterator[tuple[State, R]]:
        """States that hold the record, in order, each with it."""
        for state in self.states:
            if record in state:
                yield state, state[record]

    def pair(self, index: int, record: type[R]) -> R | None:
        """Record between state ``index`` and the next, or None."""
        handle = self.pairs.get(index, {}).get(record)
        return None if handle is None else cast(R, handle())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{s.index}</td><td>{html.escape(s.name)}</td>"
            f"<td>{', '.join(kind.__name__ for kind in s.handles)}</td></tr>"
            for s in self.states
        )
        return (
            f"<table><caption>{html.escape(self.name)}</caption>"
            f"<tr><th></th><th>state</th><th>records</th></tr>{rows}</table>"
        )
