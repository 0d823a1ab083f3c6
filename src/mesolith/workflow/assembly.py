"""From stored parts to a Cell: the handles behind each state, and all remarks.

A part that needs the whole cell lists every record as an input named PER/INSTANCE/RECORD
("state/0/mesolith.records.grains:GrainMap"); `assemble` makes a Cell from such inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from mesolith.pipeline.graph import PartInput, PartSpec
from mesolith.pipeline.technique import load
from mesolith.pipeline.work import Work, read_remarks
from mesolith.records.cell import Cell, Handle, State
from mesolith.records.field import Record

PARTS = "parts"


def record_inputs(
    records: Mapping[tuple[str, int, str], PartSpec],
) -> dict[str, tuple[PartInput, ...]]:
    """Inputs of a part that needs the whole cell."""
    return {
        f"{per}/{instance}/{record}": (PartInput(part.label, part.key),)
        for (per, instance, record), part in records.items()
    }


def assemble(work: Work) -> Cell:
    """Cell whose handles read the records among the part's inputs.

    ``work.settings["cell"]`` holds name, conditions and states (name and protocol each), and the
    remarks known before anything ran.
    """
    from mesolith.io.record_file import read_record

    told: Mapping[str, Any] = work.settings["cell"]
    of_state: dict[int, dict[type[Record], Handle]] = {}
    of_pair: dict[int, dict[type[Record], Handle]] = {}
    of_cell: dict[type[Record], Handle] = {}
    for name, sources in work.inputs.items():
        per, _, rest = name.partition("/")
        if per not in ("state", "pair", "cell"):
            continue
        instance, _, dotted = rest.partition("/")
        kind: type[Record] = load(dotted)
        handle = partial(read_record, sources[0].record_file, kind)
        if per == "cell":
            of_cell[kind] = handle
        else:
            holder = of_state if per == "state" else of_pair
            holder.setdefault(int(instance), {})[kind] = handle
    states = tuple(
        State(
            name=state["name"],
            index=index,
            protocol=state["protocol"],
            handles=of_state.get(index, {}),
        )
        for index, state in enumerate(told["states"])
    )
    return Cell(
        name=told["name"],
        conditions=told["conditions"],
        states=states,
        handles=of_cell,
        pairs=of_pair,
        remarks=_remarks(work),
    )


def _remarks(work: Work) -> tuple[tuple[str, str, str], ...]:
    """What was known before the run, then what the parts left, each said once."""
    found = [tuple(remark) for remark in work.settings["cell"]["remarks"]]
    for source in work.inputs.get(PARTS, ()):
        for remark in read_remarks(source.path):
            where = remark.where or source.label
            found.append((remark.level, where, remark.text))
    return tuple(dict.fromkeys((str(a), str(b), str(c)) for a, b, c in found))
