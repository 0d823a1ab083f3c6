"""One impedance sweep as a file holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import EmptyFileError, InvalidValueError
from mesolith.io.timestamps import Moment

_ABSURD = 1e15


@dataclass(frozen=True, slots=True)
class Spectrum:
    """One sweep: time since its start (s), frequency (Hz), Re and Im Z (ohm), its start.

    ``dropped`` counts rows with frequency 0, which are no impedance.
    """

    start: Moment | None
    time: FloatArray
    frequency: FloatArray
    real: FloatArray
    imaginary: FloatArray
    dropped: int


def spectrum_from_columns(
    table: FloatArray, places: list[int], path: Path, *, start: Moment | None
) -> Spectrum:
    """Sweep of the columns frequency, time, Re Z, Im Z, shape (n, 4).

    The time is NaN where the file states none; ``places`` are the rows' line numbers.

    Raises
    ------
    EmptyFileError
        There is no row.
    InvalidValueError
        A row holds NaN or an absurd number; its line is named.
    """
    if len(table) == 0:
        raise EmptyFileError(
            "the sweep has no points", where=str(path), remedy="Export it again, or remove it."
        )
    frequency, time, real, imaginary = table.T
    good = (np.abs(table[:, [0, 2, 3]]) < _ABSURD).all(axis=1) & ~(np.abs(time) >= _ABSURD)
    if not good.all():
        raise InvalidValueError(
            "the sweep holds NaN or an absurd number",
            where=f"{path}, line {places[int(np.argmin(good))]}",
            remedy="Remove the point or export the sweep again.",
        )
    keep = frequency > 0.0
    return Spectrum(
        start=start,
        time=time[keep],
        frequency=frequency[keep],
        real=real[keep],
        imaginary=imaginary[keep],
        dropped=int((~keep).sum()),
    )
