"""Temperature during a state: how it is read, kept, drawn and exported."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import FileFormatError, TruncatedFileError
from mesolith.io.record_file import write_record
from mesolith.pipeline.settings import setting
from mesolith.pipeline.technique import Description
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.field import Record, quantity
from mesolith.units import from_internal, to_internal

FIRST_LINE = "# thermometer log, started "


@dataclass(frozen=True, slots=True)
class ThermometerSettings:
    """Table [thermometer] of cell.toml."""

    offset_k: float = setting(
        "number",
        "What the thermometer shows too much; it is subtracted from every reading.",
        default=0.0,
        unit="K",
        minimum=-20.0,
        maximum=20.0,
        example="0.4",
    )


@dataclass(frozen=True, slots=True)
class Temperature(Record):
    """Readings of one state, offset removed."""

    plot = ("temperature", "time")

    time: FloatArray = quantity("seconds since 1970 UTC", unit="s", shape=("reading",))
    temperature: FloatArray = quantity("temperature", unit="K", shape=("reading",))
    mean: float = quantity("mean temperature", unit="K", error="mean_se")
    mean_se: float = quantity("standard error of the mean temperature", unit="K")


def recognise_log(path: Path, head: bytes) -> float:
    """1 where the file begins as a thermometer log does."""
    return 1.0 if head.startswith(FIRST_LINE.encode()) else 0.0


def describe_log(path: Path) -> Description:
    """Start of a log and its number of readings."""
    lines = path.read_text(encoding="utf-8").splitlines()
    readings = len(lines) - 2
    return Description(
        format="thermometer-log",
        start=lines[0].removeprefix(FIRST_LINE),
        rows=readings,
        facts=(f"{readings} readings",),
    )


def read_log(path: Path) -> tuple[FloatArray, FloatArray]:
    """Times (s since 1970 UTC) and temperatures (K) of a log, as the thermometer showed them."""
    with path.open(encoding="utf-8", newline="") as file:
        first = file.readline()
        if not first.startswith(FIRST_LINE):
            raise FileFormatError("this is no thermometer log", where=str(path))
        start = datetime.fromisoformat(first.removeprefix(FIRST_LINE).strip()).timestamp()
        rows = list(csv.DictReader(file))
    if len(rows) < 2:
        raise TruncatedFileError(
            f"{len(rows)} readings, at least 2 are needed",
            where=str(path),
            remedy="Copy the log again.",
        )
    seconds = np.array([float(row["seconds"]) for row in rows])
    celsius = np.array([float(row["degree_celsius"]) for row in rows])
    return start + seconds, to_internal(celsius, "degC")


def compute(work: Work) -> None:
    """Step thermometer.read: the readings of one state, offset removed."""
    offset = float(work.settings["thermometer.offset_k"])
    read = [read_log(source.path) for source in work.inputs["raw"]]
    time = np.concatenate([part[0] for part in read])
    temperature = np.concatenate([part[1] for part in read]) - offset
    write_record(
        work.folder / "record.h5",
        Temperature(
            time=time,
            temperature=temperature,
            mean=float(temperature.mean()),
            mean_se=float(temperature.std(ddof=1) / np.sqrt(temperature.size)),
        ),
    )
    if offset == 0.0:
        said = Remark("assumed", work.label, "The thermometer is taken to have no offset.")
        write_remarks(work.folder, [said])


def draw_temperature(cell: Cell) -> Drawing | None:
    """Mean temperature of each state with its standard error."""
    from mesolith.records.style import axes_mm, house_style, new_figure

    found = list(cell.having(Temperature))
    if not found:
        return None
    mean = from_internal(np.array([record.mean for _, record in found]), "degC")
    error = np.array([record.mean_se for _, record in found])
    with house_style():
        figure = new_figure(60.0, 90.0)
        axes = axes_mm(figure, 18.0, 14.0, 66.0, 40.0)
        axes.errorbar(np.arange(len(found)), mean, yerr=error, fmt="o")
        axes.set_xticks(np.arange(len(found)), [state.name for state, _ in found])
        axes.set_ylabel("temperature (°C)")
    return Drawing(
        figure=figure,
        caption=f"Mean temperature of {len(found)} states; bars are standard errors.",
        how="Mean of all readings of a state after the offset has been subtracted.",
        cite=(),
        table={
            "state": np.array([state.name for state, _ in found]),
            "temperature_degc": mean,
            "temperature_degc_se": error,
        },
    )


def write_temperatures(cell: Cell, path: Path) -> None:
    """CSV with one line a state: mean temperature and its standard error in degC."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["state", "temperature_degc", "temperature_degc_se"])
        for state, record in cell.having(Temperature):
            celsius = from_internal(record.mean, "degC")
            writer.writerow([state.name, f"{celsius:.6f}", f"{record.mean_se:.6f}"])
