"""Columns of EC-Lab's binary records (.mpr): the number a file gives each, its name and its type.

Names are those of EC-Lab's own text export, by which both are understood alike. Columns 1, 2, 3,
21, 31 and 65 are flags and share one byte.
"""

from __future__ import annotations

from typing import NamedTuple


class StoredColumn(NamedTuple):
    """One column: its name in the text export and its NumPy type, little endian."""

    name: str
    dtype: str


# flag: (name, bits of the byte, shift)
FLAGS: dict[int, tuple[str, int, int]] = {
    1: ("mode", 0x03, 0),
    2: ("ox/red", 0x04, 2),
    3: ("error", 0x08, 3),
    21: ("control changes", 0x10, 4),
    31: ("Ns changes", 0x20, 5),
    65: ("counter inc.", 0x80, 7),
}
_DOUBLE = {
    4: "time/s",
    7: "dq/mA.h",
    11: "<I>/mA",
    13: "(Q-Qo)/mA.h",
    23: "dq/mA.h",
    24: "cycle number",
    26: "Conductivity/mS/cm",
    74: "|Energy|/W.h",
    123: "Energy charge/W.h",
    124: "Energy discharge/W.h",
    125: "Capacitance charge/µF",
    126: "Capacitance discharge/µF",
    211: "Q charge/discharge/mA.h",
    438: "step time/s",
    467: "Q charge/discharge/mA.h",
}
_SINGLE = {
    5: "control/V/mA",
    6: "Ewe/V",
    8: "I/mA",
    9: "Ece/V",
    16: "Analog IN 1/V",
    17: "Analog IN 2/V",
    19: "control/V",
    20: "control/mA",
    27: "E1/V",
    28: "E2/V",
    32: "freq/Hz",
    33: "|Ewe|/V",
    34: "|I|/A",
    35: "Phase(Z)/deg",
    36: "|Z|/Ohm",
    37: "Re(Z)/Ohm",
    38: "-Im(Z)/Ohm",
    69: "R/Ohm",
    70: "P/W",
    75: "Analog OUT/V",
    76: "<I>/mA",
    77: "<Ewe>/V",
    96: "|Ece|/V",
    98: "Phase(Zce)/deg",
    99: "|Zce|/Ohm",
    100: "Re(Zce)/Ohm",
    101: "-Im(Zce)/Ohm",
    168: "Rcmp/Ohm",
    169: "Cs/µF",
    172: "Cp/µF",
    174: "<Ewe>/V",
    178: "(Q-Qo)/C",
    179: "dQ/C",
    185: "<Ece>/V",
    217: "THD Ewe/%",
    218: "THD I/%",
    220: "NSD Ewe/%",
    221: "NSD I/%",
    223: "NSR Ewe/%",
    224: "NSR I/%",
    430: "Phase(Zwe-ce)/deg",
    431: "|Zwe-ce|/Ohm",
    432: "Re(Zwe-ce)/Ohm",
    433: "-Im(Zwe-ce)/Ohm",
    434: "(Q-Qo)/C",
    435: "dQ/C",
    471: "<Ece>/V",
    473: "THD Ewe/%",
    474: "THD I/%",
    476: "NSD Ewe/%",
    477: "NSD I/%",
    479: "NSR Ewe/%",
    480: "NSR I/%",
    **{484 + order: f"|Ewe h{order}|/V" for order in range(2, 8)},
    **{490 + order: f"|I h{order}|/A" for order in range(2, 8)},
}
_COUNT = {39: ("I Range", "<u2"), 131: ("Ns", "<u2")}
_LONG = {212: "half cycle", 213: "z cycle", 468: "half cycle", 469: "z cycle"}

STORED: dict[int, StoredColumn] = {
    **{number: StoredColumn(name, "<f8") for number, name in _DOUBLE.items()},
    **{number: StoredColumn(name, "<f4") for number, name in _SINGLE.items()},
    **{number: StoredColumn(*both) for number, both in _COUNT.items()},
    **{number: StoredColumn(name, "<u4") for number, name in _LONG.items()},
}
