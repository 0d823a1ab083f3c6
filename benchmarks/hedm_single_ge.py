"""One ruby, measured, moved between three sweeps: displacements and strains beside HEXRD's.

A stage moved a ruby by about 0.1 mm along each axis between sweeps 0, 1 and 2 of a GE-41RT. From
the measured places of the spots alone, without indices or a hint of orientation, each sweep is
indexed and refined. Bar: displacements between the sweeps within 5 um of HEXRD's, each component
of strain within 1e-4 of HEXRD's. The frames are not among the measured files, but HEXRD's
lists of spots are.

HEXRD refined the instrument once more after it had made these lists: the pixels and the angles
that a list states together belong to a detector that stood 190 um farther away than its file says,
1.8e-4 of the distance. So distance and centre are first taken from the lists themselves, by the
angles of all spots; how far strains differ with the file as it is stands beside. Needs
MESOLITH_DATA.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _harness import ROOT, write_result

from mesolith.axes import SIX, FloatArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.symmetry import rotation_operators
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.indexed import index_spots
from mesolith.hedm.phase_rings import PhaseRings, phase_rings, some_rings
from mesolith.instrument.goniometer import to_laboratory
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import moved
from mesolith.instrument.scattering import (
    angles_from_laboratory,
    laboratory_from_spots,
    scattering_vectors,
)
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.indexed import IndexedGrains
from mesolith.records.spots import Spots

sys.path.insert(0, str(ROOT))

from tests.formats.test_instruments import RUBY, GeSpots

SPACE_GROUP = 167
MICROMETRES, STRAIN = 5.0, 1e-4
PLACE_PX, OMEGA_DEG = 0.1, 0.05  # the residuals of the grain scale them
SMALLEST_SPACING = 0.7  # angstrom, that of HEXRD's own run
NEAR_RING = 2e-3  # of the spacing: grains 0.15 mm off the axis


def spots_of(sweep: GeSpots) -> Spots:
    """The places of the measured spots."""
    count = len(sweep.fast)
    none, one = np.zeros(count, dtype=bool), np.ones(count)
    covariance = np.diag([PLACE_PX, PLACE_PX, np.deg2rad(OMEGA_DEG)]) ** 2
    return Spots(
        panel=np.zeros(count, dtype=np.int64),
        fast=sweep.fast,
        slow=sweep.slow,
        omega=(sweep.omega + np.pi) % (2.0 * np.pi) - np.pi,
        covariance=np.broadcast_to(covariance, (count, 3, 3)),
        intensity=one,
        intensity_se=one,
        maximum=one,
        widths=np.ones((count, 3)),
        pixels=np.ones(count, dtype=np.int64),
        saturated=none,
        partial=none,
        overlapping=none,
        panel_name=("GE",),
        omega_range=np.array([[-np.pi, np.pi]]),
        omega_step=np.deg2rad(0.25),
    )


def angles(sweep: GeSpots, instrument: Instrument) -> FloatArray:
    """2 theta and eta of the pixels as HEXRD counts them, (n, 2), rad."""
    panel = np.zeros(len(sweep.fast), dtype=np.int64)
    points = laboratory_from_spots(instrument, panel, sweep.fast, sweep.slow)
    place = np.broadcast_to(sweep.position, points.shape)
    start = to_laboratory(instrument.goniometer, place, sweep.omega)
    two_theta, eta = angles_from_laboratory(instrument, points, start)
    return np.column_stack([two_theta, np.pi / 2.0 - eta])


def instrument_of_the_lists(sweeps: list[GeSpots]) -> tuple[Instrument, dict[str, float]]:
    """Distance and centre under which pixels have the angles that the lists state, in um."""
    start = sweeps[0].file.instrument
    names = ("distance", "shift_y", "shift_z")

    def off(instrument: Instrument) -> FloatArray:
        parts = []
        for sweep in sweeps:
            difference = angles(sweep, instrument) - np.column_stack([sweep.two_theta, sweep.eta])
            difference = (difference + np.pi) % (2.0 * np.pi) - np.pi
            difference[:, 1] *= np.sin(sweep.two_theta)  # both as arcs on the sphere
            parts.append(difference.ravel())
        return np.concatenate(parts)

    here = off(start)
    slope = np.column_stack([off(moved(start, {name: 10.0})) - here for name in names]) / 10.0
    change = np.linalg.lstsq(slope, -here, rcond=None)[0]
    moves = {name: float(value) for name, value in zip(names, change, strict=True)}
    return moved(start, moves), moves


def rings_with_spots(sweep: GeSpots, instrument: Instrument) -> PhaseRings:
    """Rings of ruby on which a third of what one grain can show was measured.

    HEXRD listed strong reflections only, so most rings have no spot at all.
    """
    phase = phase_rings("ruby", SPACE_GROUP, RUBY, d_min=SMALLEST_SPACING)
    panel = np.zeros(len(sweep.fast), dtype=np.int64)
    points = laboratory_from_spots(instrument, panel, sweep.fast, sweep.slow)
    g = scattering_vectors(instrument, points, np.zeros(len(panel)))
    relative = np.linalg.norm(g, axis=1)[:, None] * phase.spacing - 1.0
    nearest = np.argmin(np.abs(relative), axis=1)
    on_ring = np.abs(relative).min(axis=1) < NEAR_RING
    count = np.bincount(nearest[on_ring], minlength=len(phase.spacing))
    return some_rings(phase, count >= 2.0 * np.bincount(phase.ring) / 3.0)


def grain_of(sweep: GeSpots, instrument: Instrument) -> IndexedGrains:
    """The grains of a sweep, of which there must be one."""
    phase = rings_with_spots(sweep, instrument)
    settings = IndexSettings(sample_radius=400.0, height=600.0, strain=5e-3)
    return index_spots(spots_of(sweep), instrument, (phase,), settings).grains


def strain(lattice_vectors: FloatArray) -> FloatArray:
    """Logarithm of the left stretch, sample axes, 11 22 33 23 13 12, of the unrotated setting."""
    basis = basis_from_lattice(RUBY)
    best = np.full((3, 3), np.inf)
    for turn in matrix_from_quaternion(rotation_operators(SPACE_GROUP)):
        left, stretch, _ = np.linalg.svd(lattice_vectors @ np.linalg.inv(basis) @ turn)
        found = left @ np.diag(np.log(stretch)) @ left.T
        if np.abs(found).max() < np.abs(best).max():
            best = found
    return np.array([best[a, b] for a, b in SIX])


def main() -> int:
    """Run, print, write the result; 0 where the bar is met."""
    measured: Callable[[str], Path] = Path(os.environ["MESOLITH_DATA"]).__truediv__
    start = time.process_time()
    sweeps = [GeSpots(measured, number) for number in range(3)]
    listed, moves = instrument_of_the_lists(sweeps)
    print(
        "the lists' detector against its file: "
        + ", ".join(f"{n} {v:+.1f} um" for n, v in moves.items())
    )
    result: dict[str, Any] = {"moved_um": moves, "sweeps": []}
    met = True
    place, theirs = [], []
    for number, sweep in enumerate(sweeps):
        grains = grain_of(sweep, listed)
        met &= len(grains) == 1
        if not len(grains):
            print(f"sweep {number}: no grain")
            return 1
        raw = strain(grain_of(sweep, sweep.file.instrument).lattice_vectors[0])
        true = strain(sweep.lattice)
        off = strain(grains.lattice_vectors[0]) - true
        sigma = np.sqrt(np.diag(grains.covariance[0]))
        met &= bool(np.abs(off).max() < STRAIN)
        place.append(grains.position[0])
        theirs.append(sweep.position)
        print(
            f"sweep {number}: {len(grains)} grain, {grains.spots[0]} of {len(sweep.fast)} spots; "
            f"position off by {(place[-1] - theirs[-1]).round(1)} um (+-{sigma[:3].round(1)}), "
            f"strain by {(1e6 * off).round(0)} x 1e-6 (+-{(1e6 * sigma[6:]).round(0)}); with the "
            f"file as it is by {(1e6 * (raw - true)).round(0)}"
        )
        result["sweeps"].append(
            {
                "grains": len(grains),
                "spots": int(grains.spots[0]),
                "strain_off": off.tolist(),
                "strain_off_with_the_file": (raw - true).tolist(),
                "position_off_um": (place[-1] - theirs[-1]).tolist(),
            }
        )
    result["displacement_off_um"] = {}
    for one, two in ((0, 1), (0, 2), (1, 2)):
        off = (place[two] - place[one]) - (theirs[two] - theirs[one])
        size = float(np.linalg.norm(off))
        met &= size < MICROMETRES
        print(
            f"displacement {one} to {two}: {(place[two] - place[one]).round(1)} um, off by "
            f"{off.round(2)}, {size:.2f} um"
        )
        result["displacement_off_um"][f"{one} to {two}"] = size
    result |= {"cpu_seconds": time.process_time() - start, "met": met}
    write_result("hedm_single_ge", result)
    print("met" if met else "NOT met")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
