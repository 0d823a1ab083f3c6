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

DIAMETER, HEIGHT = 150.0, 100.0
MIDDLES = (-50.0, 50.0)  # of the layers; 20 um of the sample below and above are not lit
# the paper's station, with a coarse panel and coarse frames
STATION = Station(
    shape=(512, 512), pitch=500.0, distance=1.4e6, omega_step=math.radians(1.0), frames=360
)
CELL = """
[cell]
name = "frames"
stack = "Li|LLZO|Li"
diameter_um = 150.0
thickness_um = 240.0

[electrolyte]
material = "LLZTO-I-43d"

[clock]
cycler = { zone = "UTC", offset_s = 0.0 }

[frames]
detector = "raw/detector.txt"

[[state]]
name = "pristine"
frames = { files = ["raw/below.npz", "raw/above.npz"], layer_z_um = [-50, 50] }
"""


def write_frame_cell(folder: Path) -> list[Fragments]:
    """Write cell.toml, detector file and frames; what the beam lit in each layer is the truth."""
    cell = VirtualCell.draw(
        2, "pellet", diameter_um=DIAMETER, thickness_um=240.0, grain_um=57.0, minority_share=0.0
    )
    (folder / "raw").mkdir(parents=True)
    layers = []
    for name, middle in zip(("below", "above"), MIDDLES, strict=True):
        layers.append(fragments_of(cell, 0, middle=middle, height=HEIGHT, spacing=4.0))
        _write_layer(folder / "raw" / f"{name}.npz", layers[-1], len(layers))
    write_midas_instrument(folder / "raw" / "detector.txt", instrument_of(STATION))
    (folder / "cell.toml").write_text(CELL, encoding="utf-8")
    return layers


def _write_layer(path: Path, lit: Fragments, seed: int) -> None:
    """Frames without their dark, of which what is well above the background is kept."""
    exposure = Exposure(sample_um=DIAMETER, mosaic_fwhm=math.radians(0.8), reference_counts=4_000.0)
    frames = VirtualFrames(STATION, exposure, expose(lit, STATION, exposure), seed)
    dark, edge = frames.dark_frame(), frames.omega
    write_frame_cache(
        path,
        (np.maximum(frame, dark) - dark for _, block in frames.blocks() for frame in block),
        np.column_stack([edge[:-1], edge[1:]]),
        threshold=300.0,
    )
