"""Where a white-beam panel stands, from one pattern of a strain-free crystal.

The crystal's orientation is unknown. Pairs of bright peaks give orientations as in indexing, but
with wide limits, since a panel off its place bends all angles; each is tried by fitting three
rotations and the five numbers of the panel together while the radius shrinks within which a peak
belongs to a spot. Every spot starts at the depth that its energy implies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.laue_calibration import LaueCalibration
from mesolith.instrument.panel_motion import PANEL_PARAMETERS, panel_numbers
from mesolith.laue._kernels_search import search_pairs
from mesolith.laue.calibrate_fit import PanelFit, fit_panel, with_panel
from mesolith.laue.chance import log_false
from mesolith.laue.geometry import LaueGeometry, laue_geometry
from mesolith.laue.index import evidence_of_spots, links_of, nearest_of
from mesolith.laue.pattern import PICTURE_CELL, Pattern, prepared
from mesolith.laue.predict import PredictedSpots, predict_spots
from mesolith.laue.refine import Links
from mesolith.laue.reflections import LaueReflections, PairTable, pair_table
from mesolith.records.laue import LauePeaks

# radius about a predicted spot over the capture radius, and how many of the strongest are looked at
_STAGES = ((1.0, 40), (0.6, 60), (0.35, 80), (0.2, 120), (0.12, 200))
_CANDIDATES = 8
_LOOKED_AT = 40
_LAST_ROUNDS = 4
_SURE = math.log(1e-8)
_SIGNIFICANT = 5.0
_MOST_SCALE = 2.6


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """Settings of `calibrate_laue`.

    ``distance_error_um``, ``centre_error_px``, ``tilt_error_deg``
        Standard errors of the panel's numbers before the calibration. They steady the first
        steps; the result hangs on the peaks alone. A distance off by more than five times its
        error contradicts what is told.
    ``capture_px``
        How far a peak may lie from where the first orientation puts it.
    ``angle_tolerance``
        How far angles between scattering vectors may be off at first, rad.
    ``families``, ``bright``
        Pairs of the ``bright`` strongest peaks are compared with pairs of directions of the
        ``families`` strongest families.
    ``least_spots``
        Spots that a calibration needs.
    ``position_error_px``
        Standard error of a coordinate where the list states none.
    ``depth``
        Whether spots start at the depth that their energy implies, or all at the surface, as
        LaueTools takes it.
    """

    distance_error_um: float = 1000.0
    centre_error_px: float = 20.0
    tilt_error_deg: float = 1.0
    capture_px: float = 25.0
    angle_tolerance: float = 0.02
    families: int = 10
    bright: int = 24
    least_spots: int = 20
    position_error_px: float = 0.15
    depth: bool = True

    @property
    def error(self) -> FloatArray:
        """Standard errors (5,) of the panel's numbers, um, px, rad."""
        tilt = math.radians(self.tilt_error_deg)
        centre = self.centre_error_px
        return np.array([self.distance_error_um, centre, centre, tilt, tilt])


@dataclass(frozen=True, slots=True)
class _Found:
    fit: PanelFit
    links: Links
    spots: PredictedSpots
    log_false: float


def calibrate_laue(
    peaks: LauePeaks,
    reflections: LaueReflections,
    instrument: Instrument,
    *,
    surface: FloatArray,
    settings: CalibrationSettings | None = None,
) -> LaueCalibration:
    """Calibrate a panel on a strain-free crystal of known lattice and unknown orientation.

    Parameters
    ----------
    peaks
        Of one pattern.
    reflections
        Of the crystal, as `laue_reflections` makes them for this panel.
    instrument
        The panel where it is believed to stand; 1 mm, 20 px and 1 deg off do no harm.
    surface
        Normal out of the crystal's surface (3,), laboratory axes; the beam meets it in the origin.

    Returns
    -------
    calibration
        Distance, centre and tilts refer to the point where the beam meets the crystal's surface.

    Raises
    ------
    InvalidValueError
        There are too few peaks, or peaks beyond the panel.
    ContradictionError
        No orientation explains the peaks, or only one with another size of the pixels does,
        which is then told.
    """
    settings = settings or CalibrationSettings()
    if len(peaks) < settings.least_spots:
        raise InvalidValueError(
            f"{len(peaks)} peaks cannot calibrate a panel; {settings.least_spots} are needed",
            remedy="Lower the threshold of the peak search, or expose longer.",
        )
    geometry = laue_geometry(instrument, surface=surface)
    pairs = pair_table(reflections, families=settings.families)
    found = _searched(peaks, reflections, geometry, pairs, settings)
    if found is None:
        _look_for_pixel_size(peaks, reflections, geometry, pairs, settings)
        raise ContradictionError(
            f"no orientation of {reflections.name} explains the {len(peaks)} peaks",
            remedy="Check the material, the distance and the side on which pixels begin.",
        )
    _check_distance(found.fit, geometry, settings)
    return _calibration(peaks, reflections, found)


