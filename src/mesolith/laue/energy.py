"""Energy scans of indexed white-beam points: lattice parameter, full strain, hydrostatic part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray, tensor_from_six
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.errors import InvalidValueError
from mesolith.laue.energy_model import ALONG, LATTICE, STRAIN, predicted, source_depth
from mesolith.laue.energy_refine import MODES, OFFSET, Beliefs, LatticeFit, Observed, refine_lattice
from mesolith.laue.energy_settings import EnergySettings
from mesolith.laue.geometry import LaueGeometry, ideal_pixels
from mesolith.laue.predict import predict_spots
from mesolith.laue.reflections import LaueReflections
from mesolith.laue.solve import IndexedPattern
from mesolith.laue.strain import orientation_and_stretch
from mesolith.records.field import CommonMode
from mesolith.records.grains import Phases
from mesolith.records.laue import LauePeaks
from mesolith.records.laue_energy import EnergyPeaks, EnergyScan, SizedLattices

REFERENCE_MODE = "reference lattice"
# an energy's scatter is drawn towards the stated one as if it had so many degrees of freedom
_TRUSTED = 20.0


@dataclass(frozen=True, slots=True)
class IndexedPoint:
    """A point of the sample: the peaks of its white pattern, what was found, and which grain."""

    peaks: LauePeaks
    found: IndexedPattern
    grain: int = 0


@dataclass(frozen=True, slots=True)
class EnergyCalibration:
    """How far logged energies are off: true is logged plus ``offset_ev``.

    ``by_mode`` (4,) is how the offset moves with an error of 1 in each of the modes that sample
    and reference share: photon energy (0: it is what is measured), panel along fast and slow
    (px), panel's distance (um). ``reflections`` is how many energies told it.
    """

    offset_ev: float
    sigma_ev: float
    by_mode: FloatArray
    reflections: int


def uncalibrated(settings: EnergySettings) -> EnergyCalibration:
    """The log taken at its word."""
    return EnergyCalibration(0.0, settings.common_ev, np.zeros(len(MODES)), 0)


def calibrate_energy(
    geometry: LaueGeometry,
    reflections: LaueReflections,
    point: IndexedPoint,
    scan: EnergyScan,
    peaks: EnergyPeaks,
    settings: EnergySettings | None = None,
    *,
    lattice_sigma: float = 1e-5,
) -> EnergyCalibration:
    """Offset of the logged energies from a strain-free reference crystal in the same scan.

    ``point`` is its white pattern; ``scan`` and ``peaks`` are its energies, one point, one
    component. ``reflections`` are those of its phase; ``lattice_sigma`` is how far its lattice may
    be off, relative: 1e-5 is 2 to 4 K. Its height is its own.

    Raises
    ------
    InvalidValueError
        Two lattices were found in it, or spots and energies are too few.
    """
    settings = settings or EnergySettings()
    if len(np.unique(peaks.component)) > 1 or len(np.unique(scan.point)) != 1:
        raise InvalidValueError(
            "a reference crystal has one lattice at one point",
            remedy="Choose a reference that shows single peaks, and give its scan alone.",
        )
    everything = np.arange(len(peaks))
    fit = refine_lattice(
        _start(point),
        _observed(geometry, reflections, point, scan, peaks, everything, settings),
        geometry.row,
        basis_from_lattice(reflections.lattice),
        Beliefs(
            along=_along(geometry, settings),
            strain=settings.strain_sigma,
            size=lattice_sigma,
            offset=settings.common_ev,
        ),
        known=True,
    )
    return EnergyCalibration(
        offset_ev=fit.offset,
        sigma_ev=float(np.sqrt(fit.covariance[OFFSET, OFFSET])),
        by_mode=np.concatenate([[0.0], fit.modes[1:, OFFSET]]),
        reflections=len(peaks),
    )


def sized_lattices(
    geometry: LaueGeometry,
    reflections: LaueReflections,
    points: Sequence[IndexedPoint],
    scan: EnergyScan,
    peaks: EnergyPeaks,
    settings: EnergySettings | None = None,
    *,
    calibration: EnergyCalibration | None = None,
    position: FloatArray | None = None,
) -> SizedLattices:
    """Lattice parameter, strain and hydrostatic part at each point, of each of its lattices.

    White spots give the shape of the lattice and its orientation, the energies its size:
    E = hc / (2 d sin(theta)). Both are refined together with the shift of the source along the
    beam, which is where a wrong height of the surface goes; each spot starts at the depth that
    its energy has. The logged energies are corrected by ``calibration`` and not touched again:
    what may remain of it is a common mode, and so are the panel's place and distance. Two
    lattices of a point share its white spots, as they lie on one another.

    Parameters
    ----------
    geometry, reflections
        Of the station, and of the phase with its strain-free lattice.
    points
        White patterns; ``scan.point`` counts them.
    scan, peaks
        The scan, and what `energy_peaks` found in it.
    position
        Where the points lie on the sample, um, (points, 2).

    Raises
    ------
    InvalidValueError
        The scan knows more points than there are, or one of them cannot be refined.
    """
    settings = settings or EnergySettings()
    calibration = calibration or uncalibrated(settings)
    _check_points(points, scan)
    reference = basis_from_lattice(reflections.lattice)
    beliefs = Beliefs(along=_along(geometry, settings), strain=settings.strain_sigma)
    place = np.full((len(points), 2), np.nan) if position is None else position
    keys, fits, observed = [], [], []
    pairs = np.stack([scan.point[peaks.reflection], peaks.component], axis=1)
    for point, component in np.unique(pairs, axis=0):
        rows = np.flatnonzero((pairs[:, 0] == point) & (pairs[:, 1] == component))
        seen = _observed(geometry, reflections, points[point], scan, peaks, rows, settings)
        observed.append(seen)
        keys.append((int(point), int(component), float(peaks.share[rows].mean())))
        fits.append(
            refine_lattice(
                _start(points[point]), seen, geometry.row, reference, beliefs,
                offset=calibration.offset_ev,
            )
        )  # fmt: skip
    scatter = _scatter(fits)
    # a scatter near the stated one changes what energies weigh, but not where they point
    final = [
        refine_lattice(
            fit.reciprocal, _with_scatter(seen, s), geometry.row, reference, beliefs,
            offset=calibration.offset_ev,
        )
        for fit, seen, s in zip(fits, observed, scatter, strict=True)
    ]  # fmt: skip
    return _record(keys, final, scatter, reflections, calibration, settings, place)


def _check_points(points: Sequence[IndexedPoint], scan: EnergyScan) -> None:
    if len(scan) and not 0 <= scan.point.min() <= scan.point.max() < len(points):
        raise InvalidValueError(
            f"the scan has reflections of point {scan.point.max()}, and white patterns of "
            f"{len(points)} points are given",
            remedy="Give the indexed white pattern of every scanned point, in order.",
        )


def _start(point: IndexedPoint) -> FloatArray:
    vectors = point.found.grains.lattice_vectors[point.grain]
    return np.asarray(np.linalg.inv(vectors).T)


def _along(geometry: LaueGeometry, settings: EnergySettings) -> float:
    """Standard deviation of the shift along the beam, um, that the height's makes."""
    facing = -float(geometry.row[:3] @ geometry.row[19:22])
    return settings.height_um * float(np.sqrt(1.0 - facing**2)) / facing


