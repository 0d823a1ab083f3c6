"""The half cycles of all states of a cell as one record, in the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.join import stacked
from mesolith.io.record_file import read_record
from mesolith.pipeline.work import Remark, Work
from mesolith.records.cycling import Cycling, HalfCycles
from mesolith.records.field import CommonMode
from mesolith.units import to_internal

M2_OF_UM2 = 1e-12


@dataclass(frozen=True, slots=True)
class WholeCell:
    """``cycling`` without spectra; ``state`` names the state of each of its half cycles."""

    cycling: Cycling
    state: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Area:
    """Area of the electrodes and its standard error, m2; None where it was not given."""

    square_metre: float | None
    standard_error: float

    @property
    def relative(self) -> float:
        """Relative standard error; 0 without an area."""
        return 0.0 if self.square_metre is None else self.standard_error / self.square_metre


def cycling_of_states(records: Sequence[tuple[str, Cycling]]) -> WholeCell:
    """All rows and half cycles of the states' records, joined in the order of their times.

    Half cycles keep their rows: ``first_row`` counts in the joined record. Records without rows
    are left out.
    """
    timed = sorted(
        ((name, record) for name, record in records if len(record.time)),
        key=lambda entry: float(entry[1].time[0]),
    )
    halves: list[HalfCycles] = []
    names: list[str] = []
    offset = 0
    for name, record in timed:
        half = record.half_cycles
        if half is not None:
            halves.append(replace(half, first_row=half.first_row + offset))
            names += [name] * len(half.step)
        offset += len(record.time)
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(record, field) for _, record in timed])
        if timed
        else np.empty(0)
        for field in ("time", "current", "voltage", "step")
    }
    joined["step"] = joined["step"].astype(np.int64)
    half_cycles = stacked(HalfCycles, halves)
    if half_cycles is None:
        half_cycles = empty_half_cycles()
    return WholeCell(Cycling(**joined, half_cycles=half_cycles), tuple(names))


def whole_cell_of(work: Work) -> WholeCell:
    """The half cycles among a part's inputs from echem.read."""
    return cycling_of_states(
        [
            (source.label, read_record(source.record_file, Cycling))
            for source in work.inputs.get("echem.read", ())
        ]
    )


def empty_half_cycles() -> HalfCycles:
    """A record of no half cycle."""
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    return HalfCycles(whole, whole, whole, real, real, real, real, real, real, real)


def area_of(settings: Mapping[str, Any]) -> Area:
    """Area that cell.toml states; a cycler file's header is never asked."""
    area, error = settings.get("cell.area_mm2"), settings.get("cell.area_se_mm2")
    if area is None:
        return Area(None, 0.0)
    square_metre = to_internal(float(area), "mm2") * M2_OF_UM2
    return Area(square_metre, to_internal(float(error or 0.0), "mm2") * M2_OF_UM2)


def area_remarks(settings: Mapping[str, Any], where: str) -> list[Remark]:
    """What a reader must know of values per area."""
    if settings.get("cell.area_mm2") is None:
        text = (
            "cell.area_mm2 is not given: nothing is stated per area. The area in a cycler file's "
            "header is a default of the program and is not used"
        )
        return [Remark("warning", where, text)]
    if settings.get("cell.area_se_mm2") is None:
        text = (
            "cell.area_se_mm2 is not given: the area counts as exact, and the intervals of values "
            "per area hold no error of it"
        )
        return [Remark("assumed", where, text)]
    return []


def scaling_mode(
    name: str, relative: float, values: Mapping[str, FloatArray | float]
) -> tuple[CommonMode, ...]:
    """A mode that multiplies fields; ``values`` are the fields times their power of the factor.

    Nothing where the relative error is zero.
    """
    if not relative > 0.0:
        return ()
    derivatives = {field: np.asarray(value, dtype=np.float64) for field, value in values.items()}
    return (CommonMode(name, relative, "1", derivatives),)
