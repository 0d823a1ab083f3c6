"""Formats that hold one impedance sweep: recognised by content, described by reading them."""

from __future__ import annotations

import re
from pathlib import Path

from mesolith.echem.formats import described_spectrum
from mesolith.pipeline.technique import Description, Format, load

READERS = {
    "dfr": "mesolith.io.spectrum_text:read_dfr",
    "ivium": "mesolith.io.spectrum_text:read_ivium",
    "p00": "mesolith.io.spectrum_text:read_p00",
    "i2b": "mesolith.io.spectrum_text:read_i2b",
    "z60w": "mesolith.io.spectrum_text:read_z60w",
    "bare-spectrum": "mesolith.io.spectrum_text:read_bare",
}


def _format(name: str, title: str, suffix: str) -> Format:
    word = name.replace("-", "_")
    here = "mesolith.echem.spectrum_formats"
    return Format(name, title, (suffix,), f"{here}:recognise_{word}", f"{here}:describe_{word}")


DFR = _format("dfr", "Eco Chemie sweep (.dfr)", ".dfr")
IVIUM = _format("ivium", "Ivium sweep (.idf)", ".idf")
P00 = _format("p00", "sweep as text (.P00)", ".p00")
I2B = _format("i2b", "sweep as text (.i2b)", ".i2b")
Z60W = _format("z60w", "Autolab sweep (Z60W Data File)", ".txt")
BARE = _format("bare-spectrum", "rows of f, Re Z, Im Z without names", ".csv")
_P00 = re.compile(rb"^\s*f/Hz\s*\t\s*Z'/Ohm\s*\t\s*-Z''/Ohm", re.MULTILINE)
_NUMBER = rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_I2B = re.compile(rb"^[ \t]*\d+[ \t]*\r?\n(?:%s[ \t]+){2}%s[ \t]*\r?\n" % (_NUMBER, _NUMBER), re.M)


def recognise_dfr(path: Path, head: bytes) -> float:
    """1 with a line VERSION and a count below it."""
    return 1.0 if re.match(rb"VERSION[\d.]+\s*\r?\n\s*\d+\s*\r?\n", head) else 0.0


def recognise_ivium(path: Path, head: bytes) -> float:
    """0.9 with Ivium's words, 1 where the sweep itself stands in the head."""
    if b"Peaks=" not in head[:4096] or b"Corrosion=" not in head[:4096]:
        return 0.0
    return 1.0 if b"primary_data" in head else 0.9


def recognise_p00(path: Path, head: bytes) -> float:
    """1 with that line of names."""
    return 1.0 if _P00.search(head) else 0.0


def recognise_i2b(path: Path, head: bytes) -> float:
    """0.6 with a count above rows of three numbers."""
    return 0.6 if _I2B.search(head) else 0.0


def recognise_z60w(path: Path, head: bytes) -> float:
    """1 with Autolab's first line."""
    return 1.0 if re.match(rb'(?:\xef\xbb\xbf)?"?Z60W Data File', head) else 0.0


def recognise_bare_spectrum(path: Path, head: bytes) -> float:
    """0: numbers alone could be anything; cell.toml names this format."""
    return 0.0


def describe_dfr(path: Path) -> Description:
    """Points of a .dfr."""
    return _describe("dfr", path)


def describe_ivium(path: Path) -> Description:
    """Start and points of an .idf."""
    return _describe("ivium", path)


def describe_p00(path: Path) -> Description:
    """Start and points of a .P00."""
    return _describe("p00", path)


def describe_i2b(path: Path) -> Description:
    """Points of an .i2b."""
    return _describe("i2b", path)


def describe_z60w(path: Path) -> Description:
    """Points of a Z60W file."""
    return _describe("z60w", path)


def describe_bare_spectrum(path: Path) -> Description:
    """Points of rows without names."""
    return _describe("bare-spectrum", path)


def _describe(name: str, path: Path) -> Description:
    return described_spectrum(name, load(READERS[name])(path), path)
