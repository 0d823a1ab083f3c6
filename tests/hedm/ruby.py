"""The measured three rubies on two Dexela panels, and the grains that HEXRD found in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.reflections import allowed_reflections
from mesolith.instrument.instrument import Instrument
from mesolith.io.frame_series import FrameSeries, series_from_source
from mesolith.io.frames import open_frames
from mesolith.io.grain_file import GrainErrors, one_phase
from mesolith.io.hexrd import grain_map_from_hexrd, read_hexrd
from mesolith.io.hexrd_instrument import read_hexrd_instrument
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.spots import Spots

FOLDER = "hedm/hexrd_multiruby_dexelas"
SPACE_GROUP = 167
ROWS, COLUMNS = 1944, 1536  # of each of the four parts of a panel, which HEXRD places one by one


@dataclass(frozen=True)
class Rubies:
    """Instrument of the eight parts, lattice, and HEXRD's grains on our axes."""

    instrument: Instrument
    lattice: FloatArray
    lattice_vectors: FloatArray
    position: FloatArray


def ruby_frames(measured: Callable[[str], Path], panel: str, frames: int) -> FrameSeries:
    """The first frames of a panel, ff1 or ff2."""
    name = f"mruby-0129_000004_{panel}_000012-cachefile.npz"
    series = open_frames(measured(f"{FOLDER}/imageseries/{name}"), saturation=15800.0)
    assert series.source.omega is not None
    source = replace(series.source, count=frames, omega=series.source.omega[:frames])
    return series_from_source(source, saturation=15800.0)


def rubies(measured: Callable[[str], Path]) -> Rubies:
    """Everything that HEXRD says of them."""
    with h5py.File(measured(f"{FOLDER}/include/materials.h5"), "r") as file:
        stated = file["ruby/LatticeParameters"][()]  # nm and degrees
    lattice = np.concatenate([10.0 * stated[:3], np.deg2rad(stated[3:])])
    path = measured(f"{FOLDER}/results/composite_fit_grains_grains.out")
    grains = grain_map_from_hexrd(
        read_hexrd(path),
        path,
        phases=one_phase(SPACE_GROUP, lattice),
        radius=np.float64(50.0),
        errors=GrainErrors(),
    ).grain_map
    instrument = read_hexrd_instrument(measured(f"{FOLDER}/include/dexelas_id3a_20200130_comp.yml"))
    turn = matrix_from_quaternion(grains.orientation)
    return Rubies(
        instrument.instrument,
        lattice,
        turn @ basis_from_lattice(grains.lattice),
        grains.position,
    )


def on_parts(spots: Spots, names: tuple[str, ...]) -> Spots:
    """Spots of whole panels as spots of the parts that HEXRD calls PANEL_row_column."""
    below = (spots.slow >= ROWS - 0.5).astype(np.int64)
    right = (spots.fast >= COLUMNS - 0.5).astype(np.int64)
    part = [
        names.index(f"{spots.panel_name[panel]}_{row}_{column}")
        for panel, row, column in zip(spots.panel, below, right, strict=True)
    ]
    return replace(
        spots,
        panel=np.array(part, dtype=np.int64),
        panel_name=names,
        fast=spots.fast - COLUMNS * right,
        slow=spots.slow - ROWS * below,
    )


def strong_reflections(lattice: FloatArray) -> IntArray:
    """Members (n, 3) of the families that HEXRD's configuration indexes with."""
    reciprocal = np.linalg.inv(basis_from_lattice(lattice)).T
    families = np.array([[0, 1, 2], [1, 0, 4], [1, 1, 0], [1, 1, 3], [0, 2, 4], [1, 1, 6]])
    lengths = np.linalg.norm(families @ reciprocal.T, axis=1)
    hkl = np.array(list(itertools.product(range(-3, 4), range(-3, 4), range(-7, 8))))
    length = np.linalg.norm(hkl @ reciprocal.T, axis=1)
    hkl = hkl[np.any(np.abs(length[:, None] - lengths) < 1e-6, axis=1)]
    return hkl[allowed_reflections(SPACE_GROUP, hkl)]
