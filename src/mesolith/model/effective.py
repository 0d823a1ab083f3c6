"""Effective conductivity, tortuosity and local flux of a voxel image.

The image holds the conductivity of each voxel; True or 1 against 0 is the plain case of one
conducting material. Current flows along one axis from a potential of 1 on its lower end to 0 on
its upper end (TauFactor's conditions: the ends lie half a voxel from the first centres, so a
uniform block has a tortuosity factor of exactly 1). The other sides carry no flux, or are
periodic.

The tortuosity factor is the mean conductivity of all voxels over the effective conductivity, for
one material D0 eps / D_eff. It is no ratio of lengths: `Conduction.tortuosity` is its root, as in
J = -D (eps / tau^2) grad c, and `Conduction.normalised_tortuosity` is the factor minus one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.numerics.components import through_clusters

Sides = Literal["no flux", "periodic"]


@dataclass(frozen=True, slots=True)
class Conduction:
    """Conduction along one axis of an image.

    Attributes
    ----------
    axis
        Axis of the image along which the current flows.
    voxel_size
        Edges of a voxel along the image's axes, um.
    sides
        "no flux" or "periodic".
    effective_conductivity
        In the unit of the image's values; 0 where nothing percolates.
    mean_conductivity
        Of all voxels, in the same unit.
    relative_error
        Estimated numerical error of ``effective_conductivity``, relative; 0 where nothing
        percolates. That of the voxels' finite size is not part of it.
    conducting_fraction
        Of the voxels.
    through_connectivity
        Part of the conducting voxels that belong to a cluster which touches both ends; 0 in an
        image without any.
    flux_spread
        Largest minus smallest flux through the slices, relative to the mean; NaN where nothing
        percolates.
    iterations
        Of the solver.
    conductivity
        The image, zero outside the clusters that touch both ends.
    potential
        Shape of the image, 1 to 0; NaN outside the clusters that touch both ends.
    """

    axis: int
    voxel_size: tuple[float, float, float]
    sides: Sides
    effective_conductivity: float
    mean_conductivity: float
    relative_error: float
    conducting_fraction: float
    through_connectivity: float
    flux_spread: float
    iterations: int
    conductivity: NDArray[Any]
    potential: FloatArray

    def __post_init__(self) -> None:
        self.conductivity.flags.writeable = False
        self.potential.flags.writeable = False

    @property
    def percolates(self) -> bool:
        """Whether any cluster touches both ends."""
        return self.through_connectivity > 0.0

    @property
    def tortuosity_factor(self) -> float:
        """Mean over effective conductivity, at least 1; infinite where nothing percolates."""
        if not self.percolates:
            return float("inf")
        return self.mean_conductivity / self.effective_conductivity

    @property
    def tortuosity(self) -> float:
        """Root of the tortuosity factor."""
        return float(np.sqrt(self.tortuosity_factor))

    @property
    def normalised_tortuosity(self) -> float:
        """Tortuosity factor minus one: zero for a dense block."""
        return self.tortuosity_factor - 1.0

    @property
    def statement(self) -> str:
        """What was found, in a sentence."""
        if self.conducting_fraction == 0.0:
            return "No voxel conducts: the tortuosity factor is infinite."
        if not self.percolates:
            return (
                f"No cluster of conducting voxels touches both ends of axis {self.axis} "
                "(an edge or a corner does not join): the tortuosity factor is infinite."
            )
        return (
            f"Tortuosity factor {self.tortuosity_factor:.6g} along axis {self.axis}, through "
            f"{100.0 * self.through_connectivity:.4g} % of the conducting voxels."
        )


def conduction(
    conductivity: NDArray[Any],
    *,
    axis: int = 0,
    voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0),
    sides: Sides = "no flux",
    tolerance: float = 1e-6,
    threads: int | None = None,
) -> Conduction:
    """Solve for the current along an axis of an image.

    Parameters
    ----------
    conductivity
        Shape (n0, n1, n2), finite, zero or positive, of any unit and contrast.
    axis
        0, 1 or 2.
    voxel_size
        Edges of a voxel along the three axes, um.
    sides
        What the sides that are not the two ends do.
    tolerance
        Relative numerical error of the effective conductivity at which to stop. The flux in a
        single voxel is then right to about the root of it.
    threads
        How many threads to use, the machine's number by default; the result does not depend on
        it.

    Raises
    ------
    InvalidValueError
        Where the image is not three-dimensional, has no voxels, holds a value that is negative or
        not finite, or where an argument is out of range.
    ConvergenceError
        Where the tolerance cannot be reached.
    """
    image = np.asarray(conductivity)
    _check(image, axis, voxel_size, sides, tolerance)
    conducts = image != 0
    count = int(np.count_nonzero(conducts))
    through = through_clusters(conducts, axis=axis, periodic=sides == "periodic")
    kept = int(np.count_nonzero(through))
    trimmed = through if image.dtype == np.bool_ else np.where(through, image, image.dtype.type(0))
    if kept == 0:
        effective, error, spread, iterations = 0.0, 0.0, float("nan"), 0
        potential = np.full(image.shape, np.nan)
    else:
        # numba is loaded only where there is something to solve
        from mesolith.numerics.multigrid import potential_of_conductivity

        order = _flow_first(image.shape, axis)
        found = potential_of_conductivity(
            np.ascontiguousarray(trimmed.transpose(order)),
            spacing=(voxel_size[order[0]], voxel_size[order[1]], voxel_size[order[2]]),
            periodic=sides == "periodic",
            tolerance=tolerance,
            threads=threads,
        )
        effective, error = found.conductivity, found.error
        spread, iterations = found.flux_spread, found.iterations
        potential = found.values.transpose(np.argsort(order))
        potential[~through] = np.nan
    return Conduction(
        axis=axis,
        voxel_size=voxel_size,
        sides=sides,
        effective_conductivity=effective,
        mean_conductivity=float(image.mean(dtype=np.float64)),
        relative_error=error,
        conducting_fraction=count / image.size,
        through_connectivity=kept / count if count else 0.0,
        flux_spread=spread,
        iterations=iterations,
        conductivity=trimmed,
        potential=potential,
    )


def conductivity_of_materials(
    materials: NDArray[Any], table: Mapping[int, float]
) -> NDArray[np.float64]:
    """Conductivity of each voxel from its label and a table of labels.

    Raises
    ------
    InvalidValueError
        Where a label of the image is missing in the table.
    """
    labels, index = np.unique(np.asarray(materials), return_inverse=True)
    missing = [int(label) for label in labels if int(label) not in table]
    if missing:
        raise InvalidValueError(
            f"labels {missing[:5]} of the image have no conductivity, {len(table)} others have",
            where="conductivity_of_materials",
            remedy="Give every label a value; 0 insulates.",
        )
    values = np.array([table[int(label)] for label in labels], dtype=np.float64)
    return values[index].reshape(np.shape(materials))


def flux_density(result: Conduction) -> NDArray[np.float32]:
    """Flux density at the centre of each voxel, the mean of its two faces along each axis.

    Returns
    -------
    flux
        Shape (3, n0, n1, n2), components along the image's axes, in the unit of conductivity per
        um for a potential difference of 1; zero outside the clusters that touch both ends. The
        mean over the whole image of the component along ``result.axis`` is the effective
        conductivity over the length, within the solver's flux spread.
    """
    k = result.conductivity
    flux = np.zeros((3, *k.shape), dtype=np.float32)
    for axis in range(3):
        h = result.voxel_size[axis]
        target = np.moveaxis(flux[axis], axis, 0)
        values = np.moveaxis(k, axis, 0)
        potential = np.moveaxis(result.potential, axis, 0)
        count = len(values)
        for i in range(count + 1):
            if 0 < i < count:
                face = _face_flux(values[i - 1], values[i], potential[i - 1], potential[i])
            elif axis == result.axis:
                inside = 0 if i == 0 else -1
                drop = 1.0 - potential[0] if i == 0 else potential[-1]
                face = np.where(values[inside] > 0, 2.0 * values[inside] * drop, 0.0)
            elif result.sides == "periodic" and count > 1:
                face = _face_flux(values[-1], values[0], potential[-1], potential[0])
            else:
                continue
            if i > 0:
                target[i - 1] += (face / (2.0 * h)).astype(np.float32)
            if i < count:
                target[i] += (face / (2.0 * h)).astype(np.float32)
    return flux


def local_tortuosity(result: Conduction) -> NDArray[np.float32]:
    """Size of the local flux over its mean component along the flow, in each voxel.

    Both over the voxels of the clusters that touch both ends; NaN elsewhere. The mean of the map
    is the hydraulic tortuosity <|j|> / <j_axis> (Koponen, Kataja and Timonen 1996,
    doi:10.1103/PhysRevE.54.406), at least 1.
    """
    flux = flux_density(result)
    through = result.conductivity > 0
    if not result.percolates:
        return np.full(through.shape, np.nan, dtype=np.float32)
    size = np.sqrt(np.einsum("a...,a...->...", flux, flux))
    mean = float(flux[result.axis][through].mean(dtype=np.float64))
    return np.where(through, size / np.float32(mean), np.float32(np.nan))


def _face_flux(a: FloatArray, b: FloatArray, ua: FloatArray, ub: FloatArray) -> FloatArray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    joined = (a > 0) & (b > 0)
    series = np.divide(2.0 * a * b, a + b, out=np.zeros_like(a), where=joined)
    return np.where(joined, series * (ua - ub), 0.0)


def _flow_first(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """Axes in the solver's order: the flow, then the others, the longest last."""
    first, second = sorted((a for a in range(3) if a != axis), key=lambda a: (shape[a], a))
    return axis, first, second


