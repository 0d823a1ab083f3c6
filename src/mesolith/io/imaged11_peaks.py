"""ImageD11's peak files (.flt): spots written and read, one panel a file.

Places are those of the corrected picture (sc along slow, fc along fast, px from the centre of
the first pixel), omega in degrees. ImageD11 states no errors and no measured range; our own
files carry both, as further columns and as ``# name = value`` lines, which it passes over.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MissingColumnError,
)
from mesolith.instrument.distortion import undistorted
from mesolith.instrument.panel import Panel
from mesolith.io.finding import Finding
from mesolith.io.numbers import text_lines
from mesolith.records.spots import Spots

_DEGREE = np.pi / 180.0
_RANGE, _STEP, _PANEL = "omega_range_deg", "omega_step_deg", "panel"
# older files call the corrected place xc, yc
_OTHER_NAMES = {"xc": "sc", "yc": "fc", "npixels": "Number_of_pixels", "sigx": "sigs"}
_OTHER_NAMES |= {"sigy": "sigf", "x_raw": "s_raw", "y_raw": "f_raw"}
_COVARIANCE = ("cov_ff", "cov_fs", "cov_fo", "cov_ss", "cov_so", "cov_oo")
_FLAGS = ("saturated", "partial", "overlapping")
_LEAST_PLACE = 0.02  # px, for files without errors


@dataclass(frozen=True, slots=True)
class PeakFile:
    """Spots of a file, and what was assumed because it does not say."""

    spots: Spots
    findings: tuple[Finding, ...]


def recognise_flt(path: Path, head: bytes) -> float:
    """1 with ImageD11's line of column names, corrected places and omega among them."""
    for line in head[:8192].decode("latin-1").splitlines():
        if line.startswith("#") and "=" not in line:
            names = {_OTHER_NAMES.get(word, word) for word in line[1:].split()}
            return 1.0 if {"sc", "fc", "omega"} <= names else 0.0
    return 0.0


def write_flt(path: Path, spots: Spots, panel: Panel) -> None:
    """Write the spots of one panel, distortion taken off.

    Reading the file gives the same numbers to the last digits, those of the distorted places
    excepted. ``InvalidValueError`` where the spots do not know the panel.
    """
    if panel.name not in spots.panel_name:
        raise InvalidValueError(
            f"the spots know no panel {panel.name!r}",
            remedy=f"Theirs: {', '.join(spots.panel_name)}.",
        )
    rows = np.flatnonzero(spots.panel == spots.panel_name.index(panel.name))
    fast, slow = spots.fast[rows], spots.slow[rows]
    ideal_fast, ideal_slow = _ideal(panel, fast, slow)
    scale = np.array([1.0, 1.0, 1.0 / _DEGREE])
    covariance = spots.covariance[rows] * scale[:, None] * scale
    columns = {
        "sc": ideal_slow,
        "fc": ideal_fast,
        "omega": spots.omega[rows] / _DEGREE,
        "Number_of_pixels": spots.pixels[rows],
        "avg_intensity": spots.intensity[rows] / np.maximum(spots.pixels[rows], 1),
        "s_raw": slow,
        "f_raw": fast,
        "sigs": spots.widths[rows, 1],
        "sigf": spots.widths[rows, 0],
        "sigo": spots.widths[rows, 2] / _DEGREE,
        "sum_intensity": spots.intensity[rows],
        "IMax_int": spots.maximum[rows],
        "spot3d_id": rows,
        "sum_intensity_se": spots.intensity_se[rows],
        **{
            name: covariance[:, i, j]
            for name, (i, j) in zip(
                _COVARIANCE, ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)), strict=True
            )
        },
        **{name: getattr(spots, name)[rows].astype(np.int64) for name in _FLAGS},
    }
    ranges = " ".join(repr(float(edge)) for edge in (spots.omega_range / _DEGREE).ravel())
    head = [
        f"# {_PANEL} = {panel.name}",
        f"# {_STEP} = {float(spots.omega_step / _DEGREE)!r}",
        f"# {_RANGE} = {ranges}",
        "#  " + "  ".join(columns),
    ]
    table = [columns[name].tolist() for name in columns]
    body = [" ".join(map(repr, row)) for row in zip(*table, strict=True)]
    path.write_text("\n".join([*head, *body]) + "\n", encoding="ascii", newline="\n")


