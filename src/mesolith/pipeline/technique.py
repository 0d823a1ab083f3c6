"""What a technique tells the rest of the house: dotted names, loaded when needed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal


def load(dotted: str) -> Any:
    """Object behind ``package.module:name``."""
    module, _, name = dotted.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way from files to records.

    Parameters
    ----------
    name
        "technique.verb", unique, such as "hedm.read".
    version
        Integer; raised when the same inputs give another result.
    compute
        Dotted name of ``compute(work: Work) -> None``.
    per
        "state": once for each state that has its inputs; "pair": for each state and the next
        that has them; "cell": once.
    inputs
        Names of steps, or "raw" for the files of the technique in that state. A step at "state"
        gets one source per input (one per raw file, one per part); at "pair" two, earlier first;
        at "cell" all, in the order of the states. An input with a trailing "?" may be absent; of
        inputs that all may, one must be there.
    settings
        Dotted keys of cell.toml on which the result depends ("conditions.stack_pressure_mpa",
        "hedm.sigma_position_um", "state.after"). Their values, defaults filled in, are part of
        the key and are handed to compute.
    record
        Dotted name of the record it writes to ``record.h5`` in its folder, or None. Where several
        steps write the same record type for one state, the last one in the list of steps counts.
    parts
        Dotted name of ``parts(work: Work) -> list[Mapping]`` that cuts the step: one selector a
        part, handed to compute as ``work.selector``. None: one part.
    cost
        Dotted name of ``cost(work: Work) -> Cost``; None: one second, 300 MB, 10 MB.
    all_cores
        The part uses all cores and runs alone.
    trial
        Dotted name of ``trial(work: Work) -> None`` for a step that takes long: `check` calls it
        instead of compute, where the step reads files or what it needs was tried. It raises what
        can be seen of files and settings at once, and makes nothing that another step could use.
    of
        For a step at "cell" that works on one state: the dotted key of cell.toml that names it.
        Without a name it is the first state that has the inputs. Inputs, settings and label are
        those of that state, and every state that needs the step gets the one result.
    """

    name: str
    version: int
    compute: str
    per: Literal["state", "pair", "cell"]
    inputs: tuple[str, ...]
    settings: tuple[str, ...] = ()
    record: str | None = None
    parts: str | None = None
    cost: str | None = None
    all_cores: bool = False
    trial: str | None = None
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the report.

    ``draw`` is the dotted name of ``draw(cell: Cell) -> Drawing | None`` (None where the cell
    lacks what it needs); ``number`` is what the papers call it ("Dixit 2022, Fig. 2").
    ``version`` is raised when the same cell gives another picture. ``settings`` are dotted keys of
    cell.toml that the figure hangs on, beside the records: they stand in the cell's conditions.
    """

    name: str
    title: str
    number: str
    draw: str
    version: int = 1
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """What ``mesolith export NAME`` writes: ``write(cell: Cell, path: Path) -> None``.

    ``file`` is the name of a file, or of a folder that the writer makes and fills.
    """

    name: str
    file: str
    help: str
    write: str


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique: a folder, and one line in techniques.py.

    Parameters
    ----------
    name
        Name of the folder and of its settings table in cell.toml ("hedm").
    key
        Word under which a state in cell.toml lists its files ("grains").
    record
        Dotted name of the record type that a state hands out.
    settings
        Dotted name of its settings dataclass (fields declared with `setting`).
    options
        Dotted name of a dataclass of further keys of a state's table beside ``files`` and
        ``format`` (fields declared with `setting`), such as the order of day and month. None:
        none. They arrive with "state.KEY".
    formats
        Dotted names of its readers: each an object of type `Format`.
    steps, figures, exports
        What it adds to the workflow, the report and ``mesolith export``.
    commands
        Dotted names of ``add(subparsers) -> None``, which add commands of their own.
    """

    name: str
    key: str
    record: str
    settings: str
    formats: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    figures: tuple[Figure, ...] = ()
    exports: tuple[Export, ...] = ()
    commands: tuple[str, ...] = ()
    options: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A file format, recognised by its content.

    ``recognise`` is the dotted name of ``recognise(path: Path, head: bytes) -> float``: how sure
    (0 to 1) the content is of this format; ``head`` is the first 64 KiB. ``describe`` is the
    dotted name of ``describe(path: Path) -> Description`` for `mesolith new` and `check`: cheap,
    header only.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    recognise: str
    describe: str


@dataclass(frozen=True, slots=True)
class Description:
    """What a file's header says of it, before anything is computed.

    ``start`` and ``end`` are naive or aware ISO 8601 texts as the file states them; ``facts``
    are short texts for a person; ``problems`` are what would stop a run. ``needs`` are what would
    stop it unless a key is given in cell.toml: (key, why), the key an option beside the files
    ("date_order") or a dotted one ("cell.area_mm2").
    """

    format: str
    start: str | None = None
    end: str | None = None
    rows: int | None = None
    facts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