def _observed(
    geometry: LaueGeometry,
    reflections: LaueReflections,
    point: IndexedPoint,
    scan: EnergyScan,
    peaks: EnergyPeaks,
    rows: IntArray,
    settings: EnergySettings,
) -> Observed:
    """White spots of the point's grain, spots of the scan, and the energies of ``rows``."""
    white = _white_spots(geometry, reflections, point, settings)
    reflection = peaks.reflection[rows]
    hkl = scan.hkl[reflection].astype(np.float64)
    depth = source_depth(_start(point), hkl, peaks.energy[rows], reflections.table, geometry.row)
    seen = np.isfinite(scan.fast[reflection]) & np.isfinite(scan.slow[reflection])
    variance = np.diagonal(scan.covariance[reflection], axis1=1, axis2=2)
    variance = np.where(np.isfinite(variance), variance, settings.spot_error_px**2)
    scanned = ideal_pixels(geometry, scan.fast[reflection][seen], scan.slow[reflection][seen])
    return Observed(
        hkl=np.concatenate([white[0], hkl[seen]]),
        depth=np.concatenate([white[1], depth[seen]]),
        place=np.concatenate([white[2], scanned]),
        variance=np.concatenate([white[3], variance[seen]]),
        energy_hkl=hkl,
        energy=peaks.energy[rows],
        energy_variance=peaks.energy_se[rows] ** 2 + (1e-3 * settings.random_ev) ** 2,
    )


