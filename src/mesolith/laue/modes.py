"""Errors that all patterns of a station share, and the strain that they put into a grain.

A calibration that is a little off leaves no trace in the residuals: the strain takes it up. So
the calibration's covariance and the unknown height of the surface go with every strain, as
common modes, beside the random covariance.
"""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel_motion import panel_motions, panel_numbers
from mesolith.laue._kernels_refine import PARAMETERS, normal_equations
from mesolith.laue.geometry import GeometryMode, LaueGeometry, place_by_motion
from mesolith.laue.refine import Fit, Links
from mesolith.records.field import CommonMode

HEIGHT = "surface height"
CALIBRATION = "laue calibration"


def calibration_modes(
    instrument: Instrument, covariance: FloatArray, *, label: str = CALIBRATION
) -> tuple[GeometryMode, ...]:
    """Independent modes of a calibrated instrument, the one that moves spots most first.

    ``covariance`` (5, 5) is that of `panel_motion.PANEL_PARAMETERS`, um, px and rad. Each mode is
    one direction of it, in units of its own standard deviation. Give two calibrations two labels.
    """
    panel = instrument.panels[0]
    motions = panel_motions(panel, instrument.beam.direction)
    unit = _pixel_units(instrument)
    value, axes = np.linalg.eigh(covariance * np.outer(unit, unit))
    modes: list[GeometryMode] = []
    for k in np.argsort(-value):
        if value[k] > 0.0:
            motion = np.sqrt(value[k]) * (axes[:, k] / unit) @ motions
            modes.append(GeometryMode(f"{label} {len(modes) + 1}", 1.0, "1", motion))
    return tuple(modes)


def height_mode(geometry: LaueGeometry, sigma_um: float, *, name: str = HEIGHT) -> GeometryMode:
    """The height of the surface, um along its normal, above where it is believed to be."""
    beam, surface = geometry.row[:3], geometry.row[19:22]
    # a higher surface meets the beam earlier, as if the panel stood further along the beam
    motion = np.concatenate([-beam / (beam @ surface), np.zeros(3)])
    return GeometryMode(name, sigma_um, "um", motion)


def strain_by_motions(
    geometry: LaueGeometry,
    fit: Fit,
    links: Links,
    place: FloatArray,
    variance: FloatArray,
    motions: FloatArray,
) -> FloatArray:
    """Strain that unknown motions of the panel put into refined grains, (motions, grains, 3, 3).

    ``fit`` is the answer of `refine`, the arguments before ``motions`` (m, 6) what it was given.
    """
    size = len(fit.normal)
    moves = np.empty((len(place), 2, 6))
    moves[links.point] = place_by_motion(geometry.row, place[links.point], links.depth)
    # weights as the fit left them
    held = np.array(variance)
    held[links.point] /= np.maximum(fit.weight, 1e-9)
    normal, residual = np.empty((size, size)), np.empty((len(links), 2))
    spare = np.empty(len(links)), np.empty(len(links))
    none = np.zeros((len(fit.reciprocal), 5))
    rights = np.empty((len(motions) + 1, size))
    for k in range(len(rights)):
        seen = place
        if k > 0:
            seen = place.copy()
            seen[links.point] += moves[links.point] @ motions[k - 1]
        normal_equations(
            fit.reciprocal, links.hkl, links.grain, links.share, links.depth, links.doubt,
            links.point, links.other, seen, held, 1e12, 0.0, none, geometry.row, normal,
            rights[k], residual, *spare,
        )  # fmt: skip
    answer = np.linalg.solve(fit.normal, (rights[1:] - rights[0]).T)
    five = answer.T.reshape(len(motions), -1, PARAMETERS)[..., 3:]
    e11, e22, e23, e13, e12 = np.moveaxis(five, -1, 0)
    tensor = np.array([[e11, e12, e13], [e12, e22, e23], [e13, e23, -e11 - e22]])
    return np.moveaxis(tensor, (0, 1), (2, 3))


def modes_of_grains(modes: tuple[GeometryMode, ...], strain: FloatArray) -> tuple[CommonMode, ...]:
    """Common modes of grains whose strain answers to each mode with ``strain`` (modes, n, 3, 3)."""
    return tuple(
        CommonMode(mode.name, mode.sigma, mode.unit, {"strain": strain[k]})
        for k, mode in enumerate(modes)
    )


def depth_motion(geometry: LaueGeometry) -> FloatArray:
    """The motion (6,) that 1 um of unknown depth along the beam is."""
    return np.concatenate([-geometry.row[:3], np.zeros(3)])


def _pixel_units(instrument: Instrument) -> FloatArray:
    """Pixels by which a unit of each of the five numbers moves spots, roughly, (5,)."""
    panel = instrument.panels[0]
    distance = panel_numbers(panel)[0]
    pitch = float(panel.pitch.mean())
    half = 0.5 * float(panel.shape.mean())
    return np.array([half / distance, 1.0, 1.0, distance / pitch, half])
