"""The whole calibration of a station from the spots of one scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.hedm.calibrate_grains import (
    FROM_GRAINS,
    GrainCalibration,
    GrainSpots,
    best_matches,
    calibrate_from_grains,
)
from mesolith.hedm.calibrate_pairs import FROM_PAIRS, PairWindows, calibrate_from_pairs
from mesolith.hedm.plausibility import RingFit, RotationSense, fit_rings, rotation_sense
from mesolith.instrument.calibration import Calibration
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import beam_on_panels, moved
from mesolith.records.spots import Spots

_RINGS_CLEAR = 1.5  # share on rings over that of chance
_RINGS_BETTER = 1.1  # over that without a move

FindGrains = Callable[[Instrument], GrainSpots]


@dataclass(frozen=True, slots=True)
class RoughStation:
    """A station before any grain is known.

    ``rings`` is how the rings had to be moved and ``moved_to_rings`` whether they were; ``pairs``
    is None where there were too few Friedel pairs, and ``no_pairs`` says why.
    """

    instrument: Instrument
    rings: RingFit
    moved_to_rings: bool
    sense: RotationSense
    pairs: Calibration | None
    no_pairs: str = ""


def rough_station(
    instrument: Instrument,
    spots: Spots,
    spacings: FloatArray,
    *,
    names: Sequence[str] = FROM_GRAINS,
    radius: float = 900.0,
    misfit: float = 0.06,
) -> RoughStation:
    """Centre and distance from rings, sense of rotation, then tilts and wedge from loose pairs.

    Parameters
    ----------
    spacings
        d of all rings on the detector, angstrom, shape (rings,).
    names
        Parameters that may move; ``shift_z`` goes with ``shift_y``.
    radius
        No grain is farther from the rotation axis, um.
    misfit
        Relative difference of all rings from their d beyond which the lattice, the distance or
        the energy is taken for wrong.

    Raises
    ------
    ContradictionError
        The spots turn against omega, or the rings are of another size.
    """
    rings = fit_rings(instrument, spots, spacings)
    distance = float(np.linalg.norm(beam_on_panels(instrument)))
    clear = rings.share > _RINGS_CLEAR * rings.chance
    better = clear and rings.share > _RINGS_BETTER * rings.unmoved
    free = {*names, *(("shift_z",) if "shift_y" in names else ())}
    if better and abs(rings.factor - 1.0) > misfit:
        raise ContradictionError(
            f"the rings disagree: spots fit them when all d are {rings.factor - 1.0:+.2%} off",
            remedy=f"The lattice parameter is {rings.factor:.4f} of the material's, or the "
            f"detector stands at {distance / rings.factor / 1000.0:.2f} mm instead of "
            f"{distance / 1000.0:.2f} mm, or the energy is {rings.factor:.4f} of that in the "
            "detector file. Correct the one that is wrong.",
        )
    if better:
        changes = {
            "shift_y": rings.shift_y,
            "shift_z": rings.shift_z,
            "distance": distance * (1.0 / rings.factor - 1.0),
        }
        changes = {name: value for name, value in changes.items() if name in free}
        instrument = moved(instrument, changes)
    sense = rotation_sense(instrument, spots, spacings, radius=radius)
    if sense.sign < 0:
        raise ContradictionError(
            f"the sample turned against omega: {sense.backward} of {sense.asked} spots have their "
            f"second crossing where a reversed omega puts it, {sense.forward} where this one does",
            remedy="Reverse the sign of omega, or the frames are mirrored: check the detector "
            "file. A mirrored detector and a reversed omega together look right.",
        )
    fitted = tuple(name for name in FROM_PAIRS if name in free)
    if not fitted:
        return RoughStation(instrument, rings, better, sense, None, "nothing is to be fitted")
    try:
        pairs = calibrate_from_pairs(
            instrument, spots, spacings, names=fitted, windows=PairWindows(width=radius)
        )
    except InvalidValueError as few:
        return RoughStation(instrument, rings, better, sense, None, few.what)
    return RoughStation(pairs.instrument, rings, better, sense, pairs)


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
    them. `calibrate_spots` does so with the house's own indexing.

    Parameters
    ----------
    spacings
        d of all rings on the detector, angstrom, shape (rings,).
    find_grains
        Indexes the spots with an instrument and says whose spot is whose.
    names, prior
        As in `calibrate_from_grains`; a prior of the distance is about where it stands.
    radius
        No grain is farther from the rotation axis, um.

    Returns
    -------
    found
        ``calibration.change`` counts from the rough station, before any grain was known.

    Raises
    ------
    ContradictionError
        The spots turn against omega.
    InvalidValueError
        Too few pairs, or too few spots of the grains.
    """
    rough = rough_station(
        instrument,
        spots,
        spacings,
        names=[name for name in names if name not in (prior or {})],
        radius=radius,
    )
    if rough.pairs is None:
        raise InvalidValueError(
            rough.no_pairs, remedy="Check the rings' d, and that omega spans more than half a turn."
        )
    current = rough.instrument
    for _ in range(max(rounds, 1)):
        matches = best_matches(find_grains(current), most=most_grains)
        # always from the rough station, so that a prior counts once
        found = calibrate_from_grains(rough.instrument, spots, matches, names=names, prior=prior)
        current = found.calibration.instrument
    return found
