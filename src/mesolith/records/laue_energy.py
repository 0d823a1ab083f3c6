"""Energy scans of Laue spots: profiles against energy, their peaks, and lattices with size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray, tensor_from_six
from mesolith.errors import InvalidValueError
from mesolith.records.field import CommonMode, Record, nested, quantity
from mesolith.records.grains import Phases

_TENSOR = ("11", "12", "13", "21", "22", "23", "31", "32", "33")


@dataclass(frozen=True, slots=True)
class EnergyScan(Record):
    """Counts of single spots while the monochromator steps, at one or more points of the sample.

    One row a reflection: ``point`` numbers the points of the sample, ``fast`` and ``slow`` are
    where the spot was seen in the monochromatic pictures, the mean over the scan, with
    ``covariance`` (px^2); NaN where nobody looked. One row a step: ``reflection`` says whose,
    ``energy`` is what the log states, ``counts`` are those of the spot's window, background
    included.
    """

    plot: ClassVar[tuple[str, str] | None] = ("counts", "energy")

    counts: FloatArray = quantity("counts in the spot's window", shape=("step",))
    energy: FloatArray = quantity("photon energy as logged, keV", shape=("step",))
    reflection: IntArray = quantity("row of the reflection", shape=("step",), dtype="int64")
    point: IntArray = quantity("point of the sample", shape=("reflection",), dtype="int64")
    hkl: IntArray = quantity(
        "indices", shape=("reflection", 3), dtype="int64", components=("h", "k", "l")
    )
    fast: FloatArray = quantity(
        "place along the panel's fast axis", unit="px", shape=("reflection",), error="covariance"
    )
    slow: FloatArray = quantity(
        "place along the panel's slow axis", unit="px", shape=("reflection",), error="covariance"
    )
    covariance: FloatArray = quantity(
        "covariance of fast and slow (px)", shape=("reflection", 2, 2)
    )

    def _check(self) -> None:
        if not (np.all(np.isfinite(self.counts)) and np.all(self.counts >= 0.0)):
            raise InvalidValueError(
                "EnergyScan.counts holds negative or missing counts",
                remedy="Give the counts as recorded: the background is part of the fit.",
            )
        if not np.all((self.energy > 1.0) & (self.energy < 200.0)):
            raise InvalidValueError(
                f"energies from {self.energy.min():g} to {self.energy.max():g} keV are scanned",
                remedy="Energies of the log are wanted in keV.",
            )
        if np.any(np.diff(self.reflection) < 0) or np.any(np.diff(self.point) < 0):
            raise InvalidValueError(
                "rows of an EnergyScan are not in order of reflection and point"
            )
        known = len(self.point)
        if self.reflection.size and not 0 <= self.reflection.min() <= self.reflection.max() < known:
            raise InvalidValueError(
                "EnergyScan.reflection points to a reflection that is not listed"
            )

    def standard_error(self, name: str) -> FloatArray | None:
        """Standard error of fast and slow (px) from the covariance."""
        if name in ("fast", "slow"):
            axis = ("fast", "slow").index(name)
            return np.sqrt(self.covariance[:, axis, axis])
        return Record.standard_error(self, name)

    def __len__(self) -> int:
        return len(self.point)


@dataclass(frozen=True, slots=True)
class EnergyPeaks(Record):
    """Peaks found in an `EnergyScan`, one row a reflection and component.

    ``reflection`` is its row in the scan. ``component`` is 0 for the only or the smaller lattice,
    1 for the larger one, which reflects at lower energy. ``energy_se`` is what counting leaves;
    what the monochromator adds is not in it. ``width`` is the standard deviation of a Gaussian
    profile of the same half width; all components of a reflection share it. ``share`` is the
    component's part of the reflection. ``height`` and ``background`` are counts a step.
    """

    plot: ClassVar[tuple[str, str] | None] = ("energy", "reflection")

    energy: FloatArray = quantity("peak energy, keV", shape=("peak",), error="energy_se")
    energy_se: FloatArray = quantity("standard error of it from counting, keV", shape=("peak",))
    reflection: IntArray = quantity("row of the reflection", shape=("peak",), dtype="int64")
    component: IntArray = quantity("component", shape=("peak",), dtype="int64")
    width: FloatArray = quantity("width (standard deviation), keV", shape=("peak",))
    height: FloatArray = quantity("counts a step at the peak", shape=("peak",))
    share: FloatArray = quantity("part of the reflection", shape=("peak",))
    background: FloatArray = quantity("counts a step below it", shape=("peak",))

    def __len__(self) -> int:
        return len(self.reflection)


@dataclass(frozen=True, slots=True)
class LatticeSplits(Record):
    """Whether the profiles of a point show one lattice or two, one row a point.

    ``split`` is the larger lattice over the smaller one, less one; ``share`` the larger one's
    part; their errors are infinite where two do not fit at all. ``gain`` is what two components
    add to the log-likelihood of a single one, lopsided where that is better, divided by the
    scatter of the profiles. ``false_probability`` is how often a single lattice gains as much, 1
    where the two lie closer than two widths; ``resolved``: it is below the limit, and two are
    reported.
    ``lopsided`` is what a single lattice gains by profiles with unequal sides, less 1 for each
    reflection: above 3 its size varies, perhaps with depth.
    ``tail`` is the part of the profile's shape that is Lorentzian, ``scatter`` the mean squared
    residual of the profiles over that of counting.
    """

    plot: ClassVar[tuple[str, str] | None] = ("split", "point")

    point: IntArray = quantity("point of the sample", shape=("point",), dtype="int64")
    split: FloatArray = quantity(
        "relative split of two lattices", shape=("point",), error="split_se"
    )
    split_se: FloatArray = quantity("standard error of it", shape=("point",))
    share: FloatArray = quantity("part of the larger lattice", shape=("point",), error="share_se")
    share_se: FloatArray = quantity("standard error of it", shape=("point",))
    gain: FloatArray = quantity("gain of log-likelihood by a second lattice", shape=("point",))
    false_probability: FloatArray = quantity(
        "how often one lattice gains as much", shape=("point",)
    )
    resolved: NDArray[np.bool_] = quantity("two lattices reported", shape=("point",), dtype="bool")
    lopsided: FloatArray = quantity("gain of log-likelihood by unequal sides", shape=("point",))
    tail: FloatArray = quantity("Lorentzian part of the profile", shape=("point",))
    scatter: FloatArray = quantity("scatter of the profiles over counting", shape=("point",))

    def __len__(self) -> int:
        return len(self.point)


@dataclass(frozen=True, slots=True)
class SizedLattices(Record):
    """Lattices with their size, one row a point and component, laboratory axes.

    ``lattice_parameter`` is the cube root of the reference cell's volume times 1 plus the
    hydrostatic strain: a of a cubic lattice without its deviatoric strain. ``strain`` is the
    stretch of the lattice less one, tension positive, against the reference lattice of the
    phase; ``hydrostatic`` is a third of its trace. ``covariance`` is that of a small rotation
    vector (rad) and the strain 11 22 33 23 13 12 (tensor shears): the random part. What shifts
    all rows together stands in ``common_modes``. ``along`` is how far behind its place in the
    calibration the beam meets the surface, fitted; for a surface at 45 deg the sample stands as
    much too low. ``position`` is where the point lies on the sample, NaN where unknown.
    ``scatter`` is the mean squared residual of the energies over the stated one.
    """

    plot: ClassVar[tuple[str, str] | None] = ("lattice_parameter", "point")

    lattice_parameter: FloatArray = quantity(
        "lattice parameter", unit="angstrom", shape=("lattice",), error="lattice_parameter_se"
    )
    lattice_parameter_se: FloatArray = quantity(
        "standard error of the lattice parameter, random part", unit="angstrom", shape=("lattice",)
    )
    point: IntArray = quantity("point of the sample", shape=("lattice",), dtype="int64")
    component: IntArray = quantity("component", shape=("lattice",), dtype="int64")
    share: FloatArray = quantity("part of the diffracting volume", shape=("lattice",))
    position: FloatArray = quantity(
        "place on the sample", unit="um", shape=("lattice", 2), components=("x", "y")
    )
    lattice_vectors: FloatArray = quantity(
        "lattice vectors a, b, c as columns, angstrom", shape=("lattice", 3, 3), axes="laboratory"
    )
    strain: FloatArray = quantity(
        "elastic strain",
        shape=("lattice", 3, 3),
        axes="laboratory",
        error="covariance",
        components=_TENSOR,
    )
    hydrostatic: FloatArray = quantity(
        "hydrostatic strain", shape=("lattice",), error="hydrostatic_se"
    )
    hydrostatic_se: FloatArray = quantity(
        "standard error of the hydrostatic strain, random part", shape=("lattice",)
    )
    covariance: FloatArray = quantity(
        "covariance of rotation vector, strain, random part",
        shape=("lattice", 9, 9),
        axes="laboratory",
    )
    along: FloatArray = quantity(
        "shift of the source along the beam", unit="um", shape=("lattice",), error="along_se"
    )
    along_se: FloatArray = quantity("standard error of it", unit="um", shape=("lattice",))
    reflections: IntArray = quantity("energies used", shape=("lattice",), dtype="int64")
    scatter: FloatArray = quantity("scatter of the energies over the stated", shape=("lattice",))
    phase: IntArray = quantity("phase index", shape=("lattice",), dtype="int64")
    phases: Phases = nested()
    common_modes: tuple[CommonMode, ...] = ()

    def _check(self) -> None:
        if np.any(np.linalg.det(self.lattice_vectors) <= 0.0):
            raise InvalidValueError("SizedLattices.lattice_vectors are not right-handed")
        third = np.trace(self.strain, axis1=1, axis2=2) / 3.0
        if np.any(np.abs(third - self.hydrostatic) > 1e-9):
            raise InvalidValueError(
                "SizedLattices.hydrostatic is not a third of the strain's trace"
            )

    def standard_error(self, name: str) -> FloatArray | None:
        """Random standard error of a field; of the strain (lattice, 3, 3) from the covariance."""
        if name == "strain":
            return tensor_from_six(np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2)[:, 3:]))
        return Record.standard_error(self, name)

    def total_error(self, name: str) -> FloatArray:
        """Random and common parts together, in the shape of the field.

        ``name`` is "lattice_parameter", "hydrostatic" or "strain".
        """
        random = self.standard_error(name)
        if random is None:
            raise InvalidValueError(f"SizedLattices.{name} has no stated error")
        variance = random**2
        for mode in self.common_modes:
            if name in mode.derivatives:
                variance = variance + (mode.sigma * mode.derivatives[name]) ** 2
        return np.asarray(np.sqrt(variance))

    def __len__(self) -> int:
        return len(self.point)
