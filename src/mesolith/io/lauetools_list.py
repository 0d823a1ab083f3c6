"""LaueTools' lists of peaks (.dat of its peak search, .cor with angles): read and written.

X and Y count pixels from 0 at the first one's centre, as ours do. What a .dat calls Isub is the
height of the fitted peak, and its two axes are standard deviations: the highest pixel of a
measured list (Ipixmax, off the fitted centre by Xdev and Ydev) lies where they put it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import EmptyFileError, FileFormatError, InvalidValueError, MissingColumnError
from mesolith.io.numbers import table_from_lines, text_lines
from mesolith.records.laue import LauePeaks

_REMEDY = "Search the peaks again, or restore the line."


_DAT_HEAD = ["peak_x", "peak_y", "peak_itot", "peak_isub"]
_COR_HEAD = ["2theta", "chi", "x", "y"]


@dataclass(frozen=True, slots=True)
class LaueToolsList:
    """A list as the file has it.

    ``heading`` is its first line, ``values`` (peaks, columns) its numbers in its units: px, deg,
    counts. ``gaps`` stand between the columns of a row and ``digits`` are those behind the point.
    ``comments`` are the lines below the table, with their #.
    """

    heading: str
    values: FloatArray
    gaps: tuple[str, ...]
    digits: tuple[int, ...]
    comments: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The headings of the columns."""
        return tuple(self.heading.split())

    def column(self, name: str) -> FloatArray | None:
        """One column (peaks,), whatever the case of its heading; None where it is absent."""
        for k, heading in enumerate(self.columns):
            if heading.lower() == name.lower():
                return self.values[:, k]
        return None

    @property
    def calibration(self) -> dict[str, str]:
        """What the comments state as "# key : value": dd, xcen, ycen, xbet, xgam, pixelsize..."""
        found = {}
        for line in self.comments:
            key, colon, value = line.lstrip("# ").partition(":")
            if colon and len(key.split()) == 1:
                found[key.strip()] = value.strip()
        return found


def recognise_lauetools_list(path: Path, head: bytes) -> float:
    """How surely the content is a .dat or .cor of LaueTools, 0 to 1."""
    words = head.decode("utf-8", "replace").partition("\n")[0].lower().split()
    return 1.0 if words[:4] in (_DAT_HEAD, _COR_HEAD) else 0.0


def read_lauetools_list(path: Path, *, empty: bool = False) -> LaueToolsList:
    """A .dat or .cor file; with ``empty`` it may hold headings and no peak.

    Raises
    ------
    EmptyFileError, TruncatedFileError, FileFormatError, MissingColumnError, InvalidValueError
        With file and line.
    """
    lines = text_lines(path)
    if not lines or not lines[0].strip():
        raise EmptyFileError("the file is empty", where=str(path), remedy=_REMEDY)
    columns = tuple(lines[0].split())
    for choice in (("peak_X", "peak_Y", "peak_Isub"), ("X", "Y", "I")):
        if {name.lower() for name in choice} <= {name.lower() for name in columns}:
            break
    else:
        raise MissingColumnError(
            f"the headings {' '.join(columns)!r} hold no places and intensities of peaks",
            where=f"{path}, line 1",
            remedy="A .dat has peak_X peak_Y ... peak_Isub, a .cor has 2theta chi X Y I.",
        )
    body = [(k, line) for k, line in enumerate(lines[1:], 2) if line.strip()]
    rows = [(k, " ".join(line.split())) for k, line in body if not line.startswith("#")]
    first = next((line for _, line in body if not line.startswith("#")), "")
    if not rows and empty:
        comments = tuple(line for _, line in body)
        return LaueToolsList(lines[0], np.zeros((0, len(columns))), (), (), comments)
    if not rows:
        raise EmptyFileError("the list holds no peak", where=str(path), remedy=_REMEDY)
    for k, line in rows:
        if len(line.split(" ")) != len(columns):
            raise FileFormatError(
                f"the row has {len(line.split(' '))} cells, the headings are {len(columns)}"
                + (": the file looks cut short" if k == len(lines) else ""),
                where=f"{path}, line {k}",
                remedy=_REMEDY,
            )
    values = table_from_lines(
        rows,
        list(range(len(columns))),
        separator=" ",
        decimal_comma=False,
        path=path,
        columns=list(columns),
    )
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise InvalidValueError(
            "a cell holds NaN or infinity", where=f"{path}, line {rows[row][0]}", remedy=_REMEDY
        )
    comments = tuple(line for _, line in body if line.startswith("#"))
    last = ("",) if path.read_bytes().endswith(b"\n") else ()
    return LaueToolsList(
        lines[0],
        values,
        tuple(re.findall(r"\s+", first.strip())),
        tuple(len(word.partition(".")[2]) for word in first.split()),
        comments + last,
    )


