"""Two toy techniques with a text format, and a valid cell.toml: what the tests here read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mesolith.errors import EmptyFileError
from mesolith.pipeline.settings import setting
from mesolith.pipeline.technique import Description, Format, Step, Technique

CELL = """\
# A cell for tests.
[cell]
name = "virtual LLZTO 1"
stack = "Li|LLZO|Li"
diameter_um = 1600.0
thickness_um = 900.0
area_mm2 = 2.01
plates_under_positive_current = "working"    # in the cycler file's own sign

[conditions]
stack_pressure_mpa = 5.0
lateral = "free"
temperature_c = 50.0

[electrolyte]
material = "LLZTO-I-43d"

[clock]
cycler = { zone = "Europe/Berlin", offset_s = 0.0 }
beamline = { zone = "America/Chicago" }

[maps]
sigma_um = 20.0
rule = "optimal"

[[state]]
name = "pristine"
measured_at = 2024-05-03T08:00:00+02:00
maps = { files = ["raw/pristine/map.toy"], format = "toy" }

[[state]]
name = "plating 1"
after = { half_cycles = 1, current_ma_cm2 = 0.1, duration_h = 3.75 }
measured_at = 2024-05-03T13:00:00+02:00
maps = { files = [
    "raw/plating1/map.toy",
    "raw/plating1/second.toy",
], format = "toy" }
logs = { files = ["raw/plating1/*.log"] }
"""

FILES = {
    "raw/pristine/map.toy": "TOY\nrows=3\n",
    "raw/plating1/map.toy": "TOY\nrows=4\n",
    "raw/plating1/second.toy": "TOY\nrows=5\n",
    "raw/plating1/a10.log": "LOG\nstart=2024-05-03T09:10:00\n",
    "raw/plating1/a9.log": "LOG\nstart=2024-05-03T09:00:00\n",
}


@dataclass(frozen=True, slots=True)
class MapSettings:
    """[maps]: settings of the first toy technique."""

    sigma_um: float = setting(
        "number", "Error of a position.", default=10.0, unit="um", minimum=0.1, maximum=500.0
    )
    rule: str = setting(
        "choice", "Rule of pairing.", default="optimal", choices=("optimal", "nearest")
    )
    merge: bool = setting("flag", "Merge what was found twice.", default=True)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """[logs]: settings of the second toy technique."""

    limit: int = setting("integer", "Rows to read.", default=100, minimum=1, maximum=1000)


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Further keys beside the files of a log."""

    date_order: str | None = setting(
        "choice", "Order of day and month.", default=None, choices=("day-first", "month-first")
    )


def recognise_toy(path: Path, head: bytes) -> float:
    return 1.0 if head.startswith(b"TOY") else 0.0


def recognise_log(path: Path, head: bytes) -> float:
    return 1.0 if head.startswith(b"LOG") else 0.0


def describe_toy(path: Path) -> Description:
    return _describe("toy", path)


def describe_log(path: Path) -> Description:
    return _describe("log", path)


def _describe(name: str, path: Path) -> Description:
    text = path.read_text(encoding="utf-8")
    if len(text) <= 4:
        raise EmptyFileError("no rows at all", where=path.name, remedy="Copy it again.")
    start = re.search(r"start=(\S+)", text)
    rows = re.search(r"rows=(\d+)", text)
    problems = ("the header is cut short.",) if "cut" in text else ()
    needs = tuple((key, "something is open") for key in re.findall(r"needs=(\S+)", text))
    return Description(
        name,
        start=start[1] if start else None,
        rows=int(rows[1]) if rows else None,
        facts=(f"{rows[1]} rows",) if rows else (),
        problems=problems,
        needs=needs,
    )


HERE = "tests.experiment.toy"
TOY = Format("toy", "Toy map", (".toy",), f"{HERE}:recognise_toy", f"{HERE}:describe_toy")
LOG = Format("log", "Toy log", (".log",), f"{HERE}:recognise_log", f"{HERE}:describe_log")
MAPS = Technique(
    name="maps",
    key="maps",
    record="mesolith.records.grains:GrainMap",
    settings=f"{HERE}:MapSettings",
    formats=(f"{HERE}:TOY", f"{HERE}:LOG"),
    steps=(Step("maps.read", 1, "none:none", "state", ("raw",), ("maps.sigma_um", "electrolyte")),),
)
LOGS = Technique(
    name="logs",
    key="logs",
    record="mesolith.records.cycling:Cycling",
    settings=f"{HERE}:LogSettings",
    formats=(f"{HERE}:LOG", f"{HERE}:TOY"),
    steps=(
        Step(
            "logs.read",
            1,
            "none:none",
            "state",
            ("raw",),
            ("clock.cycler", "cell.plates_under_positive_current"),
        ),
    ),
    options=f"{HERE}:LogOptions",
)
TECHNIQUES = (MAPS, LOGS)


def write_cell(folder: Path, text: str = CELL) -> Path:
    """Write a cell.toml with its raw files; returns its path."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    path = folder / "cell.toml"
    path.write_text(text, encoding="utf-8")
    return path
