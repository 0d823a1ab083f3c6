"""Grain maps: where the grains of one state are, how they lie, and what they carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import SIX_NAMES, FloatArray, IntArray, tensor_from_six
from mesolith.errors import DuplicateError, InvalidValueError, OrientationError
from mesolith.records.field import CommonMode, Record, nested, quantity

_TENSOR = ("11", "12", "13", "21", "22", "23", "31", "32", "33")


@dataclass(frozen=True, slots=True)
class Phases(Record):
    """The crystal phases that a grain map indexes into."""

    name: tuple[str, ...] = quantity("phase", shape=("phase",), dtype="str")
    space_group: IntArray = quantity("space group number", shape=("phase",), dtype="int64")
    lattice: FloatArray = quantity(
        "lattice the file was reduced with: a b c (angstrom), alpha beta gamma (rad)",
        shape=("phase", 6),
    )


@dataclass(frozen=True, slots=True)
class GrainMap(Record):
    """Grains of one state on sample axes.

    ``covariance`` has, per grain, x y z (um), a rotation vector on sample axes (rad) and the
    strain 11 22 33 23 13 12 (tensor shears, sample axes): the random part of the error. What
    shifts all grains together stands in ``common_modes``. Strain and stress are None until a
    strain-free reference has been chosen. ``phase_probability`` and ``phase_decided`` are None
    where nobody weighed two phases; a grain that is not decided has the likelier one.
    ``lit_volume`` is that of the sample in the beam, which the radii fill, None where not known.
    """

    plot: ClassVar[tuple[str, str] | None] = ("stress_hydrostatic", "grain_id")

    grain_id: IntArray = quantity("grain", shape=("grain",), dtype="int64")
    position: FloatArray = quantity(
        "centre of mass",
        unit="um",
        shape=("grain", 3),
        axes="sample",
        error="covariance",
        components=("x", "y", "z"),
    )
    orientation: FloatArray = quantity(
        "orientation, crystal to sample, unit quaternion",
        shape=("grain", 4),
        axes="sample",
        error="covariance",
        components=("w", "x", "y", "z"),
    )
    lattice: FloatArray = quantity(
        "lattice a b c (angstrom), alpha beta gamma (rad)",
        shape=("grain", 6),
        error="covariance",
        components=("a_angstrom", "b_angstrom", "c_angstrom", "alpha_rad", "beta_rad", "gamma_rad"),
    )
    radius: FloatArray = quantity(
        "radius of the sphere of equal volume", unit="um", shape=("grain",)
    )
    completeness: FloatArray = quantity("found share of the expected reflections", shape=("grain",))
    phase: IntArray = quantity("phase index", shape=("grain",), dtype="int64")
    phases: Phases = nested()
    covariance: FloatArray = quantity(
        "covariance of position, rotation vector, strain", shape=("grain", 12, 12), axes="sample"
    )
    error_source: str = quantity("where the random errors come from", dtype="str")
    phase_probability: FloatArray | None = quantity(
        "probability of the grain's phase", shape=("grain",), optional=True
    )
    phase_decided: NDArray[np.bool_] | None = quantity(
        "phase decided by the spots", shape=("grain",), dtype="bool", optional=True
    )
    lit_volume: float | None = quantity(
        "volume of the sample in the beam (um3), which the grains are taken to fill", optional=True
    )
    strain: FloatArray | None = quantity(
        "elastic strain",
        shape=("grain", 3, 3),
        axes="sample",
        error="covariance",
        components=_TENSOR,
        optional=True,
    )
    stress: FloatArray | None = quantity(
        "Cauchy stress, tension positive",
        unit="MPa",
        shape=("grain", 3, 3),
        axes="sample",
        error="stress_covariance",
        components=_TENSOR,
        optional=True,
    )
    stress_covariance: FloatArray | None = quantity(
        f"covariance of the stress {' '.join(SIX_NAMES)}, random part (MPa2)",
        shape=("grain", 6, 6),
        axes="sample",
        optional=True,
    )
    stress_hydrostatic: FloatArray | None = quantity(
        "hydrostatic stress",
        unit="MPa",
        shape=("grain",),
        error="stress_hydrostatic_se",
        optional=True,
    )
    stress_hydrostatic_se: FloatArray | None = quantity(
        "standard error of the hydrostatic stress, random part",
        unit="MPa",
        shape=("grain",),
        optional=True,
    )
    stress_von_mises: FloatArray | None = quantity(
        "von Mises stress",
        unit="MPa",
        shape=("grain",),
        error="stress_von_mises_se",
        optional=True,
    )
    stress_von_mises_se: FloatArray | None = quantity(
        "standard error of the von Mises stress, random part",
        unit="MPa",
        shape=("grain",),
        optional=True,
    )
    common_modes: tuple[CommonMode, ...] = ()

    def _check(self) -> None:
        ids, counts = np.unique(self.grain_id, return_counts=True)
        if np.any(counts > 1):
            raise DuplicateError(f"grain ids occur twice: {ids[counts > 1][:5].tolist()}")
        for name in ("position", "orientation", "lattice"):
            if not np.all(np.isfinite(getattr(self, name))):
                raise InvalidValueError(f"GrainMap.{name} holds NaN or infinity")
        norm = np.linalg.norm(self.orientation, axis=1)
        if np.any(np.abs(norm - 1.0) > 1e-6):
            raise OrientationError("quaternions are not of unit length")
        if self.phase.size and not 0 <= self.phase.min() <= self.phase.max() < len(
            self.phases.name
        ):
            raise InvalidValueError("GrainMap.phase points to a phase that is not listed")

    def standard_error(self, name: str) -> FloatArray | None:
        """Random standard error of a field from the diagonal of its covariance.

        Position, strain and stress in um, 1 and MPa, in the field's shape; the quaternion's
        components to first order in the rotation vector; None for the lattice.
        """
        variance = np.diagonal(self.covariance, axis1=1, axis2=2)
        if name == "position":
            return np.sqrt(variance[:, :3])
        if name == "strain" and self.strain is not None:
            return tensor_from_six(np.sqrt(variance[:, 6:]))
        if name == "stress" and self.stress_covariance is not None:
            return tensor_from_six(np.sqrt(np.diagonal(self.stress_covariance, axis1=1, axis2=2)))
        if name == "orientation":
            w, x, y, z = self.orientation.T
            turn = 0.5 * np.array([[-x, -y, -z], [w, z, -y], [-z, w, x], [y, -x, w]])
            moved = np.einsum("ikn,nkl,iln->ni", turn, self.covariance[:, 3:6, 3:6], turn)
            return np.sqrt(np.maximum(moved, 0.0))
        return Record.standard_error(self, name)

    def __len__(self) -> int:
        return len(self.grain_id)
