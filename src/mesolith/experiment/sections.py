"""The tables of cell.toml that belong to no technique: each key with unit, range and help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mesolith.pipeline.settings import setting

Numbers = float | tuple[float, ...]
Series = float | tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class CellTable:
    """[cell]: what was built."""

    name: str = setting("text", "Name of the cell, as the report prints it.", example='"cell 7"')
    stack: str | None = setting(
        "text",
        "Layers from the counter electrode below to the working electrode above, parted by |.",
        default=None,
        example='"Li|LLZO|Li"',
    )
    diameter_um: float | None = setting(
        "number",
        "Diameter of the electrolyte pellet.",
        default=None,
        unit="um",
        minimum=10.0,
        maximum=100_000.0,
        example="1600.0",
    )
    thickness_um: float | None = setting(
        "number",
        "Thickness of the electrolyte pellet.",
        default=None,
        unit="um",
        minimum=1.0,
        maximum=20_000.0,
        example="900.0",
    )
    area_mm2: float | None = setting(
        "number",
        "Active area, the electrolyte's face that lithium covers. The area in a cycler file's "
        "header is a default of the program and is never used.",
        default=None,
        unit="mm2",
        minimum=1e-4,
        maximum=10_000.0,
        example="2.011",
    )
    area_se_mm2: float | None = setting(
        "number",
        "Standard error of the active area. It shifts all values per area together; without it "
        "the area counts as exact, and the report says so.",
        default=None,
        unit="mm2",
        minimum=0.0,
        maximum=10_000.0,
        example="0.05",
    )
    plates_under_positive_current: str | None = setting(
        "choice",
        "Electrode on which lithium plates under positive current, in the cycler file's own sign. "
        "EC-Lab counts oxidation positive, so there it is the counter electrode, unless the cell "
        "was wired the other way round. Where it is not given, the format's convention is taken.",
        default=None,
        choices=("working", "counter"),
        example='"working"',
    )
    truth: str | None = setting(
        "text",
        "Folder with the true values of a virtual cell; the report shows recovered against true.",
        default=None,
        example='"truth"',
    )


@dataclass(frozen=True, slots=True)
class ConditionsTable:
    """[conditions]: how the cell was made and run."""

    stack_pressure_mpa: Series | None = setting(
        "series",
        "Pressure on the stack while it is measured: one value, or one for each state as "
        '[{ state = "pristine", value = 5.0 }, ...].',
        default=None,
        unit="MPa",
        minimum=0.0,
        maximum=1_000.0,
        important=True,
        example="5.0",
    )
    lateral: str = setting(
        "choice",
        "Whether the sides of the pellet are free or held by a confining die; a die leaves the "
        "radial stress unknown, which widens intervals.",
        default="free",
        choices=("free", "confined"),
        example='"free"',
    )
    forming_pressure_mpa: float | None = setting(
        "number",
        "Pressure under which the lithium was pressed on.",
        default=None,
        unit="MPa",
        minimum=0.0,
        maximum=2_000.0,
        important=True,
        example="400.0",
    )
    temperature_c: float | None = setting(
        "number",
        "Temperature of the cell while it is cycled.",
        default=None,
        unit="degC",
        minimum=-80.0,
        maximum=250.0,
        important=True,
        example="50.0",
    )
    lithium_thickness_um: float | None = setting(
        "number",
        "Thickness of each lithium electrode before the first half cycle.",
        default=None,
        unit="um",
        minimum=0.0,
        maximum=5_000.0,
        important=True,
        example="100.0",
    )
    interlayer_material: str | None = setting(
        "text",
        'Layer between lithium and electrolyte; "none" where there is none.',
        default=None,
        important=True,
        example='"none"',
    )
    interlayer_thickness_um: float | None = setting(
        "number",
        "Thickness of that layer.",
        default=None,
        unit="um",
        minimum=0.0,
        maximum=1_000.0,
        important=True,
        example="0.0",
    )
    protocol: str | None = setting(
        "text",
        "How the cell was cycled, in words (ramp, holds, break-in).",
        default=None,
        important=True,
        example='"0.1 mA/cm2 half cycles, no break-in"',
    )


@dataclass(frozen=True, slots=True)
class ElectrolyteTable:
    """[electrolyte]: the crystal that carries the stress."""

    material: str | None = setting(
        "text",
        "Name of a material of the library (`mesolith doctor` lists them) or path of a CIF file.",
        default=None,
        example='"LLZTO-I-43d"',
    )
    stiffness_gpa: tuple[Any, ...] | None = setting(
        "list",
        "Stiffness on crystal axes, instead of the library's: [c11, c12, c44] of a cubic crystal, "
        "or six rows of six in Voigt order 11 22 33 23 13 12 with engineering shears.",
        default=None,
        unit="GPa",
        minimum=-2_000.0,
        maximum=2_000.0,
        example="[169.8, 63.9, 69.8]",
    )
    second_phase: str | None = setting(
        "text",
        "Minority crystal phase: name of a material of the library or path of a CIF file.",
        default=None,
        example='"LLZTO-Ia-3d"',
    )


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """The clock of one machine."""

    zone: str | None = setting(
        "text",
        "Time zone of the times that the machine's files state without one.",
        default=None,
        example='"Europe/Berlin"',
    )
    offset_s: float = setting(
        "number",
        "Seconds to add to the machine's times to get true ones.",
        default=0.0,
        unit="s",
        minimum=-90_000.0,
        maximum=90_000.0,
        example="0.0",
    )


@dataclass(frozen=True, slots=True)
class ClockTable:
    """[clock]: which clock each machine went by."""

    cycler: DeviceClock | None = setting(
        "table",
        "Clock of the cycler's computer.",
        default=None,
        example='{ zone = "Europe/Berlin", offset_s = 0.0 }',
    )
    beamline: DeviceClock | None = setting(
        "table",
        "Clock of the beamline's computers.",
        default=None,
        example='{ zone = "America/Chicago", offset_s = 0.0 }',
    )


@dataclass(frozen=True, slots=True)
class After:
    """What was done to the cell since the state before."""

    current_ma_cm2: Numbers = setting(
        "numbers",
        "Current density, positive when lithium plates on the working electrode: one value, which "
        "changes its sign from half cycle to half cycle, or a list with one for each half cycle "
        "(for each cycle, its first half, where cycles are counted).",
        unit="mA/cm2",
        minimum=-1_000.0,
        maximum=1_000.0,
        example="0.1",
    )
    duration_h: Numbers = setting(
        "numbers",
        "Duration of a half cycle (of a whole cycle, both halves, where cycles are counted): one "
        "value or a list with one for each.",
        unit="h",
        minimum=1e-6,
        maximum=100_000.0,
        example="3.75",
    )
    half_cycles: int | None = setting(
        "integer",
        "Number of half cycles since the state before; this or cycles.",
        default=None,
        minimum=1,
        maximum=1_000_000,
        example="1",
    )
    cycles: int | None = setting(
        "integer",
        "Number of full cycles since the state before; this or half_cycles.",
        default=None,
        minimum=1,
        maximum=1_000_000,
        example="16",
    )


@dataclass(frozen=True, slots=True)
class StateTable:
    """[[state]]: one electrochemical state; repeated, in the order of time."""

    name: str = setting("text", "Name of the state, unique in the cell.", example='"plating 1"')
    after: After | None = setting(
        "table",
        "What was done to the cell since the state before.",
        default=None,
        example="{ half_cycles = 1, current_ma_cm2 = 0.1, duration_h = 3.75 }",
    )
    measured_at: datetime | None = setting(
        "time",
        "When the state was measured, with its offset from UTC.",
        default=None,
        example="2024-05-03T12:00:00+02:00",
    )


@dataclass(frozen=True, slots=True)
class FilesTable:
    """The files of one technique in one state."""

    files: tuple[str, ...] = setting(
        "files",
        "Files of this state in their order, relative to cell.toml; * and ** stand for names.",
        example='["raw/pristine/*.csv"]',
    )
    format: str | None = setting(
        "choice",
        "Format of the files; recognised by content where it is not given.",
        default=None,
    )


# What a step cannot do without when it works with a setting: no default is safe.
NEEDED: Mapping[str, str] = {"electrolyte": "electrolyte.material"}
SECTIONS: Mapping[str, type] = {
    "cell": CellTable,
    "conditions": ConditionsTable,
    "electrolyte": ElectrolyteTable,
    "clock": ClockTable,
}
STATE = "state"
# Tables whose keys are declared here as well; any other table is free.
NESTED: Mapping[tuple[type, str], type] = {
    (ClockTable, "cycler"): DeviceClock,
    (ClockTable, "beamline"): DeviceClock,
    (StateTable, "after"): After,
}
