"""A virtual station as the instrument that the analysis knows."""

from __future__ import annotations

import numpy as np

from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.distortion import Distortion
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.virtual.hedm.station import Station


def instrument_of(station: Station, *, height: float | None = None) -> Instrument:
    """The instrument whose parameters are those of a virtual station; ``height`` of the beam."""
    distortion = None
    if any(station.distortion[:3]):
        p = np.array(station.distortion)
        distortion = Distortion(
            centre=np.zeros(2),
            radius=station.distortion_radius,
            amplitude=p[:3],
            exponent=p[3:],
            harmonic=np.array([2.0, 4.0, 0.0]),
            phase=np.zeros(3),
        )
    panel = Panel(
        "panel",
        np.array(station.shape),
        np.full(2, station.pitch),
        station.panel_origin,
        station.panel_axes,
        distortion,
    )
    beam = beam_from_energy(station.energy_kev, height=height)
    return Instrument(beam, Goniometer(station.wedge, station.chi), (panel,))
