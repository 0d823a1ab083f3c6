"""Grains, spots and detector as files of MIDAS, ImageD11 and HEXRD, on each program's axes.

Their sample axes lean with the stage, ours do not: grains are turned back by the lean of the
axis, so that they and the detector file beside them belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mesolith.axes import IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.reflections import rings
from mesolith.errors import InvalidValueError, SettingsError
from mesolith.hedm.spot_errors import with_turn
from mesolith.instrument.goniometer import Goniometer, axis_tilt
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.scattering import reciprocal_from_lattice_vectors
from mesolith.instrument.station import StationCalibration
from mesolith.io.assigned_spots import AssignedSpots
from mesolith.io.hexrd import hexrd_from_grain_map, write_hexrd
from mesolith.io.hexrd_instrument import write_hexrd_instrument
from mesolith.io.hexrd_spots import write_hexrd_spots
from mesolith.io.imaged11 import ubi_from_grain_map, write_grains_h5, write_ubi
from mesolith.io.imaged11_instrument import write_imaged11_instrument
from mesolith.io.imaged11_peaks import write_flt
from mesolith.io.midas_h5 import write_midas_h5
from mesolith.io.midas_instrument import write_midas_instrument
from mesolith.io.midas_spots import write_midas_spots
from mesolith.io.midas_write import write_midas
from mesolith.io.pyfai_poni import write_poni
from mesolith.io.tables import file_stem
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_matrix
from mesolith.records.grains import GrainMap, Phases
from mesolith.records.indexed import SpotAssignment
from mesolith.records.spots import Spots


@dataclass(frozen=True, slots=True)
class DetectorFormat:
    """A program's detector file: ending, writer, and whether it holds several panels."""

    suffix: str
    write: Callable[[Path, Instrument], None]
    several: bool


DETECTORS: Mapping[str, DetectorFormat] = {
    "hexrd": DetectorFormat(".yml", write_hexrd_instrument, True),
    "imaged11": DetectorFormat(".par", write_imaged11_instrument, False),
    "midas": DetectorFormat(".txt", write_midas_instrument, False),
    "poni": DetectorFormat(".poni", write_poni, False),
}
PROGRAMS = ("midas", "imaged11", "hexrd")
_SAME = 1e-6  # of a spacing


def on_turntable(grain_map: GrainMap, goniometer: Goniometer) -> GrainMap:
    """The grains on sample axes that lean with the stage, as programs have them.

    Covariances, strains and stresses stay on ours: no grain file of a program holds them.
    """
    back = axis_tilt(goniometer).T
    turned = back @ matrix_from_quaternion(grain_map.orientation)
    return replace(
        grain_map,
        position=grain_map.position @ back.T,
        orientation=quaternion_from_matrix(turned).reshape(-1, 4),
    )


def write_grain_files(
    folder: Path,
    stem: str,
    grain_map: GrainMap,
    program: str,
    *,
    goniometer: Goniometer | None = None,
    beam_height: float = 0.0,
) -> list[Path]:
    """Grain lists of one state in a program's formats, called ``stem`` and a word; their paths.

    MIDAS: Grains.csv, and the consolidated HDF5 of one phase. ImageD11: .map and HDF5. HEXRD:
    grains.out, one a phase. ``beam_height`` (um) goes into MIDAS' header.
    """
    if goniometer is not None:
        grain_map = on_turntable(grain_map, goniometer)
    if program == "midas":
        paths = [folder / f"{stem}Grains.csv"]
        write_midas(paths[0], grain_map, beam_thickness=beam_height)
        if len(grain_map.phases.name) == 1:  # the HDF5 holds no more
            paths.append(folder / f"{stem}grains.h5")
            write_midas_h5(paths[1], grain_map)
        return paths
    if program == "imaged11":
        grains = ubi_from_grain_map(grain_map)
        paths = [folder / f"{stem}grains.map", folder / f"{stem}grains.h5"]
        write_ubi(paths[0], grains)
        write_grains_h5(paths[1], grains)
        return paths
    if program != "hexrd":
        raise SettingsError(
            f"grains cannot be written for {program!r}", remedy=f"Known: {', '.join(PROGRAMS)}."
        )
    paths = []
    several = len(grain_map.phases.name) > 1
    for number, name in enumerate(grain_map.phases.name):
        word = f"{file_stem(name)}_" if several else ""
        paths.append(folder / f"{stem}{word}grains.out")
        write_hexrd(paths[-1], hexrd_from_grain_map(grain_map, phase=number))
    return paths


def write_detector_files(folder: Path, stem: str, instrument: Instrument, kind: str) -> list[Path]:
    """Detector file of a program (a key of `DETECTORS`), one a panel where it holds but one.

    ImageD11 knows no distortion: its files are those of the corrected picture, as its peak files
    are. Raises ``InvalidValueError`` where the program has no word for the instrument.
    """
    known = DETECTORS.get(kind)
    if known is None:
        raise SettingsError(
            f"no detector file is called {kind!r}", remedy=f"Known: {', '.join(DETECTORS)}."
        )
    if kind == "imaged11":
        panels = tuple(replace(panel, distortion=None) for panel in instrument.panels)
        instrument = replace(instrument, panels=panels)
    if known.several or len(instrument.panels) == 1:
        path = folder / f"{stem}detector{known.suffix}"
        known.write(path, instrument)
        return [path]
    paths = []
    for panel in instrument.panels:
        path = folder / f"{stem}detector_{file_stem(panel.name)}{known.suffix}"
        known.write(path, replace(instrument, panels=(panel,)))
        paths.append(path)
    return paths


