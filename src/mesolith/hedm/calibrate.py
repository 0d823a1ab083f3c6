"""The whole calibration of a station from the spots of one scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError
from mesolith.hedm.calibrate_grains import (
    FROM_GRAINS,
    GrainCalibration,
    GrainSpots,
    best_matches,
    calibrate_from_grains,
)
from mesolith.hedm.calibrate_pairs import PairWindows, calibrate_from_pairs
from mesolith.hedm.plausibility import fit_rings, rotation_sense
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import beam_on_panels, moved
from mesolith.records.spots import Spots

_RINGS_CLEAR = 1.5  # share on rings over that of chance

FindGrains = Callable[[Instrument], GrainSpots]


def calibrate_station(
    instrument: Instrument,
    spots: Spots,
    spacings: FloatArray,
    find_grains: FindGrains,
    *,
    names: Sequence[str] = FROM_GRAINS,
    prior: Mapping[str, float] | None = None,
    radius: float = 900.0,
    rounds: int = 2,
    most_grains: int = 300,
) -> GrainCalibration:
    """From a rough instrument to one calibrated on its own grains.

    Centre and distance are set so that spots lie on rings, the sense of rotation is checked,
    roll, wedge, centre and tilts are taken from loose Friedel pairs, and then, ``rounds`` times,
    grains are found with the instrument at hand and the instrument is fitted to the best of
    them.

    Parameters
    ----------
    spacings
        d of all rings on the detector, angstrom, shape (rings,).
    find_grains
        Indexes the spots with an instrument and says whose spot is whose.
    names, prior
        As in `calibrate_from_grains`.
    radius
        No grain is farther from the rotation axis, um.

    Returns
    -------
    found
        ``calibration.change`` counts from the instrument that the last round began with.

    Raises
    ------
    ContradictionError
        The spots turn against omega.
    InvalidValueError
        Too few pairs, or too few spots of the grains.
    """
    rings = fit_rings(instrument, spots, spacings)
    if rings.share > _RINGS_CLEAR * rings.chance:
        distance = float(np.linalg.norm(beam_on_panels(instrument)))
        instrument = moved(
            instrument,
            {
                "shift_y": rings.shift_y,
                "shift_z": rings.shift_z,
                "distance": distance * (1.0 / rings.factor - 1.0),
            },
        )
    sense = rotation_sense(instrument, spots, spacings, radius=radius)
    if sense.sign < 0:
        raise ContradictionError(
            f"the sample turned against omega: {sense.backward} of {sense.asked} spots have their "
            f"second crossing where a reversed omega puts it, {sense.forward} where this one does",
            remedy="Reverse the sign of omega, or the frames are mirrored: check the detector "
            "file. A mirrored detector and a reversed omega together look right.",
        )
    windows = PairWindows(width=radius)
    current = calibrate_from_pairs(instrument, spots, spacings, windows=windows).instrument
    for _ in range(max(rounds, 1)):
        matches = best_matches(find_grains(current), most=most_grains)
        found = calibrate_from_grains(current, spots, matches, names=names, prior=prior)
        current = found.calibration.instrument
    return found
