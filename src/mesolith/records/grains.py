"""Grain maps: where the grains of one state are, how they lie, and what they carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import SIX_NAMES, FloatArray, IntArray
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
    strain-free reference has been chosen.
    """

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
        components=("a", "b", "c", "alpha", "beta", "gamma"),
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

    def __len__(self) -> int:
        return len(self.grain_id)
