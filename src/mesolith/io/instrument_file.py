"""What a program's detector file says, on the house's axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel

# how far a beam or an axis may be off where a format has no word for it, rad
_STRAIGHT = 1e-9


@dataclass(frozen=True, slots=True)
class InstrumentFile:
    """An instrument, and how the program's other files relate to it.

    ``sample_axes`` (3, 3) takes vectors on the program's sample axes to ours, which agree with
    the laboratory's at omega = 0 (a program whose sample axes tilt with the stage differs from
    us by that tilt). ``omega_sign`` times the program's omega is ours. ``left_out`` names what
    the file says about the detector and this model does not take.
    """

    instrument: Instrument
    sample_axes: FloatArray
    omega_sign: float
    left_out: tuple[str, ...] = ()


def single_panel(instrument: Instrument, program: str) -> Panel:
    """The only panel, for a format that knows one; ``InvalidValueError`` where there are more."""
    if len(instrument.panels) != 1:
        raise InvalidValueError(
            f"{program} describes one panel, this instrument has {len(instrument.panels)}",
            remedy="Write one file a panel, or a HEXRD instrument, which holds them all.",
        )
    return instrument.panels[0]


def check_beam_along_x(instrument: Instrument, program: str) -> None:
    """Raise ``InvalidValueError`` unless the beam runs along x, as the program assumes."""
    if np.linalg.norm(instrument.beam.direction - [1.0, 0.0, 0.0]) > _STRAIGHT:
        raise InvalidValueError(
            f"{program} knows only a beam along x, this one is {instrument.beam.direction}",
            remedy="Write a HEXRD instrument, or turn the laboratory so that x is the beam.",
        )


def check_axis_without_chi(instrument: Instrument, program: str) -> None:
    """Raise ``InvalidValueError`` where the rotation axis also leans across the beam."""
    if abs(instrument.goniometer.chi) > _STRAIGHT:
        raise InvalidValueError(
            f"{program} has no word for chi, which is {instrument.goniometer.chi:g} rad here",
            remedy="Write ImageD11's parameters, which hold both tilts of the axis.",
        )


def check_no_distortion(panel: Panel, program: str) -> None:
    """Raise ``InvalidValueError`` where the panel is distorted and the format cannot say so."""
    if panel.distortion is not None:
        raise InvalidValueError(
            f"{program} has no word for the distortion of panel {panel.name}",
            remedy="Write MIDAS' parameters or a HEXRD instrument.",
        )


def pixel_of_beam(panel: Panel) -> tuple[float, float, float]:
    """Ideal pixel (fast, slow) where the x axis meets the panel's plane, and its distance, um."""
    normal = panel.rotation[:, 2]
    distance = float(panel.origin @ normal / normal[0])
    local = (np.array([distance, 0.0, 0.0]) - panel.origin) @ panel.rotation
    return (
        float(local[0] / panel.pitch[1] + (panel.shape[1] - 1) / 2.0),
        float(local[1] / panel.pitch[0] + (panel.shape[0] - 1) / 2.0),
        distance,
    )
