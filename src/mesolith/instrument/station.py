"""A station before and after its calibration, as a record that results keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesolith.axes import FloatArray
from mesolith.instrument.calibration import Calibration, Scale, relative_units, scale_modes
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import AXIS, SHIFTS, TILTS, beam_on_panels
from mesolith.numerics.rotations import (
    quaternion_from_matrix,
    rotation_vector_from_quaternion,
)
from mesolith.records.field import CommonMode, Record, nested, quantity

PARAMETERS = (*SHIFTS, *TILTS, *AXIS, "wavelength")
_UNIT = dict.fromkeys(SHIFTS, "um") | dict.fromkeys((*TILTS, *AXIS), "rad")
_UNIT["wavelength"] = "angstrom"


@dataclass(frozen=True, slots=True)
class StationCalibration(Record):
    """What the detector file said, what spots or rings say, and how sure they are.

    ``before`` and ``after`` are as `station_parameters` reads them; ``error`` is NaN for a
    parameter that was held, and for ``shift_z`` where grains calibrated: the middle of the lit
    part of their sample, by volume, is put at z = 0. ``source`` is "grains", "rings" or
    "detector file". The turn of a frame is ``omega_factor`` times what its file states.
    ``floor_place`` (px) and ``floor_omega`` (rad) stand beside the errors that spots state.
    ``scale`` says which
    combinations of lattice parameter, distance and wavelength the data tell apart, and
    ``distance_sigma`` and ``wavelength_sigma`` what of them moves all lattices together.
    ``tied`` is True where the distance was found by taking the mean lattice of the grains for
    the reference's: then no mean strain of that state can be seen.
    """

    plot: ClassVar[tuple[str, str] | None] = None

    instrument: Instrument = nested()
    name: tuple[str, ...] = quantity("parameter", shape=("parameter",), dtype="str")
    unit: tuple[str, ...] = quantity("unit", shape=("parameter",), dtype="str")
    before: FloatArray = quantity("as the detector file says", shape=("parameter",))
    after: FloatArray = quantity("after calibration", shape=("parameter",), error="error")
    error: FloatArray = quantity("standard error after calibration", shape=("parameter",))
    source: str = quantity("what calibrated", dtype="str")
    state: str = quantity("state whose frames calibrated", dtype="str")
    grains: int = quantity("grains used", dtype="int64")
    used: int = quantity("spots or points used", dtype="int64")
    scatter: float = quantity("mean squared residual over the stated")
    omega_factor: float = quantity("turn of a frame over the stated")
    omega_factor_se: float = quantity("standard error of that")
    floor_place: float = quantity("error floor of places", unit="px")
    floor_omega: float = quantity("error floor of omega", unit="rad")
    scale: Scale = nested()
    distance_sigma: float = quantity("error of the distance that all lattices share", unit="um")
    wavelength_sigma: float = quantity(
        "error of the wavelength that all lattices share", unit="angstrom"
    )
    tied: bool = quantity("mean lattice taken for the reference's", dtype="bool")


def station_parameters(instrument: Instrument) -> dict[str, float]:
    """Distance, shifts (um), tilts, wedge, chi (rad) and wavelength (angstrom) of a station.

    ``distance`` is along the beam to the middles of the panels, ``shift_y`` and ``shift_z`` how
    far their mean lies from the beam, tilts one rotation vector from the nearest upright way a
    panel can stand, on average over the panels.
    """
    middle = np.mean([panel.origin for panel in instrument.panels], axis=0)
    away = middle - beam_on_panels(instrument)
    turns = []
    for panel in instrument.panels:
        upright = np.zeros((3, 3))
        for row in np.argsort(-np.abs(panel.rotation).max(axis=1)):
            free = ~upright.any(axis=0)
            column = int(np.argmax(np.abs(panel.rotation[row]) * free))
            upright[row, column] = np.sign(panel.rotation[row, column])
        turns.append(
            rotation_vector_from_quaternion(quaternion_from_matrix(panel.rotation @ upright.T))
        )
    tilt = np.mean(turns, axis=0)
    return {
        "distance": float(np.linalg.norm(beam_on_panels(instrument))),
        "shift_y": float(away[1]),
        "shift_z": float(away[2]),
        **dict(zip(TILTS, tilt.tolist(), strict=True)),
        "wedge": instrument.goniometer.wedge,
        "chi": instrument.goniometer.chi,
        "wavelength": instrument.beam.wavelength,
    }


def station_calibration(
    before: Instrument,
    calibration: Calibration | None,
    *,
    source: str,
    state: str = "",
    grains: int = 0,
    omega_factor: float = 1.0,
    omega_factor_se: float = 0.0,
    floor_place: float = 0.0,
    floor_omega: float = 0.0,
    wavelength_sigma: float = 0.0,
    tied: bool = False,
) -> StationCalibration:
    """The record of a calibration that started from ``before``; None: nothing was calibrated."""
    after = before if calibration is None else calibration.instrument
    old, new = station_parameters(before), station_parameters(after)
    fitted = () if calibration is None else calibration.name
    error = [
        np.nan if calibration is None or name not in fitted else calibration.sigma(name)
        for name in PARAMETERS
    ]
    return StationCalibration(
        instrument=after,
        name=PARAMETERS,
        unit=tuple(_UNIT[name] for name in PARAMETERS),
        before=np.array([old[name] for name in PARAMETERS]),
        after=np.array([new[name] for name in PARAMETERS]),
        error=np.array(error),
        source=source,
        state=state,
        grains=grains,
        used=0 if calibration is None else calibration.used,
        scatter=np.nan if calibration is None else calibration.scatter,
        omega_factor=omega_factor,
        omega_factor_se=omega_factor_se,
        floor_place=floor_place,
        floor_omega=floor_omega,
        scale=Scale(np.eye(3), np.full(3, np.inf)) if calibration is None else calibration.scale,
        distance_sigma=0.0 if "distance" not in fitted else error[PARAMETERS.index("distance")],
        wavelength_sigma=wavelength_sigma,
        tied=tied,
    )


def station_modes(station: StationCalibration, lattice: FloatArray) -> tuple[CommonMode, ...]:
    """Common modes of lattices (n, 6) for what the calibration leaves of distance and energy."""
    sigma = {
        name: value
        for name, value in (
            ("distance", station.distance_sigma),
            ("wavelength", station.wavelength_sigma),
        )
        if np.isfinite(value) and value > 0.0
    }
    return scale_modes(station.instrument, lattice, sigma=sigma)


def scale_words(station: StationCalibration) -> str:
    """What of lattice parameter, distance and energy cannot be told apart, in one sentence."""
    unit = relative_units(station.instrument)
    distance = unit["distance"]
    energy = station.instrument.beam.energy
    known = (
        "distance, energy and lattice parameter are known only together (distance times wavelength "
        "over lattice parameter)"
    )
    if station.tied:
        own = station.distance_sigma / distance
        return (
            f"{known}: the distance of {distance / 1000.0:.3f} mm takes the energy of "
            f"{energy:.3f} keV for true and the mean lattice of these grains for the reference's "
            f"(to {own:.1e}); what either is off moves it alike, and the mean strain of this "
            "state is zero by construction"
        )
    parts = []
    if station.distance_sigma > 0.0:
        parts.append(f"{station.distance_sigma / distance:.1e} from the distance")
    if station.wavelength_sigma > 0.0:
        parts.append(f"{station.wavelength_sigma / unit['wavelength']:.1e} from the energy")
    left = " and ".join(parts) if parts else "an unknown part from both"
    return f"{known}: all lattices together are uncertain by {left}"
