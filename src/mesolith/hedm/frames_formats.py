"""File formats of frames, as `mesolith new` and `check` see them: by content, header only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesolith.pipeline.technique import Description, Format

GE = Format(
    name="ge",
    title="GE detector (.ge, .ge2, .ge3)",
    suffixes=(".ge", ".ge2", ".ge3", ".ge5"),
    recognise="mesolith.io.frames_ge:recognise_ge",
    describe="mesolith.hedm.frames_formats:describe",
)
FRAME_CACHE = Format(
    name="frame-cache",
    title="HEXRD frame cache (.npz)",
    suffixes=(".npz",),
    recognise="mesolith.io.frames_sparse:recognise_frame_cache",
    describe="mesolith.hedm.frames_formats:describe",
)
STACK = Format(
    name="stack",
    title="HDF5 or NeXus stack of frames (.h5)",
    suffixes=(".h5", ".hdf5", ".nxs"),
    recognise="mesolith.io.frames_hdf5:recognise_frame_stack",
    describe="mesolith.hedm.frames_formats:describe",
)
IMAGE = Format(
    name="image",
    title="Frames as TIFF, CBF or EDF",
    suffixes=(".tif", ".tiff", ".cbf", ".edf"),
    recognise="mesolith.io.frames_image:recognise_image",
    describe="mesolith.hedm.frames_formats:describe",
)
_NO_ANGLES = "the file does not state the angles of its frames"


def describe(path: Path) -> Description:
    """Number and size of the frames, their angles, and what else must be told."""
    from mesolith.io.frames import format_of, open_source

    name = format_of(path)
    source = open_source(path)
    facts = [f"{source.count} frames of {source.shape[0]} x {source.shape[1]}"]
    needs = [("frames.detector", "frames do not say where the detector stood")]
    if source.omega is None:
        needs += [("omega_start_deg", _NO_ANGLES), ("omega_step_deg", _NO_ANGLES)]
    else:
        first, last = np.rad2deg([source.omega[0, 0], source.omega[-1, 1]])
        facts.append(f"omega {first:.6g} to {last:.6g} deg")
    return Description(name, rows=source.count, facts=tuple(facts), needs=tuple(needs))