def lauetools_angles(
    two_theta: FloatArray, chi: FloatArray, peaks: LauePeaks, *, comments: tuple[str, ...] = ()
) -> LaueToolsList:
    """A .cor list of peaks (n,) with their angles in LaueTools' definition, rad, (n,)."""
    values = np.column_stack(
        [np.rad2deg(two_theta), np.rad2deg(chi), peaks.fast, peaks.slow, peaks.height]
    )
    return LaueToolsList("2theta chi X Y I", values, ("   ",) * 4, (6,) * 5, comments)


def lauetools_peaks(peaks: LauePeaks) -> LaueToolsList:
    """A .dat list of peaks (n,); it has no room for their errors, and 0 for what is unknown."""
    long, short = peaks.widths[:, 0], peaks.widths[:, 1]
    nothing = np.zeros(len(peaks))
    columns = {
        "peak_X": peaks.fast,
        "peak_Y": peaks.slow,
        "peak_Itot": peaks.height + peaks.background,
        "peak_Isub": peaks.height,
        "peak_fwaxmaj": long,
        "peak_fwaxmin": short,
        "peak_inclination": np.rad2deg(peaks.tilt),
        "Xdev": nothing,
        "Ydev": nothing,
        "peak_bkg": peaks.background,
        "Ipixmax": np.rint(peaks.height + peaks.background),
    }
    known = {name: np.nan_to_num(values) for name, values in columns.items()}
    gaps, digits = (" ",) * (len(known) - 1), (6,) * len(known)
    return LaueToolsList(" ".join(known), np.column_stack(list(known.values())), gaps, digits, ())


def write_lauetools_list(path: Path, listed: LaueToolsList) -> None:
    """Write a list; its numbers read back as they were, and an unchanged list is the same file."""
    lines = [listed.heading]
    for row in listed.values:
        words = [_exact(float(v), digits) for v, digits in zip(row, listed.digits, strict=True)]
        lines.append(words[0] + "".join(map("".join, zip(listed.gaps, words[1:], strict=True))))
    lines += listed.comments
    path.write_text("\n".join(lines), encoding="utf-8", newline="\n")


def peaks_from_lauetools(listed: LaueToolsList, *, pattern: int = 0) -> LauePeaks:
    """The list as a record; a .cor knows places and heights alone, neither states errors."""
    fast = _either(listed, "peak_X", "X")
    slow = _either(listed, "peak_Y", "Y")
    height = _either(listed, "peak_Isub", "I")
    unknown = np.full(len(fast), np.nan)
    long, short = listed.column("peak_fwaxmaj"), listed.column("peak_fwaxmin")
    tilt, background = listed.column("peak_inclination"), listed.column("peak_bkg")
    widths = np.full((len(fast), 2), np.nan)
    if long is not None and short is not None:
        widths = np.column_stack([long, short])
    intensity = 2.0 * math.pi * height * widths.prod(axis=1)
    return LauePeaks(
        pattern=np.full(len(fast), pattern, dtype=np.int64),
        fast=fast,
        slow=slow,
        covariance=np.where(np.eye(2) > 0.0, np.nan, 0.0) * np.ones((len(fast), 1, 1)),
        height=height,
        intensity=intensity,
        widths=widths,
        tilt=unknown if tilt is None else np.deg2rad(tilt),
        background=unknown if background is None else background,
        saturated=np.zeros(len(fast), dtype=np.bool_),
    )


def _either(listed: LaueToolsList, one: str, other: str) -> FloatArray:
    found = listed.column(one)
    if found is None:
        found = listed.column(other)
    if found is None:
        raise MissingColumnError(f"the list has neither {one} nor {other}", remedy=_REMEDY)
    return found.copy()


def _exact(value: float, digits: int) -> str:
    """The number with that many digits after the point, or as many as it takes."""
    text = f"{value:.{digits}f}"
    return text if float(text) == value else repr(value)
