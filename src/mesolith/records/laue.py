"""Micro-Laue: peaks of white-beam patterns, the grains found in them, and which peak is whose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.records.field import CommonMode, Record, nested, quantities, quantity
from mesolith.records.grains import Phases


@dataclass(frozen=True, slots=True)
class LauePeaks(Record):
    """Peaks of white-beam patterns, one row a peak.

    A position is (fast, slow) in px; the centre of the panel's first pixel is (0, 0).
    ``pattern`` numbers the patterns of a scan. ``covariance`` is that of (fast, slow), px^2; NaN
    where the source states none. ``height`` is the top of the fitted peak above the background,
    ``intensity`` the sum of the counts above it, NaN where unknown. ``widths`` are the standard
    deviations along the long and the short axis of the peak, ``tilt`` is where the long one
    points, from fast towards slow; NaN where unknown. ``saturated``: a pixel reached the
    detector's limit.
    """

    plot: ClassVar[tuple[str, str] | None] = ("height", "pattern")

    pattern: IntArray = quantity("pattern", shape=("peak",), dtype="int64")
    fast: FloatArray = quantity(
        "place along the panel's fast axis", unit="px", shape=("peak",), error="covariance"
    )
    slow: FloatArray = quantity(
        "place along the panel's slow axis", unit="px", shape=("peak",), error="covariance"
    )
    covariance: FloatArray = quantity("covariance of fast and slow (px)", shape=("peak", 2, 2))
    height: FloatArray = quantity("height above background", shape=("peak",))
    intensity: FloatArray = quantity("counts above background", shape=("peak",))
    widths: FloatArray = quantity(
        "standard deviations along the long and the short axis",
        unit="px",
        shape=("peak", 2),
        components=("long", "short"),
    )
    tilt: FloatArray = quantity("direction of the long axis", unit="rad", shape=("peak",))
    background: FloatArray = quantity("background", shape=("peak",))
    saturated: NDArray[np.bool_] = quantity(
        "reached the detector's limit", shape=("peak",), dtype="bool"
    )

    def _check(self) -> None:
        for name in ("fast", "slow", "height"):
            if not np.all(np.isfinite(getattr(self, name))):
                raise InvalidValueError(f"LauePeaks.{name} holds NaN or infinity")
        if np.any(np.diagonal(self.covariance, axis1=1, axis2=2) <= 0.0):
            raise InvalidValueError("LauePeaks.covariance has a variance that is not positive")
        if np.any(np.diff(self.pattern) < 0):
            raise InvalidValueError("LauePeaks.pattern is not in ascending order")

    @property
    def strength(self) -> FloatArray:
        """What peaks are ranked by: the counts where they are known, else the height."""
        return np.where(np.isfinite(self.intensity), self.intensity, self.height)

    def standard_error(self, name: str) -> FloatArray | None:
        """Standard error of a field; of fast and slow (px) from the covariance."""
        if name in ("fast", "slow"):
            axis = ("fast", "slow").index(name)
            return np.sqrt(self.covariance[:, axis, axis])
        return Record.standard_error(self, name)

    def __len__(self) -> int:
        return len(self.pattern)


def laue_peaks(
    fast: FloatArray,
    slow: FloatArray,
    height: FloatArray,
    *,
    pattern: IntArray | None = None,
    sigma_px: float | None = None,
) -> LauePeaks:
    """Peaks (n,) of which only places (px) and heights are known; all of pattern 0 by default."""
    count = len(fast)
    sigma = np.nan if sigma_px is None else sigma_px
    unknown = np.full(count, np.nan)
    return LauePeaks(
        pattern=np.zeros(count, dtype=np.int64) if pattern is None else pattern,
        fast=fast,
        slow=slow,
        covariance=np.where(np.eye(2) > 0.0, sigma**2, 0.0) * np.ones((count, 1, 1)),
        height=height,
        intensity=unknown,
        widths=np.full((count, 2), np.nan),
        tilt=unknown,
        background=unknown,
        saturated=np.zeros(count, dtype=np.bool_),
    )


def joined_peaks(lists: Sequence[LauePeaks]) -> LauePeaks:
    """Lists of several patterns as one, in the patterns' order; at least one list."""
    ordered = sorted((one for one in lists if len(one)), key=lambda one: int(one.pattern[0]))
    ordered = ordered or list(lists[:1])
    return LauePeaks(
        **{
            name: np.concatenate([getattr(one, name) for one in ordered])
            for name in quantities(LauePeaks)
        }
    )


def peaks_of_patterns(peaks: LauePeaks) -> Iterator[LauePeaks]:
    """The list of each pattern that has peaks, in order."""
    edges = np.flatnonzero(np.diff(peaks.pattern)) + 1
    for first, end in pairwise([0, *edges.tolist(), len(peaks)]):
        if end > first:
            yield LauePeaks(
                **{name: getattr(peaks, name)[first:end] for name in quantities(LauePeaks)}
            )


