"""White-beam patterns with known truth, as laue_index.py draws them, and how answers are scored."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from _harness import HERE
from _virtual_layer import drawn_value

from mesolith.axes import FloatArray
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.goniometer import UPRIGHT
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.laue.geometry import LaueGeometry, laue_geometry
from mesolith.materials.loader import library_files
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.laue import LaueGrains, LauePeaks, laue_peaks
from mesolith.virtual.laue.crystal import CrystalReflections, crystal_reflections
from mesolith.virtual.laue.patterns import (
    LauePattern,
    PatternPlan,
    information_limit,
    measure_pattern,
    random_crystals,
)
from mesolith.virtual.laue.station import LaueStation

MATERIAL, SPACE_GROUP, LATTICE = "LLZTO-Ia-3d", 230, 12.95
CUBIC = np.array([LATTICE, LATTICE, LATTICE, *[np.pi / 2.0] * 3])
FOUND_DEG, FALSE_DEG = 0.1, 0.5
_SIX = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True, slots=True)
class DrawnPattern:
    """A pattern, the station that made it, and the one that the analysis believes in."""

    pattern: LauePattern
    station: LaueStation
    believed: LaueStation
    plan: PatternPlan

    @property
    def peaks(self) -> LauePeaks:
        """The list as the analysis gets it, without stated errors."""
        found = self.pattern
        return laue_peaks(found.place[:, 0], found.place[:, 1], found.intensity)


@cache
def reflections() -> CrystalReflections:
    """What the virtual crystal reflects."""
    cif = library_files(MATERIAL)[1]
    return crystal_reflections(cif, space_group=SPACE_GROUP, lattice_angstrom=LATTICE)


def drawn_pattern(draw: str, seed: int, grains: int, **overrides: Any) -> DrawnPattern:
    """Pattern of one draw of priors.toml; ``overrides`` replace drawn values."""
    text = (HERE / "priors.toml").read_text(encoding="utf-8")
    priors = tomllib.loads(text)["laue_pattern"][draw]
    rng = np.random.default_rng([seed, 0x1A0E])
    tilt = np.radians([drawn_value(rng, priors["tilt_deg"]) for _ in range(3)])
    middle = [drawn_value(rng, priors["off_middle"]) for _ in range(2)]
    centre = [drawn_value(rng, priors["centre_error"]) for _ in range(2)]
    skip = ("tilt_deg", "off_middle", "centre_error")
    drawn = {
        name: drawn_value(rng, prior) for name, prior in sorted(priors.items()) if name not in skip
    } | overrides
    station = LaueStation(
        middle=(middle[0], middle[1], drawn["distance"]),
        tilt=(float(tilt[0]), float(tilt[1]), float(tilt[2])),
        incidence=math.radians(drawn["incidence_deg"]),
        spectrum_middle=drawn["spectrum_middle"],
        spectrum_width=drawn["spectrum_width"],
    )
    wrong = (
        station.middle[0] + station.pitch * centre[0],
        station.middle[1] + station.pitch * centre[1],
        station.middle[2] + drawn["distance_error"],
    )
    names = PatternPlan.__dataclass_fields__
    plan = PatternPlan(**{name: value for name, value in drawn.items() if name in names})
    weights = (1.0, drawn["weight_two"], drawn["weight_three"])[:grains]
    crystals = random_crystals(rng, weights, strain=drawn["strain"], layered_um=drawn["layered"])
    pattern = measure_pattern(crystals, reflections(), station, plan, rng)
    return DrawnPattern(pattern, station, replace(station, middle=wrong), plan)


def geometry_of(station: LaueStation) -> LaueGeometry:
    """The same station as the analysis describes it."""
    fast, slow = (station.edges / station.pitch).T
    panel = Panel(
        name="above",
        shape=np.array(station.shape),
        pitch=np.array([station.pitch, station.pitch]),
        origin=np.array(station.middle),
        rotation=np.stack([fast, slow, np.cross(fast, slow)], axis=1),
    )
    instrument = Instrument(beam_from_energy(12.0), UPRIGHT, (panel,))
    return laue_geometry(instrument, surface=station.surface)


@dataclass(frozen=True, slots=True)
class GrainScore:
    """One true grain: its peaks, whether it was found (as ``row``), and how far off the answer is.

    ``error`` and ``sigma`` (9,) are of the rotation vector (rad) and the strain 11 22 33 23 13
    12; ``limit`` the best possible RMS of strain and rotation (rad), without any prior.
    """

    grain: int
    peaks: int
    found: bool
    angle_deg: float
    error: FloatArray
    sigma: FloatArray
    limit: tuple[float, float]
    row: int = -1


def score_pattern(drawn: DrawnPattern, found: LaueGrains) -> tuple[list[GrainScore], int]:
    """Scores of the true grains, and the number of solutions near none of them."""
    pattern = drawn.pattern
    crystals = pattern.crystals
    true = quaternion_from_matrix(crystals.orientation)
    operators = rotation_operators(SPACE_GROUP)
    angle = np.degrees(
        misorientation_angle(true[:, None, :], found.orientation[None, :, :], operators)
    ).reshape(len(true), len(found))
    false = int(np.count_nonzero(angle.min(axis=0, initial=180.0) > FALSE_DEG)) if len(found) else 0
    scores = []
    for grain in range(len(true)):
        own = pattern.grain == grain
        limit = information_limit(
            crystals, grain, pattern.hkl[own], pattern.depth[own], LATTICE, drawn.station,
            drawn.plan.sigma_px,
        )  # fmt: skip
        best = int(np.argmin(angle[grain])) if len(found) else -1
        if best < 0 or angle[grain, best] > FOUND_DEG:
            nothing = np.full(9, np.nan)
            scores.append(GrainScore(grain, int(own.sum()), False, np.nan, nothing, nothing, limit))
            continue
        scores.append(
            GrainScore(
                grain=grain,
                peaks=int(own.sum()),
                found=True,
                angle_deg=float(angle[grain, best]),
                error=_error(found, best, crystals.strain[grain], crystals.orientation[grain]),
                sigma=np.sqrt(np.diag(found.covariance[best])),
                limit=limit,
                row=best,
            )
        )
    return scores, false


def _error(found: LaueGrains, row: int, strain: FloatArray, orientation: FloatArray) -> FloatArray:
    """Rotation vector and deviatoric strain, found minus true, (9,)."""
    gradient = (np.eye(3) + strain) @ orientation
    value, axes = np.linalg.eigh(gradient @ gradient.T)
    stretch = (axes * np.sqrt(value)) @ axes.T
    rotation = np.linalg.solve(stretch, gradient)
    deviatoric = 3.0 * stretch / np.trace(stretch) - np.eye(3)
    vectors = found.lattice_vectors[row] / LATTICE
    left, _, right = np.linalg.svd(vectors)
    between = _nearest_symmetry(left @ right, rotation)
    turn = 0.5 * (between - between.T)
    off = found.strain[row] - deviatoric
    return np.array([turn[2, 1], turn[0, 2], turn[1, 0], *(off[i, j] for i, j in _SIX)])


def _nearest_symmetry(one: FloatArray, other: FloatArray) -> FloatArray:
    """The smallest rotation one S other^T over the symmetries S of a cube."""
    signed = [
        np.diag(signs) @ np.eye(3)[list(order)]
        for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2))
        for signs in np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T
    ]
    turns = [one @ s @ other.T for s in signed if np.linalg.det(s) > 0.0]
    return max(turns, key=lambda turn: float(np.trace(turn)))


def seeds_of(family: int, part: int, count: int) -> Iterator[int]:
    """Seeds of one part of a benchmark."""
    state = np.random.SeedSequence([family & 0xFFFFFFFF, part]).generate_state(count, np.uint32)
    return (int(seed) for seed in state)
