"""Which files of a state are the frames of which layer and panel, and the detector behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.errors import ContradictionError, InvalidValueError, SettingsError
from mesolith.instrument.instrument import Instrument
from mesolith.io.frame_series import FrameSeries, renamed, series_from_source
from mesolith.io.frames import open_frames, open_source
from mesolith.io.instrument_file import InstrumentFile
from mesolith.io.instrument_formats import read_instrument
from mesolith.pipeline.work import Work

INSTRUMENT = "instrument.h5"  # beside the spots: with what they are to be read
STATION = "station.h5"  # beside the grains: the calibration with which they were indexed


def layer_heights(settings: Mapping[str, Any]) -> list[float]:
    """Heights of the middle of each layer of a state, um."""
    given = (settings.get("state.frames") or {}).get("layer_z_um", 0.0)
    return [float(z) for z in given] if isinstance(given, list | tuple) else [float(given)]


def files_by_layer(files: Sequence[Path], heights: Sequence[float], state: str) -> list[list[Path]]:
    """The files, in their order, shared out evenly over the layers.

    Raises ``ContradictionError`` where they cannot be, or two layers have one height.
    """
    each, left = divmod(len(files), len(heights))
    if left or not each:
        raise ContradictionError(
            f"{len(files)} files for {len(heights)} layers",
            where=state,
            remedy="layer_z_um holds one height a layer, each with equally many files.",
        )
    if len(set(heights)) < len(heights):
        raise ContradictionError(
            f"two of the {len(heights)} layers have the same height",
            where=state,
            remedy="layer_z_um holds the height of each layer once, in the files' order.",
        )
    return [list(files[k * each : (k + 1) * each]) for k in range(len(heights))]


def sample_area(settings: Mapping[str, Any]) -> float:
    """Cross-section of the sample across the rotation axis, um2.

    From the cell's diameter, or else the largest distance of a grain from the axis; raises
    ``SettingsError`` where neither is known.
    """
    diameter, radius = settings["cell.diameter_um"], settings["frames.sample_radius_um"]
    if diameter is None and radius is None:
        raise SettingsError(
            "how wide the sample is is not known",
            where="[cell]",
            remedy="Add cell.diameter_um, or frames.sample_radius_um.",
        )
    return math.pi * (float(radius) if diameter is None else 0.5 * float(diameter)) ** 2


def detector_of(work: Work, shape: tuple[int, int] | None = None) -> InstrumentFile:
    """The detector file of [frames]; ``shape`` (slow, fast) for programs that state none."""
    if "frames.detector" not in work.inputs:
        raise SettingsError(
            "frames do not say where the detector stood",
            where=work.label,
            remedy='Name a detector file in cell.toml: [frames] detector = "...".',
        )
    path = work.source("frames.detector").path
    try:
        return read_instrument(path)
    except InvalidValueError:
        if shape is None:
            raise
        # the program does not state how many pixels there are: those of the frames
        return read_instrument(path, shape=shape)


def instrument_of(work: Work) -> Instrument:
    """The instrument of [frames], as the frames of the state are read with it."""
    return detector_of(work, open_source(work.inputs["raw"][0].path).shape).instrument


def panels_of(files: Sequence[Path], instrument: Instrument) -> dict[str, list[Path]]:
    """Files of each panel in the order of the instrument; several panels by their names.

    Raises ``ContradictionError`` where the name of a file holds no panel's name, or several.
    """
    names = [panel.name for panel in instrument.panels]
    if len(names) == 1:
        return {names[0]: list(files)}
    found: dict[str, list[Path]] = {name: [] for name in names}
    for file in files:
        named = [name for name in names if name in file.name]
        if len(named) != 1:
            raise ContradictionError(
                f"it names {'none' if not named else len(named)} of the panels {', '.join(names)}",
                where=str(file),
                remedy="Let the name of each file hold the name that the detector file gives its "
                "panel.",
            )
        found[named[0]].append(file)
    absent = [name for name in names if not found[name]]
    if absent:
        raise ContradictionError(
            f"there are no frames of panel {absent[0]}",
            where=str(files[0].parent),
            remedy="List the frames of every panel, or take the panel out of the detector file.",
        )
    return found


def layer_series(work: Work, files: Sequence[Path], *, partial: bool) -> list[FrameSeries]:
    """Frames of one layer, one series a panel, angles in the house's sense."""
    detector = detector_of(work, open_source(files[0]).shape)
    options = work.settings.get("state.frames") or {}
    start, step = options.get("omega_start_deg"), options.get("omega_step_deg")
    saturation = work.settings.get("frames.saturation")
    dark, mask = (
        work.source(name).path if name in work.inputs else None
        for name in ("frames.dark", "frames.mask")
    )
    return [
        panel_series(
            own,
            detector,
            name,
            omega_start=None if start is None else math.radians(float(start)),
            omega_step=None if step is None else math.radians(float(step)),
            dark=dark,
            mask=mask,
            saturation=None if saturation is None else float(saturation),
            partial=partial,
        )
        for name, own in panels_of(files, detector.instrument).items()
    ]


def panel_series(
    files: Sequence[Path],
    detector: InstrumentFile,
    panel: str,
    *,
    omega_start: float | None = None,
    omega_step: float | None = None,
    dark: Path | None = None,
    mask: Path | None = None,
    saturation: float | None = None,
    dataset: str | None = None,
    partial: bool = False,
) -> FrameSeries:
    """Frames of one panel of a detector file; parameters as in `open_frames`.

    Angles are those of the detector file's program and come out in the house's sense. Raises
    ``ContradictionError`` where the frames are of another size than the panel.
    """
    sign = detector.omega_sign
    series = open_frames(
        files,
        omega_start=None if omega_start is None else sign * omega_start,
        omega_step=None if omega_step is None else sign * omega_step,
        dark=dark,
        mask=mask,
        saturation=saturation,
        dataset=dataset,
        allow_partial=partial,
    )
    if sign < 0.0 and series.source.omega is not None:
        source = replace(series.source, omega=-np.asarray(series.source.omega))
        series = series_from_source(
            source,
            dark=series.dark,
            mask=series.mask,
            saturation=series.saturation,
            allow_partial=partial,
        )
    _check_size(series, detector.instrument, panel, files[0])
    return renamed(series, panel)


def _check_size(series: FrameSeries, instrument: Instrument, name: str, file: Path) -> None:
    panel = next(panel for panel in instrument.panels if panel.name == name)
    rows, columns = (int(size) for size in panel.shape)
    if series.shape != (rows, columns):
        raise ContradictionError(
            f"its frames are {series.shape[0]} x {series.shape[1]} pixels, panel {name} of the "
            f"detector file has {rows} x {columns}",
            where=str(file),
            remedy="Give the detector file of this detector and binning.",
        )