def read_flt(
    path: Path, *, omega_sign: float = 1.0, panel: str = "detector", omega_step: float | None = None
) -> PeakFile:
    """Spots of a peak file, on one panel without distortion.

    Parameters
    ----------
    omega_sign
        That of ImageD11's parameters: times its omega is ours.
    panel
        Name of the panel where the file states none.
    omega_step
        Turn of a frame, rad, where the file states none; without it the smallest difference
        between angles is taken.

    Raises
    ------
    EmptyFileError
        No peak.
    MissingColumnError, FileFormatError
        No sc, fc or omega; a line with more or fewer numbers than names.
    """
    names, stated, table = _table(path)
    at = {name: k for k, name in enumerate(names)}
    for needed in ("sc", "fc", "omega"):
        if needed not in at:
            raise MissingColumnError(
                f"there is no column {needed}",
                where=str(path),
                remedy="Write the peaks again with ImageD11's merge of peak files.",
            )
    findings: list[Finding] = []
    count = len(table)

    def column(name: str, default: float) -> FloatArray:
        return table[:, at[name]] if name in at else np.full(count, default)

    angle = omega_sign * column("omega", 0.0) * _DEGREE
    step, ranges = _angles(path, stated, angle, omega_sign, omega_step, findings)
    covariance = np.zeros((count, 3, 3))
    if set(_COVARIANCE) <= set(at):
        for name, (i, j) in zip(
            _COVARIANCE, ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)), strict=True
        ):
            covariance[:, i, j] = covariance[:, j, i] = table[:, at[name]]
        scale = np.array([1.0, 1.0, omega_sign * _DEGREE])
        covariance *= scale[:, None] * scale
    else:
        pixels = np.maximum(column("Number_of_pixels", 10.0), 1.0)
        for axis, name in enumerate(("sigf", "sigs")):
            sigma = np.maximum(column(name, 1.0) / np.sqrt(pixels), _LEAST_PLACE)
            covariance[:, axis, axis] = sigma**2
        covariance[:, 2, 2] = step**2 / 12.0
        text = (
            "the file states no errors; taken are the widths over the root of the pixels, and a "
            f"frame's turn of {step / _DEGREE:.4g} deg over the root of twelve"
        )
        findings.append(Finding("assumed", path.name, text))
    pixels = column("Number_of_pixels", 10.0)
    intensity = column("sum_intensity", np.nan)
    if "sum_intensity" not in at:
        intensity = column("avg_intensity", 1.0) * pixels
    widths = np.column_stack(
        [column("sigf", 1.0), column("sigs", 1.0), column("sigo", step / _DEGREE) * _DEGREE]
    )
    spots = Spots(
        panel=np.zeros(count, dtype=np.int64),
        fast=column("fc", 0.0),
        slow=column("sc", 0.0),
        omega=angle,
        covariance=covariance,
        intensity=intensity,
        intensity_se=(
            column("sum_intensity_se", 0.0)
            if "sum_intensity_se" in at
            else np.sqrt(np.maximum(intensity, 1.0))
        ),
        maximum=column("IMax_int", 0.0) if "IMax_int" in at else column("avg_intensity", 1.0),
        widths=widths,
        pixels=np.rint(pixels).astype(np.int64),
        saturated=column("saturated", 0.0) > 0.0,
        partial=column("partial", 0.0) > 0.0,
        overlapping=column("overlapping", 0.0) > 0.0,
        panel_name=(stated.get(_PANEL, panel),),
        omega_range=ranges,
        omega_step=step,
    )
    return PeakFile(spots, tuple(findings))


def _ideal(panel: Panel, fast: FloatArray, slow: FloatArray) -> tuple[FloatArray, FloatArray]:
    if panel.distortion is None:
        return fast, slow
    half = (panel.shape[::-1] - 1) / 2.0
    pitch = panel.pitch[::-1]
    recorded = (np.column_stack([fast, slow]) - half) * pitch
    place = undistorted(panel.distortion, recorded) / pitch + half
    return place[:, 0], place[:, 1]


def _table(path: Path) -> tuple[list[str], dict[str, str], FloatArray]:
    names: list[str] = []
    stated: dict[str, str] = {}
    rows: list[list[float]] = []
    for number, line in enumerate(text_lines(path), 1):
        if line.startswith("#"):
            key, equals, value = line[1:].partition("=")
            if equals:
                stated[key.strip()] = value.strip()
            else:
                names = [_OTHER_NAMES.get(word, word) for word in line[1:].split()]
            continue
        words = line.split()
        if not words:
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            row = []
        if len(row) != len(names):
            raise FileFormatError(
                f"{len(words)} entries stand under {len(names)} names, or one is no number",
                where=f"{path}, line {number}",
                remedy="The file looks cut short or edited: write the peaks again.",
            )
        rows.append(row)
    if not rows:
        raise EmptyFileError(
            "the file lists no peak",
            where=str(path),
            remedy="Search again with a lower threshold, or leave the file out.",
        )
    return names, stated, np.array(rows)


def _angles(
    path: Path,
    stated: dict[str, str],
    angle: FloatArray,
    sign: float,
    given: float | None,
    findings: list[Finding],
) -> tuple[float, FloatArray]:
    """Turn of a frame, and the measured stretches, rad."""
    if _RANGE in stated and _STEP in stated:
        try:
            edges = np.array([float(word) for word in stated[_RANGE].split()]).reshape(-1, 2)
            step = float(stated[_STEP]) * _DEGREE
        except ValueError:
            raise FileFormatError(
                f"{_RANGE} or {_STEP} holds no numbers", where=str(path), remedy="Write it again."
            ) from None
        edges = edges * _DEGREE
        return step, edges if sign > 0.0 else -edges[::-1, ::-1]
    step = given or 0.0
    if given is None:
        apart = np.diff(np.unique(np.round(angle / _DEGREE, 4)))
        step = float(apart.min(initial=1.0)) * _DEGREE
    low, high = float(angle.min()), float(angle.max())
    high = min(high + 0.5 * step, low - 0.5 * step + 2.0 * np.pi)
    text = (
        f"the file does not say which angles were measured; taken is all from "
        f"{(low - 0.5 * step) / _DEGREE:.4g} to {high / _DEGREE:.4g} deg"
    )
    findings.append(Finding("assumed", path.name, text))
    return step, np.array([[low - 0.5 * step, high]])
