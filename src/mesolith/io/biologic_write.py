"""Write cycler records as EC-Lab text (.mpt): the layout of a measured Modulo Bat file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError

# name, format: the columns of a measured file in its order, less those derived from Re and Im Z
_FLAG, _SINGLE, _DOUBLE = "d", "single", "double"
_COLUMNS = (
    ("mode", _FLAG),
    ("ox/red", _FLAG),
    ("error", _FLAG),
    ("control changes", _FLAG),
    ("Ns changes", _FLAG),
    ("counter inc.", _FLAG),
    ("Ns", _FLAG),
    ("I Range", _FLAG),
    ("time/s", _DOUBLE),
    ("control/V/mA", _SINGLE),
    ("Ewe/V", _SINGLE),
    ("I/mA", _SINGLE),
    ("dq/mA.h", _DOUBLE),
    ("(Q-Qo)/mA.h", _DOUBLE),
    ("freq/Hz", _SINGLE),
    ("|Z|/Ohm", _SINGLE),
    ("Phase(Z)/deg", _SINGLE),
    ("half cycle", _FLAG),
    ("z cycle", _FLAG),
    ("Re(Z)/Ohm", _SINGLE),
    ("-Im(Z)/Ohm", _SINGLE),
    ("control/V", _SINGLE),
    ("control/mA", _SINGLE),
    ("cycle number", _DOUBLE),
    ("P/W", _SINGLE),
)
_DIGITS = {_SINGLE: 7, _DOUBLE: 15}


@dataclass(frozen=True, slots=True)
class MptStep:
    """One sequence of the protocol, numbered by its place (Ns = 0, 1, ...).

    ``current`` (ampere) is the set value of "CC", ``duration`` and ``interval`` (s) its time
    limit and the time between points.
    """

    kind: Literal["Rest", "CC", "PEIS", "GEIS"]
    current: float = 0.0
    duration: float = 0.0
    interval: float = 30.0


def write_mpt(
    path: Path,
    *,
    started: datetime,
    steps: Sequence[MptStep],
    step: IntArray,
    time: FloatArray,
    voltage: FloatArray,
    current: FloatArray,
    frequency: FloatArray | None = None,
    real: FloatArray | None = None,
    imaginary: FloatArray | None = None,
    comment: str = "",
) -> None:
    """Write one record of points and impedance sweeps, as EC-Lab 11.36 exports it.

    Parameters
    ----------
    started
        Start of the acquisition on the cycler's own clock, without a zone (EC-Lab states none).
    steps
        The protocol; ``step`` holds each row's index into it (the column Ns).
    time, voltage, current
        Seconds since ``started``, volt, ampere, in the cycler's own sign; shape (n,). The charge
        columns follow from current and time.
    frequency, real, imaginary
        Hz and ohm (Im Z, not its negative), shape (n,); rows with frequency 0 are no impedance.
    """
    if started.tzinfo is not None:
        raise InvalidValueError(
            "EC-Lab states no time zone", remedy="Give the cycler's local time without one."
        )
    n = len(time)
    zeros = np.zeros(n)
    freq = zeros if frequency is None else frequency
    re_z = zeros if real is None else real
    im_z = zeros if imaginary is None else imaginary
    for name, values in (("step", step), ("voltage", voltage), ("current", current), ("f", freq)):
        if len(values) != n:
            raise InvalidValueError(f"{name} has {len(values)} values, time has {n}")
    columns = _columns(steps, step, time, voltage, current, freq, re_z, im_z)
    cells = [_texts(columns.get(name, zeros), kind) for name, kind in _COLUMNS]
    rows = ["\t".join(row) for row in zip(*cells, strict=True)]
    head = _header(started, steps, comment)
    names = "\t".join(name for name, _ in _COLUMNS) + "\t"
    head[1] = f"Nb header lines : {len(head) + 1:<28d}"
    text = "\r\n".join([*head, names, *rows]) + "\r\n"
    path.write_bytes(text.encode("latin-1"))


def _columns(
    steps: Sequence[MptStep],
    step: IntArray,
    time: FloatArray,
    voltage: FloatArray,
    current: FloatArray,
    freq: FloatArray,
    re_z: FloatArray,
    im_z: FloatArray,
) -> dict[str, FloatArray]:
    galvanostatic = np.array([s.kind == "CC" for s in steps])[step]
    set_milliampere = 1e3 * np.array([s.current if s.kind == "CC" else 0.0 for s in steps])[step]
    changes = np.concatenate([[False], np.diff(step) != 0])
    # charge since the row before, with the current of this row, as the instrument counts it
    dq = np.concatenate([[0.0], np.diff(time)]) * current / 3.6
    dq = np.where(galvanostatic, dq, 0.0)
    sign = np.sign(set_milliampere)
    last = np.concatenate([[0.0], _last_nonzero(sign)[:-1]])
    half_cycle = np.cumsum((sign != 0.0) & (last != 0.0) & (sign != last))
    sweep_starts = (freq > 0.0) & np.concatenate([[True], freq[:-1] <= 0.0])
    return {
        "mode": np.where(galvanostatic, 1.0, np.where(freq > 0.0, 2.0, 3.0)),
        "ox/red": (current > 0.0).astype(np.float64),
        "Ns changes": changes.astype(np.float64),
        "Ns": step.astype(np.float64),
        "I Range": np.full(len(step), 14.0),
        "time/s": time,
        "control/V/mA": set_milliampere,
        "Ewe/V": voltage,
        "I/mA": 1e3 * current,
        "dq/mA.h": dq,
        "(Q-Qo)/mA.h": np.cumsum(dq),
        "freq/Hz": freq,
        "|Z|/Ohm": np.hypot(re_z, im_z),
        "Phase(Z)/deg": np.degrees(np.arctan2(im_z, re_z)),
        "half cycle": half_cycle.astype(np.float64),
        "z cycle": np.maximum(np.cumsum(sweep_starts) - 1, 0).astype(np.float64),
        "Re(Z)/Ohm": re_z,
        "-Im(Z)/Ohm": 0.0 - im_z,
        "control/mA": set_milliampere,
        "cycle number": np.floor(half_cycle / 2.0),
        "P/W": np.where(galvanostatic, voltage * current, 0.0),
    }


def _last_nonzero(sign: FloatArray) -> FloatArray:
    """The latest sign that is not zero up to each row; zero before the first."""
    at = np.maximum.accumulate(np.where(sign != 0.0, np.arange(len(sign)), -1))
    latest: FloatArray = np.where(at >= 0, sign[np.maximum(at, 0)], 0.0)
    return latest


def _texts(values: FloatArray, kind: str) -> list[str]:
    if kind == _FLAG:
        return [str(int(value)) for value in values]
    digits = _DIGITS[kind]
    return [_scientific(f"{value + 0.0:.{digits}E}") for value in values]


def _scientific(text: str) -> str:
    """EC-Lab writes three digits of exponent: 1.0E-05 becomes 1.0E-005."""
    mantissa, _, exponent = text.partition("E")
    return f"{mantissa}E{exponent[0]}{int(exponent[1:]):03d}"


def _header(started: datetime, steps: Sequence[MptStep], comment: str) -> list[str]:
    stamp = f"{started:%m/%d/%Y %H:%M:%S}.{started.microsecond // 1000:03d}"
    head = [
        "EC-Lab ASCII FILE",
        "",
        "",
        "Modulo Bat",
        "",
        "Run on channel : 1",
        "User : ",
        "Electrode connection : standard",
        "Potential control : Ewe",
        "Ewe ctrl range : min = -10.00 V, max = 10.00 V",
        "Safety Limits :",
        "\tDo not start on E overload",
        f"Acquisition started on : {stamp}",
        "EC-Lab for windows v11.36 (software)",
        "Electrode material : ",
        "Initial state : ",
        "Electrolyte : ",
        f"Comments : {comment}",
        "Electrode surface area : 0.001 cm²",
        "Characteristic mass : 0.001 g",
        "Cycle Definition : Charge/Discharge alternance",
    ]
    table: dict[str, list[str]] = {
        "Ns": [str(k) for k in range(len(steps))],
        "ctrl_type": [s.kind for s in steps],
        "Apply I/C": ["I" for _ in steps],
        "ctrl1_val": [f"{1e6 * s.current:.3f}" if s.kind == "CC" else "" for s in steps],
        "ctrl1_val_unit": ["µA" if s.kind == "CC" else "" for s in steps],
        "lim1_type": ["Time" for _ in steps],
        "lim1_comp": [">" for _ in steps],
        "lim1_value": [f"{s.duration:.3f}" for s in steps],
        "lim1_value_unit": ["s" for _ in steps],
        "rec1_type": ["Time" for _ in steps],
        "rec1_value": [f"{s.interval:.3f}" for s in steps],
        "rec1_value_unit": ["s" for _ in steps],
    }
    return [*head, *(f"{k:<20}" + "".join(f"{v:<20}" for v in row) for k, row in table.items()), ""]
