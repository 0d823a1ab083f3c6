"""File formats of white-beam patterns, as `mesolith new` and `check` see them."""

from __future__ import annotations

from pathlib import Path

from mesolith.pipeline.technique import Description, Format

LIST = Format(
    name="lauetools-list",
    title="Peaks of a pattern as LaueTools lists them (.dat, .cor)",
    suffixes=(".dat", ".cor"),
    recognise="mesolith.io.lauetools_list:recognise_lauetools_list",
    describe="mesolith.laue.formats:describe_list",
)
PATTERN = Format(
    name="pattern",
    title="Patterns as TIFF, MCCD, EDF, CBF or JPEG 2000",
    suffixes=(".tif", ".tiff", ".mccd", ".edf", ".cbf", ".jp2"),
    recognise="mesolith.io.frames_image:recognise_image",
    describe="mesolith.laue.formats:describe_images",
)
PATTERN_STACK = Format(
    name="pattern-stack",
    title="HDF5 or NeXus stack of patterns (.h5)",
    suffixes=(".h5", ".hdf5", ".nxs"),
    recognise="mesolith.io.frames_hdf5:recognise_frame_stack",
    describe="mesolith.laue.formats:describe_images",
)
_NEEDS = (
    ("laue.detector", "patterns do not say where the panel stood"),
    ("rows", "patterns do not say where on the raster they were taken"),
    ("columns", "patterns do not say where on the raster they were taken"),
    ("step_um", "patterns do not say how far apart they were taken"),
)


def describe_list(path: Path) -> Description:
    """Number of peaks."""
    from mesolith.io.lauetools_list import read_lauetools_list

    count = len(read_lauetools_list(path, empty=True).values)
    return Description(LIST.name, rows=count, facts=(f"{count} peaks",), needs=_NEEDS)


def describe_images(path: Path) -> Description:
    """Number and size of the patterns."""
    from mesolith.io.pattern_series import open_patterns
    from mesolith.io.recognise import recognise

    series = open_patterns(path)
    found = recognise(path, (PATTERN, PATTERN_STACK))
    fact = f"{len(series)} patterns of {series.shape[0]} x {series.shape[1]}"
    return Description(found[0][0].name, rows=len(series), facts=(fact,), needs=_NEEDS)
