"""What indexing found: grains with the evidence for each, and which spot is whose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import DuplicateError, InvalidValueError
from mesolith.records.field import Record, nested, quantity
from mesolith.records.grains import Phases

_OF_GRAINS = (
    *("grain_id", "lattice_vectors", "position", "covariance", "phase", "completeness"),
    *("expected", "spots", "own_spots", "likelihood", "scatter", "volume_share"),
    "volume_share_se",
)


@dataclass(frozen=True, slots=True)
class IndexedGrains(Record):
    """Grains as indexing and refinement left them, sample axes.

    ``covariance`` has, per grain, x y z (um), a rotation vector (rad) and the strain
    11 22 33 23 13 12 (tensor shears) of the lattice about itself. ``likelihood`` is the logarithm
    of how much likelier the spots are with the grain than by chance, after better grains took
    theirs; ``completeness`` is reported beside it and decides nothing unless asked to.
    ``scatter`` is the mean squared residual over the stated, each spot counted as much as it
    decides about the grain.
    ``volume_share`` is the grain's share in the volume of all, from intensities; NaN where no
    spot of its own says. Its error is from the scatter of the grain's spots. ``light`` is what the
    strongest ring would get of all grains: layers with the same exposure compare by it.
    """

    plot: ClassVar[tuple[str, str] | None] = ("completeness", "grain_id")

    grain_id: IntArray = quantity("grain", shape=("grain",), dtype="int64")
    lattice_vectors: FloatArray = quantity(
        "lattice vectors a, b, c as columns, angstrom", shape=("grain", 3, 3), axes="sample"
    )
    position: FloatArray = quantity(
        "centre of mass",
        unit="um",
        shape=("grain", 3),
        axes="sample",
        error="covariance",
        components=("x", "y", "z"),
    )
    covariance: FloatArray = quantity(
        "covariance of position, rotation vector, strain", shape=("grain", 12, 12), axes="sample"
    )
    phase: IntArray = quantity("phase index", shape=("grain",), dtype="int64")
    phases: Phases = nested()
    completeness: FloatArray = quantity("found share of the expected reflections", shape=("grain",))
    expected: IntArray = quantity("expected reflections", shape=("grain",), dtype="int64")
    spots: IntArray = quantity("spots", shape=("grain",), dtype="int64")
    own_spots: IntArray = quantity(
        "spots that no better grain explains", shape=("grain",), dtype="int64"
    )
    likelihood: FloatArray = quantity("log likelihood ratio against chance", shape=("grain",))
    scatter: FloatArray = quantity("mean squared residual over the stated", shape=("grain",))
    volume_share: FloatArray = quantity(
        "share in the volume of all grains", shape=("grain",), error="volume_share_se"
    )
    chance: FloatArray = quantity(
        "share of reflections that chance fills, by ring", shape=("ring",)
    )
    error_scale: FloatArray = quantity(
        "measured over stated errors of the spots: fast and slow, omega", shape=(2,)
    )
    volume_share_se: FloatArray | None = quantity(
        "standard error of the share in the volume", shape=("grain",), optional=True
    )
    light: float | None = quantity("counts of all grains on the strongest ring", optional=True)

    def _check(self) -> None:
        ids, counts = np.unique(self.grain_id, return_counts=True)
        if np.any(counts > 1):
            raise DuplicateError(f"grain ids occur twice: {ids[counts > 1][:5].tolist()}")
        for name in ("lattice_vectors", "position"):
            if not np.all(np.isfinite(getattr(self, name))):
                raise InvalidValueError(f"IndexedGrains.{name} holds NaN or infinity")
        if np.any(np.linalg.det(self.lattice_vectors) <= 0.0):
            raise InvalidValueError("IndexedGrains.lattice_vectors are not right-handed")

    def standard_error(self, name: str) -> FloatArray | None:
        """Random standard error of the position, um, from the diagonal of the covariance."""
        if name == "position":
            return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2)[:, :3])
        return Record.standard_error(self, name)

    def rows(self, rows: IntArray) -> IndexedGrains:
        """Some of the grains, or all in another order."""
        own: dict[str, Any] = {
            name: getattr(self, name)[rows]
            for name in _OF_GRAINS
            if getattr(self, name) is not None
        }
        return replace(self, **own)

    def __len__(self) -> int:
        return len(self.grain_id)


@dataclass(frozen=True, slots=True)
class SpotAssignment(Record):
    """Which spot belongs to which grain, and how far it lies from where it should.

    One row a predicted reflection that has a spot; a spot that several grains share has several
    rows. ``spot`` is its row in the `Spots`. ``residual`` is observed minus predicted.
    ``distance`` is its length in standard deviations of the spot, 1.7 on average; ``weight``
    what the spot counted in the refinement, 0 to 1: an outlier and a shared spot count less.
    ``eta`` is the azimuth from +z towards -y.
    """

    plot: ClassVar[tuple[str, str] | None] = ("distance", "spot")

    spot: IntArray = quantity("row of the spot", shape=("match",), dtype="int64")
    grain_id: IntArray = quantity("grain", shape=("match",), dtype="int64")
    hkl: IntArray = quantity(
        "indices", shape=("match", 3), dtype="int64", components=("h", "k", "l")
    )
    residual: FloatArray = quantity(
        "observed minus predicted fast, slow (px), omega (rad)",
        shape=("match", 3),
        components=("fast_px", "slow_px", "omega_rad"),
    )
    distance: FloatArray = quantity("distance in standard deviations", shape=("match",))
    weight: FloatArray = quantity("weight in the refinement", shape=("match",))
    omega: FloatArray = quantity("angle of rotation", unit="rad", shape=("match",))
    eta: FloatArray = quantity("azimuth on the detector", unit="rad", shape=("match",))

    def __len__(self) -> int:
        return len(self.spot)