@dataclass(frozen=True, slots=True)
class LaueGrains(Record):
    """Grains found in white-beam patterns, laboratory axes: x along the beam, z up.

    Positions of peaks do not tell the lattice's size: ``lattice_vectors`` have the volume of the
    phase's reference cell, and ``strain`` is deviatoric, tension positive, the stretch of the
    lattice about itself divided by a third of its trace, less one. ``covariance`` is that of a
    small rotation vector (rad) and the strain 11 22 33 23 13 12 (tensor shears); its rank is 8.
    ``completeness`` is the share of the predicted strong spots that were found, of those that no
    better grain hides. ``false_probability`` bounds the chance that random peaks make a grain as
    good. ``scatter`` is the mean squared residual over the stated one. ``depth_sensitivity`` is
    the strain that 1 um along the beam, unknown to the analysis, puts into ``strain``.
    ``common_modes`` hold what errors of the calibration and of the surface's height put into the
    strain of all grains together; the covariance is the random part alone.
    """

    plot: ClassVar[tuple[str, str] | None] = ("completeness", "pattern")

    pattern: IntArray = quantity("pattern", shape=("grain",), dtype="int64")
    lattice_vectors: FloatArray = quantity(
        "lattice vectors a, b, c as columns, angstrom", shape=("grain", 3, 3), axes="laboratory"
    )
    orientation: FloatArray = quantity(
        "quaternion, crystal to laboratory",
        shape=("grain", 4),
        axes="laboratory",
        components=("w", "x", "y", "z"),
    )
    strain: FloatArray = quantity(
        "deviatoric strain", shape=("grain", 3, 3), axes="laboratory", error="covariance"
    )
    covariance: FloatArray = quantity(
        "covariance of rotation vector, strain", shape=("grain", 9, 9), axes="laboratory"
    )
    phase: IntArray = quantity("phase index", shape=("grain",), dtype="int64")
    phases: Phases = nested()
    completeness: FloatArray = quantity("found share of the strong spots", shape=("grain",))
    spots: IntArray = quantity("spots", shape=("grain",), dtype="int64")
    own_spots: IntArray = quantity(
        "spots that no other grain explains", shape=("grain",), dtype="int64"
    )
    rms: FloatArray = quantity(
        "root mean square residual of one coordinate", unit="px", shape=("grain",)
    )
    scatter: FloatArray = quantity("mean squared residual over the stated", shape=("grain",))
    false_probability: FloatArray = quantity("probability that it is false", shape=("grain",))
    depth_sensitivity: FloatArray = quantity(
        "strain per um of unknown depth along the beam", shape=("grain", 3, 3), axes="laboratory"
    )
    common_modes: tuple[CommonMode, ...] = ()

    def _check(self) -> None:
        if np.any(np.linalg.det(self.lattice_vectors) <= 0.0):
            raise InvalidValueError("LaueGrains.lattice_vectors are not right-handed")
        trace = np.trace(self.strain, axis1=1, axis2=2)
        if np.any(np.abs(trace) > 1e-9):
            raise InvalidValueError("LaueGrains.strain has a trace; it is deviatoric")

    def standard_error(self, name: str) -> FloatArray | None:
        """Random standard error of the strain (grain, 3, 3) from the covariance."""
        if name == "strain":
            six = np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2)[:, 3:])
            return six[:, [[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
        return Record.standard_error(self, name)

    def systematic_error(self) -> FloatArray:
        """Standard error of the strain (grain, 3, 3) from all common modes together."""
        variance = np.zeros(self.strain.shape)
        for mode in self.common_modes:
            variance += (mode.sigma * mode.derivatives["strain"]) ** 2
        return np.sqrt(variance)

    def __len__(self) -> int:
        return len(self.pattern)


@dataclass(frozen=True, slots=True)
class LaueAssignment(Record):
    """Which peak belongs to which grain, one row a predicted spot that has a peak.

    ``peak`` is a row of the `LauePeaks`, ``grain`` one of the `LaueGrains`. ``hkl`` and
    ``energy`` are of the harmonic that should be strongest. ``depth`` is where the spot's rays
    start, along the beam behind the surface, averaged over its harmonics. ``residual`` is
    observed minus predicted, px; ``weight`` is what the spot counted, 0 to 1. ``shared``:
    another grain predicts a spot in the same peak.
    """

    plot: ClassVar[tuple[str, str] | None] = ("weight", "peak")

    peak: IntArray = quantity("row of the peak", shape=("match",), dtype="int64")
    grain: IntArray = quantity("row of the grain", shape=("match",), dtype="int64")
    hkl: IntArray = quantity(
        "indices", shape=("match", 3), dtype="int64", components=("h", "k", "l")
    )
    energy: FloatArray = quantity("photon energy, keV", shape=("match",))
    depth: FloatArray = quantity("mean depth of the source", unit="um", shape=("match",))
    residual: FloatArray = quantity(
        "observed minus predicted",
        unit="px",
        shape=("match", 2),
        components=("fast", "slow"),
    )
    weight: FloatArray = quantity("weight in the refinement", shape=("match",))
    shared: NDArray[np.bool_] = quantity(
        "another grain predicts it too", shape=("match",), dtype="bool"
    )

    def __len__(self) -> int:
        return len(self.peak)