def assigned_spots(
    spots: Spots,
    assignment: SpotAssignment,
    grain_map: GrainMap,
    *,
    height: float = 0.0,
) -> AssignedSpots:
    """Spots of one layer with their grains, sorted by grain, for files of programs.

    ``height`` (um) is that of the layer's middle in the sample, where the grain map is; spots
    were made in the beam. A spot that several grains share has a row in each.
    """
    order = np.lexsort([assignment.spot, assignment.grain_id])
    row = assignment.spot[order]
    number = np.full(int(grain_map.grain_id.max()) + 1, -1, dtype=np.int64)
    number[grain_map.grain_id] = np.arange(len(grain_map))
    grain = number[assignment.grain_id[order]]
    order, row, grain = order[grain >= 0], row[grain >= 0], grain[grain >= 0]
    place = np.column_stack([spots.fast[row], spots.slow[row], spots.omega[row]])
    hkl = assignment.hkl[order]
    return AssignedSpots(
        grain_id=grain_map.grain_id[grain],
        spot=row,
        hkl=hkl,
        ring=_ring_numbers(hkl, grain_map.phase[grain], grain_map.phases),
        panel=spots.panel[row],
        place=place,
        predicted=place - assignment.residual[order],
        position=grain_map.position[grain] - np.array([0.0, 0.0, height]),
        intensity=spots.intensity[row],
        maximum=spots.maximum[row],
    )


def _ring_numbers(hkl: IntArray, phase: IntArray, phases: Phases) -> IntArray:
    """Number (n,) of the ring of each reflection of its phase, 0 for the innermost."""
    found = np.zeros(len(hkl), dtype=np.int64)
    for number, (group, lattice) in enumerate(zip(phases.space_group, phases.lattice, strict=True)):
        own = np.flatnonzero(phase == number)
        if not len(own):
            continue
        reciprocal = reciprocal_from_lattice_vectors(basis_from_lattice(lattice))
        d = 1.0 / np.linalg.norm(hkl[own] @ reciprocal.T, axis=1)
        spacing = [ring for ring, _ in rings(int(group), lattice, float(d.min()) * (1.0 - _SAME))]
        edges = np.array(spacing[::-1]) * (1.0 - _SAME)
        found[own] = len(edges) - np.searchsorted(edges, d, side="right")
    return found


def write_assigned_spots(
    folder: Path, stem: str, program: str, spots: AssignedSpots, instrument: Instrument
) -> list[Path]:
    """Spots of grains as a program lists them: MIDAS' SpotMatrix.csv, HEXRD's spots_00000.out."""
    if program == "midas":
        path = folder / f"{stem}SpotMatrix.csv"
        write_midas_spots(path, spots, instrument)
        return [path]
    return write_hexrd_spots(folder / f"{stem}spots", spots, instrument)


def write_spot_files(folder: Path, stem: str, spots: Spots, instrument: Instrument) -> list[Path]:
    """ImageD11's peak files, one a panel."""
    paths = []
    for panel in instrument.panels:
        word = f"_{file_stem(panel.name)}" if len(instrument.panels) > 1 else ""
        paths.append(folder / f"{stem}peaks{word}.flt")
        write_flt(paths[-1], spots, panel)
    return paths


def write_program_files(
    folder: Path,
    stem: str,
    program: str,
    *,
    grain_map: GrainMap,
    station: StationCalibration | None = None,
    spots: Spots | None = None,
    assignment: SpotAssignment | None = None,
    height: float = 0.0,
    beam_height: float = 0.0,
) -> tuple[list[Path], list[str]]:
    """All that a program takes of one state: grains, and where they are known detector and spots.

    Returns the files, and in words what could not be written. ``spots`` carry the angles that
    their frames state; those that the calibration corrected are written. ``assignment`` says
    whose they are, ``height`` (um) where in the sample the layer lay that showed them.
    """
    goniometer = None if station is None else station.instrument.goniometer
    paths = write_grain_files(
        folder, stem, grain_map, program, goniometer=goniometer, beam_height=beam_height
    )
    left_out = []
    if station is not None:
        turned = None if spots is None else with_turn(spots, station.omega_factor)
        try:
            paths += write_detector_files(folder, stem, station.instrument, program)
            if turned is not None and assignment is not None and program in ("midas", "hexrd"):
                own = assigned_spots(turned, assignment, grain_map, height=height)
                paths += write_assigned_spots(folder, stem, program, own, station.instrument)
        except InvalidValueError as problem:
            text = f"the detector file of {program} is not written"
            if assignment is not None and program != "imaged11":
                text += ", nor are the spots that stand on it"
            left_out.append(f"{text}: {problem.what}")
        if turned is not None and program == "imaged11":
            paths += write_spot_files(folder, stem, turned, station.instrument)
        if program == "midas" and assignment is not None and station.instrument.goniometer.wedge:
            left_out.append("Omega, YLab and ZLab of SpotMatrix.csv hold the lean of the axis")
    return paths, left_out