def _check(
    image: NDArray[Any],
    axis: int,
    voxel_size: tuple[float, float, float],
    sides: str,
    tolerance: float,
) -> None:
    where = "conduction"
    if image.ndim != 3 or image.size == 0:
        raise InvalidValueError(
            f"the image has shape {image.shape}; three axes with at least one voxel are needed",
            where=where,
            remedy="Give a plane image an axis of length 1: image[:, :, None].",
        )
    if image.dtype.kind not in "buif":
        raise InvalidValueError(
            f"the image holds {image.dtype} values; conductivities are real numbers",
            where=where,
            remedy="Pass a bool image or conductivities.",
        )
    if image.dtype.kind in "if":
        low, high = float(image.min()), float(image.max())
        if not (low >= 0.0 and np.isfinite(high)):
            raise InvalidValueError(
                f"conductivities from {low} to {high}; they must be finite and not negative",
                where=where,
                remedy="Set voxels that are unknown to 0, or to a material's value.",
            )
    if axis not in (0, 1, 2):
        raise InvalidValueError(
            f"axis {axis} does not exist", where=where, remedy="Choose 0, 1 or 2."
        )
    if len(voxel_size) != 3 or not all(np.isfinite(h) and h > 0 for h in voxel_size):
        raise InvalidValueError(
            f"voxel size {voxel_size}", where=where, remedy="Give three positive lengths in um."
        )
    if sides not in ("no flux", "periodic"):
        raise InvalidValueError(
            f"sides {sides!r} are unknown", where=where, remedy='Choose "no flux" or "periodic".'
        )
    if not 0.0 < tolerance < 1.0:
        raise InvalidValueError(
            f"tolerance {tolerance}", where=where, remedy="Choose a value between 1e-12 and 0.1."
        )