def check_pixel_size(
    peaks: LauePeaks,
    reflections: LaueReflections,
    geometry: LaueGeometry,
    *,
    distance_error_um: float = 200.0,
) -> None:
    """Raise where a pattern wants pixels of another size than the calibration states.

    For a pattern of any crystal, such as the first of a scan in which nothing was found: a strain
    of 1e-3 does no harm. Positions know pixel size over distance alone, so the size that is told
    is as sure as the distance, whose standard error is ``distance_error_um``. Takes a second or so.

    Raises
    ------
    ContradictionError
        Another pixel size explains the pattern (it is told), or none does.
    InvalidValueError
        There are too few peaks, or peaks beyond the panel.
    """
    settings = CalibrationSettings(distance_error_um=distance_error_um)
    surface = geometry.row[19:22]
    calibrate_laue(peaks, reflections, geometry.instrument, surface=surface, settings=settings)


def _searched(
    peaks: LauePeaks,
    reflections: LaueReflections,
    geometry: LaueGeometry,
    pairs: PairTable,
    settings: CalibrationSettings,
) -> _Found | None:
    """The best orientation and panel near the geometry; None where none is beyond chance."""
    table = reflections.table
    depth = 0.5 * float(np.average(table.length, weights=table.photons))
    pattern = prepared(
        peaks, geometry, depth=depth if settings.depth else 0.0, sigma_px=settings.position_error_px
    )
    best: _Found | None = None
    candidates, tried = _orientations(pattern, reflections, geometry, pairs, settings, depth)
    for turn in candidates:
        start = turn @ reflections.reciprocal
        found = _followed(pattern, reflections, geometry, start, settings, tried)
        if found is not None and (best is None or found.log_false < best.log_false):
            best = found
    return best if best is not None and best.log_false < _SURE else None


def _orientations(
    pattern: Pattern,
    reflections: LaueReflections,
    geometry: LaueGeometry,
    pairs: PairTable,
    settings: CalibrationSettings,
    depth: float,
) -> tuple[list[FloatArray], int]:
    """Rotations worth a fit, the most promising first, and how many were looked at."""
    gain, loss = evidence_of_spots(pattern.repaint(settings.capture_px))
    second, first = np.tril_indices(min(settings.bright, len(pattern)), -1)
    among = np.stack([first, second], axis=1)
    strong = int(np.searchsorted(-reflections.most, -0.01))
    _, kept, marks, tried = search_pairs(
        pattern.q, among, 0, len(among), pairs.angle, pairs.one, pairs.two,
        reflections.direction[:strong], reflections.length, reflections.start, reflections.order,
        reflections.square, reflections.table.photons, geometry.centre,
        math.cos(geometry.half_angle + 0.03), 0.01 * reflections.scale, depth, geometry.row,
        pattern.picture, PICTURE_CELL, gain, loss, 0.0, _LOOKED_AT, settings.angle_tolerance,
        np.inf, _CANDIDATES,
    )  # fmt: skip
    order = np.argsort(-marks[:, 0], kind="stable")
    return [kept[k] for k in order if marks[k, 0] > 0.0], tried


def _followed(
    pattern: Pattern,
    reflections: LaueReflections,
    geometry: LaueGeometry,
    start: FloatArray,
    settings: CalibrationSettings,
    tried: int,
) -> _Found | None:
    """Fit one orientation and the panel while the radius shrinks; None where spots run out."""
    reciprocal, changes = np.ascontiguousarray(start), np.zeros(5)
    scatter = 1.0
    for part, strongest in _STAGES:
        radius = part * settings.capture_px
        links, _ = _linked(pattern, reflections, geometry, reciprocal, radius, strongest, settings)
        if len(links) < 8:
            return None
        fit = fit_panel(
            reciprocal, geometry, changes, links, pattern.place, pattern.variance,
            error=settings.error, steps=3,
        )  # fmt: skip
        if fit is None:
            return None
        reciprocal, geometry, changes, scatter = (
            fit.reciprocal,
            fit.geometry,
            fit.changes,
            fit.scatter,
        )
    nothing_believed = np.full(5, np.inf)
    sigma = float(np.median(pattern.variance)) ** 0.5
    last: PanelFit | None = None
    for _ in range(_LAST_ROUNDS):
        radius = min(max(6.0 * sigma * math.sqrt(scatter), 0.5), 0.12 * settings.capture_px)
        links, spots = _linked(pattern, reflections, geometry, reciprocal, radius, None, settings)
        if len(links) < settings.least_spots:
            return None
        last = fit_panel(
            reciprocal, geometry, changes, links, pattern.place, pattern.variance,
            error=nothing_believed, steps=4,
        )  # fmt: skip
        if last is None:
            return None
        reciprocal, geometry, changes, scatter = (
            last.reciprocal,
            last.geometry,
            last.changes,
            last.scatter,
        )
    everything = predict_spots(reciprocal, reflections, geometry).strongest(200)
    peak = nearest_of(pattern, everything.place, radius, pattern.free, everything.strength)[0]
    share = min(len(pattern) * math.pi * radius**2 / geometry.area, 0.5)
    assert last is not None
    return _Found(last, links, spots, log_false((peak >= 0).astype(np.int64), share, tried))


