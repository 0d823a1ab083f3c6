"""Which column of a cycler's table is which quantity, by its header's words and unit.

Names of EC-Lab (before and after 11.50), Arbin, Neware, Maccor and BaSyTec, German and French
ones, and the Battery Data Format are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mesolith.errors import UnitError
from mesolith.units import internal_unit, to_internal

# role: (internal unit or None, names without blanks and marks, best first)
_ROLES: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "unix": ("s", ("unixtime", "epochtime", "epoch", "posixtime")),
    "date": (
        None,
        (
            *("date", "datetime", "timestamp", "absolutetime", "absolutetimestamp", "dpttime"),
            *("systemtime", "realtime", "datum", "datumuhrzeit", "datetimeutc", "dateheure"),
        ),
    ),
    "time": (
        "s",
        (
            *("time", "testtime", "totaltime", "elapsedtime", "timeelapsed", "runtime", "zeit"),
            *("testzeit", "prüfzeit", "temps", "tempsécoulé"),
        ),
    ),
    "voltage": (
        "V",
        (
            *("ewe", "ecell", "eweece", "voltage", "cellvoltage", "terminalvoltage", "potential"),
            *("spannung", "zellspannung", "tension", "ewe1", "vf", "u", "e", "v"),
        ),
    ),
    "current": ("A", ("i", "current", "cellcurrent", "strom", "courant", "im")),
    "set": ("A", ("control", "setcurrent", "currentsetpoint")),
    "mixed set": (None, ("controlv",)),
    "mode": (None, ("mode",)),
    "step": (
        None,
        ("ns", "stepindex", "stepnumber", "stepid", "stepno", "step", "schritt", "stepcount"),
    ),
    "changes": (None, ("nschanges",)),
    "cycle": (None, ("zcycle", "cyclenumber", "cycleindex", "cyclecount", "cycle", "zyklus")),
    "pressure": (
        "MPa",
        (
            *("stackpressure", "appliedpressure", "cellpressure", "pressure", "stapeldruck"),
            *("druck", "pression"),
        ),
    ),
    "frequency": ("Hz", ("freq", "frequency", "frequenz", "fréquence")),
    "real": ("ohm", ("re(z)", "rez", "zreal", "zre", "z'", "realimpedance")),
    "imaginary": ("ohm", ("im(z)", "imz", "zimag", "zim", "z''", 'z"', "imaginaryimpedance")),
}
# spelled in files -> name in the table of units
_UNITS = {
    "s": "s",
    "sec": "s",
    "second": "s",
    "seconds": "s",
    "sekunden": "s",
    "ms": "ms",
    "min": "min",
    "mn": "min",
    "minute": "min",
    "h": "h",
    "hr": "h",
    "hour": "h",
    "hours": "h",
    "d": "day",
    "v": "V",
    "volt": "V",
    "volts": "V",
    "mv": "mV",
    "millivolt": "mV",
    "uv": "uV",
    "a": "A",
    "amp": "A",
    "amps": "A",
    "ampere": "A",
    "ma": "mA",
    "milliampere": "mA",
    "ua": "uA",
    "microampere": "uA",
    "na": "nA",
    "ohm": "ohm",
    "ohms": "ohm",
    "gpa": "GPa",
    "kpa": "kPa",
    "pa": "Pa",
    "pascal": "Pa",
    "bar": "bar",
    "hz": "Hz",
    "hertz": "Hz",
    "khz": "kHz",
    "kohm": "kohm",
}
_CASED = {"MPa": "MPa", "MHz": "MHz", "mHz": "mHz", "MOhm": "Mohm", "mOhm": "mohm"}
_FORMS = (
    re.compile(r"^(?P<name>.+?)\s*[\[(](?P<unit>[^\[\]()]+)[\])]\s*$"),
    re.compile(r"^(?P<name>.+?)\s*/\s*(?P<unit>[^/\s]+)(?:\s+vs\.?\s.*)?$"),
    re.compile(
        r"^(?P<name>[a-z_]+)_(?P<unit>second|hour|volt|millivolt|ampere|milliampere|hertz|ohm|pascal|pa)$"
    ),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A recognised column: where it stands, and what turns its numbers into internal units."""

    position: int
    name: str
    factor: float


def columns_by_role(
    names: list[str], path: Path, *, line: int, units: list[str] | None = None
) -> dict[str, Column]:
    """Recognised columns by role, the best name of each.

    ``units`` are the cells of a row of units below the names, where the file has one.

    Raises
    ------
    UnitError
        A needed column states no unit, or one of another kind.
    """
    found: dict[str, tuple[int, Column]] = {}
    for position, name in enumerate(names):
        below = units[position].strip() if units and position < len(units) else ""
        for bare, unit in _readings(name.strip().strip('"'), below):
            hit = _role(bare)
            if hit is None:
                continue
            role, rank = hit
            wanted = _ROLES[role][0]
            if role == "time" and unit is None:
                role, wanted = "date", None  # "time" without a unit: dates or h:min:s
            if role in found and found[role][0] <= rank:
                break
            if role == "set" and unit is not None and unit.lower() in ("v", "mv"):
                break
            factor = 1.0 if wanted is None else _factor(name, unit, wanted, path, line)
            if role == "imaginary" and bare.startswith("-"):
                factor = -factor
            found[role] = (rank, Column(position, name.strip(), factor))
            break
    return {role: column for role, (_, column) in found.items()}


def roles_of_names(names: list[str]) -> set[str]:
    """Roles that the names are known for, whatever their units."""
    roles = set()
    for name in names:
        for bare, _ in _readings(name.strip().strip('"'), ""):
            hit = _role(bare)
            if hit:
                roles.add(hit[0])
                break
    return roles


def _readings(name: str, below: str) -> list[tuple[str, str | None]]:
    """(name, unit) as the header may mean it: with its unit split off first."""
    name = name.lstrip("#\ufeff ")
    readings: list[tuple[str, str | None]] = []
    for form in _FORMS:
        match = form.match(name)
        if match:
            readings.append((match["name"], match["unit"].strip()))
    readings.append((name, below or None))
    return readings


def _role(bare: str) -> tuple[str, int] | None:
    plain = re.sub(r"[\s_<>|./~-]", "", bare.lower())
    for role, (_, names) in _ROLES.items():
        if plain in names:
            return role, names.index(plain)
    return None


def _factor(name: str, unit: str | None, wanted: str, path: Path, line: int) -> float:
    where = f"{path}, line {line}"
    example = {
        "s": "time/s",
        "V": "Ewe/V",
        "A": "I/mA",
        "Hz": "freq/Hz",
        "ohm": "Re(Z)/Ohm",
        "MPa": "Stack pressure/MPa",
    }
    if unit is None:
        raise UnitError(
            f"column {name.strip()!r} states no unit",
            where=where,
            remedy=f'Write the unit into its name, such as "{example[wanted]}".',
        )
    spelled = unit.replace("µ", "u").replace("μ", "u").replace("Ω", "Ohm").replace("Ω", "Ohm")
    known = _CASED.get(spelled) or _UNITS.get(spelled.lower())
    if known is not None and internal_unit(known) == wanted:
        return to_internal(1.0, known)
    raise UnitError(
        f"column {name.strip()!r} states the unit {unit!r}, not one of {wanted}",
        where=where,
        remedy=f'Export it with a unit such as that of "{example[wanted]}".',
    )
