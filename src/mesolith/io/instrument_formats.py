"""Detector files of any program, recognised by their content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesolith.errors import InvalidValueError, UnknownFormatError
from mesolith.io.hexrd_instrument import read_hexrd_instrument
from mesolith.io.imaged11_instrument import read_imaged11_instrument
from mesolith.io.instrument_file import InstrumentFile
from mesolith.io.lauetools_detector import read_lauetools
from mesolith.io.midas_instrument import read_midas_instrument
from mesolith.io.pyfai_poni import read_poni
from mesolith.io.recognise import recognise


@dataclass(frozen=True, slots=True)
class InstrumentFormat:
    """A program's detector file: its name and the dotted name of its ``recognise``."""

    name: str
    recognise: str


INSTRUMENT_FORMATS = (
    InstrumentFormat("hexrd", "mesolith.io.hexrd_instrument:recognise_hexrd_instrument"),
    InstrumentFormat("imaged11", "mesolith.io.imaged11_instrument:recognise_imaged11_instrument"),
    InstrumentFormat("midas", "mesolith.io.midas_instrument:recognise_midas_instrument"),
    InstrumentFormat("poni", "mesolith.io.pyfai_poni:recognise_poni"),
    InstrumentFormat("lauetools", "mesolith.io.lauetools_detector:recognise_lauetools"),
)


def read_instrument(path: Path, *, shape: Sequence[int] | None = None) -> InstrumentFile:
    """Instrument of a detector file of HEXRD, ImageD11, MIDAS, pyFAI or LaueTools.

    ``shape`` is the number of pixels (slow, fast); ImageD11's files need it, and a poni file
    without max_shape.

    Raises
    ------
    UnknownFormatError
        No program's detector file has this content.
    InvalidValueError
        The shape is needed and not given, or what the format's reader raises.
    """
    found = recognise(path, INSTRUMENT_FORMATS)
    if not found:
        raise UnknownFormatError(
            "no detector file of a known program has this content",
            where=str(path),
            remedy="HEXRD's yml, ImageD11's par, MIDAS' parameters, poni and LaueTools' det are "
            "read.",
        )
    name = found[0][0].name
    if name == "hexrd":
        return read_hexrd_instrument(path)
    if name == "midas":
        return read_midas_instrument(path, shape=shape)
    if name == "poni":
        return read_poni(path, shape=shape)
    if name == "lauetools":
        return read_lauetools(path)
    if shape is None:
        raise InvalidValueError(
            "ImageD11's parameters do not state how many pixels the detector has",
            where=str(path),
            remedy="Give the shape (slow, fast) of its frames.",
        )
    return read_imaged11_instrument(path, shape=shape)
