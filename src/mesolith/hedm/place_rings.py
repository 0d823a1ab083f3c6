"""A detector moved so that points fall onto rings: the first guess of a calibration."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.hedm.plausibility import fit_rings
from mesolith.instrument.calibrate_rings import RingPoints
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import beam_on_panels, moved

_CLEAR = 2.0  # share on rings over that of chance


def placed_on_rings(instrument: Instrument, points: RingPoints, spacings: FloatArray) -> Instrument:
    """The instrument with centre and distance where most points (n,) lie on rings of d (rings,).

    Raises ``InvalidValueError`` where no place within 4 mm and no distance within 6 % does.
    """
    rings = fit_rings(instrument, points, spacings)
    if rings.share < _CLEAR * rings.chance:
        raise InvalidValueError(
            f"no centre within 4 mm and no distance within 6 % puts the bright pixels onto rings "
            f"({rings.share:.0%} of them lie on rings at best, {rings.chance:.0%} by chance)",
            remedy="Check calibrant, energy, distance and the beam's centre in the detector file.",
        )
    distance = float(np.linalg.norm(beam_on_panels(instrument)))
    return moved(
        instrument,
        {
            "shift_y": rings.shift_y,
            "shift_z": rings.shift_z,
            "distance": distance * (1.0 / rings.factor - 1.0),
        },
    )
