"""A cell of a dozen grains whose frames were recorded, as a folder with its cell.toml."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mesolith.io.frames_sparse import write_frame_cache
from mesolith.io.midas_instrument import write_midas_instrument
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.hedm.exposure import Exposure, expose
from mesolith.virtual.hedm.fragments import Fragments, fragments_of
from mesolith.virtual.hedm.frames import VirtualFrames
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_station import instrument_of

DIAMETER = 130.0
# the paper's station, with a coarse panel and coarse frames
STATION = Station(
    shape=(512, 512), pitch=500.0, distance=1.4e6, omega_step=math.radians(1.0), frames=360
)
CELL = """
[cell]
name = "frames"
stack = "Li|LLZO|Li"
diameter_um = 130.0
thickness_um = 240.0

[electrolyte]
material = "LLZTO-I-43d"

[clock]
cycler = { zone = "UTC", offset_s = 0.0 }

[frames]
detector = "raw/detector.txt"

[[state]]
name = "pristine"
frames = { files = ["raw/scan.npz"] }
"""


def write_frame_cell(folder: Path) -> Fragments:
    """Write cell.toml, detector file and frames; what the beam lit is the truth."""
    cell = VirtualCell.draw(
        3,
        "pellet",
        diameter_um=DIAMETER,
        thickness_um=240.0,
        grain_um=57.0,
        minority_share=0.0,
    )
    lit = fragments_of(cell, 0, middle=0.0, height=100.0, spacing=4.0)
    exposure = Exposure(sample_um=DIAMETER, mosaic_fwhm=math.radians(0.8), reference_counts=4_000.0)
    frames = VirtualFrames(STATION, exposure, expose(lit, STATION, exposure), 11)
    (folder / "raw").mkdir(parents=True)
    edge = frames.omega
    write_frame_cache(
        folder / "raw" / "scan.npz",
        (frame for _, block in frames.blocks() for frame in block),
        np.column_stack([edge[:-1], edge[1:]]),
        threshold=500.0,
    )
    write_midas_instrument(folder / "raw" / "detector.txt", instrument_of(STATION))
    (folder / "cell.toml").write_text(CELL, encoding="utf-8")
    return lit