def _linked(
    pattern: Pattern,
    reflections: LaueReflections,
    geometry: LaueGeometry,
    reciprocal: FloatArray,
    radius: float,
    strongest: int | None,
    settings: CalibrationSettings,
) -> tuple[Links, PredictedSpots]:
    """Spots with a peak within the radius, and those spots."""
    spots = predict_spots(reciprocal, reflections, geometry)
    if strongest is not None:
        spots = spots.strongest(strongest)
    peak = nearest_of(pattern, spots.place, radius, pattern.free, spots.strength)[0]
    rows = np.flatnonzero(peak >= 0)
    links = links_of(reflections, spots, rows, peak[rows], 0)
    if not settings.depth:
        links.depth = np.zeros(len(links))
        links.doubt = np.zeros(len(links))
    return links, spots.take(rows)


def _calibration(peaks: LauePeaks, reflections: LaueReflections, found: _Found) -> LaueCalibration:
    fit, spots = found.fit, found.spots
    order = np.argsort(-peaks.strength, kind="stable")
    return LaueCalibration(
        instrument=fit.geometry.instrument,
        name=PANEL_PARAMETERS,
        change=fit.changes,
        covariance=fit.covariance[3:, 3:],
        scatter=fit.scatter,
        aspect=fit.aspect,
        aspect_error=fit.aspect_error,
        reciprocal=fit.reciprocal,
        peaks=len(peaks),
        peak=order[found.links.point],
        hkl=reflections.hkl[spots.direction] * spots.order[:, None],
        residual=fit.residual,
        weight=fit.weight,
    )


def _check_distance(fit: PanelFit, geometry: LaueGeometry, settings: CalibrationSettings) -> None:
    """Raise where the distance is another than told: as likely the pixels are of another size."""
    told = panel_numbers(geometry.instrument.panels[0])[0]
    error = math.hypot(settings.distance_error_um, math.sqrt(float(fit.covariance[3, 3])))
    if abs(fit.changes[0]) > _SIGNIFICANT * error:
        _tell_pixel_size(fit, geometry, told, settings)


def _look_for_pixel_size(
    peaks: LauePeaks,
    reflections: LaueReflections,
    geometry: LaueGeometry,
    pairs: PairTable,
    settings: CalibrationSettings,
) -> None:
    """Raise with the size of the pixels, where one that is not told explains the peaks."""
    panel = geometry.instrument.panels[0]
    told = panel_numbers(panel)[0]
    step = settings.angle_tolerance
    for k in range(1, int(math.log(_MOST_SCALE) / step) + 1):
        for scale in (math.exp(k * step), math.exp(-k * step)):
            change = np.array([told * (scale - 1.0), 0.0, 0.0, 0.0, 0.0])
            found = _searched(peaks, reflections, with_panel(geometry, change), pairs, settings)
            if found is not None:
                _tell_pixel_size(found.fit, geometry, told, settings)


def _tell_pixel_size(
    fit: PanelFit, geometry: LaueGeometry, told: float, settings: CalibrationSettings
) -> NoReturn:
    found = panel_numbers(fit.geometry.instrument.panels[0])[0]
    pitch = geometry.instrument.panels[0].pitch[::-1] / 1000.0
    real = pitch * told / found
    error = math.hypot(settings.distance_error_um / told, math.sqrt(fit.covariance[3, 3]) / found)
    raise ContradictionError(
        f"with pixels of {pitch[0]:.6g} mm the panel would stand at {found / 1000.0:.3f} mm, where "
        f"{told / 1000.0:.3f} mm is told: at that distance the pixels are {real[0]:.6g} mm "
        f"(+- {real[0] * error:.2g})",
        remedy="Correct the pixel size, or the distance if it is the one that is wrong.",
    )