def _white_spots(
    geometry: LaueGeometry,
    reflections: LaueReflections,
    point: IndexedPoint,
    settings: EnergySettings,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Own spots of the point's grain: hkl, depth, place and variance (n, 2).

    The variance is the stated one times the scatter that the refinement found, and what the
    harmonics' uncertain shares do to the depth.
    """
    assignment, grains = point.found.assignment, point.found.grains
    own = np.flatnonzero(
        (assignment.grain == point.grain) & ~assignment.shared & (assignment.weight > 0.0)
    )
    peak = assignment.peak[own]
    stated = 0.5 * np.trace(point.peaks.covariance[peak], axis1=1, axis2=2)
    stated = np.where(np.isfinite(stated), stated, settings.position_error_px**2)
    stated = grains.scatter[point.grain] * stated / assignment.weight[own]
    place = ideal_pixels(geometry, point.peaks.fast[peak], point.peaks.slow[peak])
    hkl = assignment.hkl[own].astype(np.float64)
    start = _start(point)
    spots = predict_spots(start, reflections, geometry)
    doubts = dict(zip(map(tuple, reflections.hkl[spots.direction]), spots.doubt, strict=True))
    order = np.gcd.reduce(assignment.hkl[own], axis=1)
    doubt = np.array([doubts.get(tuple(one), 0.0) for one in assignment.hkl[own] // order[:, None]])
    shift = predicted(start, hkl, assignment.depth[own], geometry.row).place_by[:, :, ALONG]
    return hkl, assignment.depth[own], place, stated[:, None] + (doubt[:, None] * shift) ** 2


def _scatter(fits: Sequence[LatticeFit]) -> FloatArray:
    """Of each point's energies over the stated variance, drawn towards that of all points."""
    square = np.array([fit.square for fit in fits])
    freedom = np.array([fit.freedom for fit in fits])
    everywhere = (square.sum() + _TRUSTED) / (freedom.sum() + _TRUSTED)
    return np.asarray((square + _TRUSTED * everywhere) / (freedom + _TRUSTED))


def _with_scatter(seen: Observed, scatter: float) -> Observed:
    return Observed(
        seen.hkl, seen.depth, seen.place, seen.variance, seen.energy_hkl, seen.energy,
        scatter * seen.energy_variance,
    )  # fmt: skip


def _record(
    keys: list[tuple[int, int, float]],
    fits: list[LatticeFit],
    scatter: FloatArray,
    reflections: LaueReflections,
    calibration: EnergyCalibration,
    settings: EnergySettings,
    place: FloatArray,
) -> SizedLattices:
    reference = basis_from_lattice(reflections.lattice)
    edge = float(np.cbrt(np.linalg.det(reference)))
    point = np.array([key[0] for key in keys], dtype=np.int64)
    vectors = np.stack([np.linalg.inv(fit.reciprocal).T for fit in fits])
    strain = orientation_and_stretch(vectors, reference)[1] - np.eye(3)
    strain = 0.5 * (strain + np.swapaxes(strain, 1, 2))
    hydrostatic = np.trace(strain, axis1=1, axis2=2) / 3.0
    covariance = np.stack([fit.covariance[LATTICE, LATTICE] for fit in fits])
    third = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]) / 3.0
    error = np.sqrt(np.einsum("i,nij,j->n", third, covariance, third))
    along = [float(np.sqrt(fit.covariance[ALONG, ALONG])) for fit in fits]
    return SizedLattices(
        lattice_parameter=edge * (1.0 + hydrostatic),
        lattice_parameter_se=edge * error,
        point=point,
        component=np.array([key[1] for key in keys], dtype=np.int64),
        share=np.array([key[2] for key in keys]),
        position=place[point],
        lattice_vectors=vectors,
        strain=strain,
        hydrostatic=hydrostatic,
        hydrostatic_se=error,
        covariance=covariance,
        along=np.array([fit.along for fit in fits]),
        along_se=np.array(along),
        reflections=np.array([len(fit.residual) for fit in fits], dtype=np.int64),
        scatter=scatter,
        phase=np.zeros(len(fits), dtype=np.int64),
        phases=Phases(
            name=(reflections.name,),
            space_group=np.array([reflections.space_group]),
            lattice=reflections.lattice[None],
        ),
        common_modes=_common_modes(fits, calibration, settings, edge),
    )


def _common_modes(
    fits: list[LatticeFit],
    calibration: EnergyCalibration,
    settings: EnergySettings,
    edge: float,
) -> tuple[CommonMode, ...]:
    """What shifts all lattices together; the first is in keV, the panel's in px and um."""
    by = np.stack([fit.modes for fit in fits])
    # an error of the panel reaches the sample through the reference crystal, too
    by[:, 1:] -= by[:, :1] * calibration.by_mode[1:, None]
    by[:, 0] *= 1e3
    made = []
    sigmas = (
        *(1e-3 * calibration.sigma_ev, settings.centre_px, settings.centre_px),
        settings.distance_um,
    )
    for k, (name, sigma, unit) in enumerate(
        zip(MODES, sigmas, ("keV", "px", "px", "um"), strict=True)
    ):
        if sigma > 0.0:
            six = by[:, k, STRAIN]
            size = six[:, :3].mean(axis=1)
            made.append(
                CommonMode(
                    name,
                    sigma,
                    unit,
                    {
                        "lattice_parameter": edge * size,
                        "hydrostatic": size,
                        "strain": tensor_from_six(six),
                        "along": by[:, k, ALONG],
                    },
                )
            )
    if settings.reference_sigma > 0.0:
        shrinks = {
            "hydrostatic": -np.ones(len(fits)),
            "strain": -np.ones((len(fits), 1, 1)) * np.eye(3),
        }
        made.append(CommonMode(REFERENCE_MODE, settings.reference_sigma, "1", shrinks))
    return tuple(made)
