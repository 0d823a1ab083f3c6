"""The same white-beam patterns through LaueTools, in its own environment."""

from __future__ import annotations

import math
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from _harness import HERE, peer_python
from _virtual_laue import LATTICE, SPACE_GROUP, DrawnPattern, GrainScore, geometry_of, score_pattern

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.instrument.laue_angles import LaueDetector, lauetools_from_panel
from mesolith.laue.strain import deviatoric_strain, orientation_and_stretch
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.grains import Phases
from mesolith.records.laue import LaueGrains

# matches at which its search ends, by the number of grains: those that served it best
ENOUGH = {1: 120, 3: 100}
_CUBE = np.array([LATTICE, LATTICE, LATTICE, *[np.pi / 2.0] * 3])


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """Scores of the true grains, solutions near none of them, and CPU-seconds of each pattern."""

    scores: list[GrainScore]
    false: int
    seconds: FloatArray


def through_lauetools(patterns: Sequence[DrawnPattern], depth_um: float) -> PeerAnswer:
    """LaueTools' answers to patterns of one number of grains.

    It knows one source of all rays; it gets the one at the mean depth, ``depth_um`` along the
    beam.
    """
    given: dict[str, Any] = {
        "patterns": len(patterns),
        "lattice": LATTICE,
        "grains": [len(drawn.pattern.crystals) for drawn in patterns],
        "enough": ENOUGH[len(patterns[0].pattern.crystals)],
        "pixel": 1e-3 * patterns[0].station.pitch,
    }
    turns = []
    for k, drawn in enumerate(patterns):
        turn, detector = _upright(drawn, depth_um)
        turns.append(turn)
        degrees = np.degrees([detector.beta, detector.gamma])
        given[f"detector_{k}"] = [
            1e-3 * detector.distance, detector.x_centre, detector.y_centre, *degrees,
        ]  # fmt: skip
        seen = drawn.pattern
        given[f"peaks_{k}"] = np.column_stack(
            [seen.place, 1e5 * seen.intensity / seen.intensity.max()]
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "patterns.npz", **given)
        script = HERE / "peers" / "lauetools_index.py"
        subprocess.run([str(peer_python("lauetools")), str(script), str(folder)], check=True)
        answer = dict(np.load(folder / "LaueTools.npz"))
    scores, false = [], 0
    for k, drawn in enumerate(patterns):
        reciprocal = turns[k].T @ answer["reciprocal"][answer["pattern"] == k]
        some, wrong = score_pattern(drawn, _grains(reciprocal))
        scores += some
        false += wrong
    return PeerAnswer(scores, false, answer["seconds"])


def _upright(drawn: DrawnPattern, depth_um: float) -> tuple[FloatArray, LaueDetector]:
    """A turn about the beam that stands the panel as LaueTools can say it; and its numbers."""
    geometry = geometry_of(drawn.believed)
    panel, beam = geometry.instrument.panels[0], geometry.row[:3]
    normal = panel.rotation[:, 2]
    angle = math.atan2(normal[1], normal[2])
    turn = np.array(
        [
            [1.0, 0.0, 0.0],
            [0.0, math.cos(angle), -math.sin(angle)],
            [0.0, math.sin(angle), math.cos(angle)],
        ]
    )
    stood = replace(
        panel, origin=turn @ (panel.origin - depth_um * beam), rotation=turn @ panel.rotation
    )
    return turn, lauetools_from_panel(stood)


def _grains(reciprocal: FloatArray) -> LaueGrains:
    """Its reciprocal lattices (n, 3, 3) as our record; what it does not state is NaN or 0."""
    count = len(reciprocal)
    reference = basis_from_lattice(_CUBE)
    vectors = np.swapaxes(np.linalg.inv(reciprocal), 1, 2)
    size = np.linalg.det(vectors) / np.linalg.det(reference)
    vectors = vectors / np.cbrt(size)[:, None, None]
    rotation, stretch = orientation_and_stretch(vectors, reference)
    unknown, none = np.full(count, np.nan), np.zeros(count, dtype=np.int64)
    return LaueGrains(
        pattern=none,
        lattice_vectors=vectors,
        orientation=quaternion_from_matrix(rotation),
        strain=deviatoric_strain(stretch),
        covariance=np.zeros((count, 9, 9)),
        phase=none,
        phases=Phases(("LLZO",), np.array([SPACE_GROUP]), _CUBE[None]),
        completeness=unknown,
        spots=none,
        own_spots=none,
        rms=unknown,
        scatter=unknown,
        false_probability=unknown,
        depth_sensitivity=np.full((count, 3, 3), np.nan),
    )
