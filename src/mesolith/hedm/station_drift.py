"""Whether the station of a state still is the one that was calibrated, told by its own grains.

A state's grains are fitted once more with the station free. What they say of centre, tilts and
axis hangs on no lattice; of the distance they only say what it would be if their mean lattice were
the reference's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.hedm.calibrate_grains import FROM_GRAINS, best_matches, calibrate_from_grains
from mesolith.hedm.calibrate_spots import dilation_spread, grain_spots
from mesolith.hedm.indexed import IndexedLayer
from mesolith.instrument.station import StationCalibration
from mesolith.records.spots import Spots

_ANGLES = tuple(name for name in FROM_GRAINS if name != "distance")
_SURE = 5.0  # standard errors of the difference
_FELT_PX, _FELT_STRAIN = 0.05, 1e-5  # by which spots or strains must move to be worth a word


@dataclass(frozen=True, slots=True)
class StationDrift:
    """How a state's own grains would change each parameter, um or rad, with standard errors.

    ``error`` holds that of the calibrated station, too; ``least`` is the smallest change that is
    worth a word: spots at the rim move by 0.05 px, or all strains by 1e-5.
    """

    name: tuple[str, ...]
    change: FloatArray
    error: FloatArray
    least: FloatArray

    @property
    def moved(self) -> tuple[int, ...]:
        """Rows of what surely changed by what is worth a word."""
        size = np.abs(self.change)
        return tuple(
            int(row) for row in np.flatnonzero((size > _SURE * self.error) & (size > self.least))
        )


def station_drift(
    station: StationCalibration, spots: Spots, layer: IndexedLayer
) -> StationDrift | None:
    """The change between a calibration and a layer of a later state, None with too few grains.

    ``spots`` are those of the layer as the calibration corrects them. The station must have been
    calibrated on grains.
    """
    everything = grain_spots(layer)
    matches = best_matches(everything)
    if not len(matches.lattice_vectors):
        return None
    found = calibrate_from_grains(
        station.instrument, spots, matches, names=_ANGLES, dilation=dilation_spread(matches)
    ).calibration
    own = dict(zip(station.name, station.error.tolist(), strict=True))
    before = np.array([own.get(name, np.nan) for name in (*_ANGLES, "distance")])
    change = [found.change[found.name.index(name)] for name in _ANGLES]
    error = [found.sigma(name) for name in _ANGLES]
    # the mean of all grains, as the omegas of so few say next to nothing of the distance
    size = np.abs(np.linalg.det(everything.lattice_vectors)) / everything.reference_volume
    distance = float(np.linalg.norm(station.instrument.panels[0].origin))
    change.append(-distance * float(np.mean(np.cbrt(size) - 1.0)))
    error.append(distance * dilation_spread(everything) / math.sqrt(len(size)))
    return StationDrift(
        (*_ANGLES, "distance"),
        np.array(change),
        np.hypot(error, np.where(np.isfinite(before), before, 0.0)),
        _least(station),
    )


def drift_sentences(drift: StationDrift, station: StationCalibration) -> list[str]:
    """What must be said of a station that moved; nothing where it did not."""
    place = [row for row in drift.moved if drift.name[row] != "distance"]
    sentences = []
    if place:
        words = ", ".join(_in_words(drift, row) for row in place)
        sentences.append(
            f"detector or axis moved since {station.state}, on which the station was calibrated: "
            f"{words}. Positions and strains of this state are off with it: calibrate it by "
            "itself, as a cell of its own"
        )
    far = drift.name.index("distance")
    if station.tied and far in drift.moved:
        ppm = -1e6 * drift.change[far] / station.instrument.panels[0].origin[0]
        sentences.append(
            f"the mean lattice is {ppm:+.0f} +- "
            f"{abs(ppm * drift.error[far] / drift.change[far]):.0f} ppm off that of "
            f"{station.state}: a strain of all grains, which equilibrium forbids unless the load "
            f"changed, or a detector that moved by {_in_words(drift, far).partition(' ')[2]}, or "
            "another energy or temperature"
        )
    return sentences


def _in_words(drift: StationDrift, row: int) -> str:
    name, change, error = drift.name[row], float(drift.change[row]), float(drift.error[row])
    if name in ("distance", "shift_y"):
        return f"{name} {change:+.0f} +- {error:.0f} um"
    return f"{name} {math.degrees(change):+.4f} +- {math.degrees(error):.4f} deg"


def _least(station: StationCalibration) -> FloatArray:
    """Smallest change of each parameter that is worth a word (6,), um or rad."""
    panel = station.instrument.panels[0]
    felt = _FELT_PX * float(panel.pitch.mean())
    rim = 0.5 * float(np.max(panel.shape * panel.pitch))
    distance = float(np.linalg.norm(panel.origin))
    # a panel tilted about an axis in its plane stretches by its angle times that of the ray
    tilted = felt * distance / rim**2
    least = {
        "tilt_x": felt / rim,
        "wedge": felt / rim,
        "shift_y": felt,
        "tilt_y": tilted,
        "tilt_z": tilted,
        "distance": _FELT_STRAIN * distance,
    }
    return np.array([least[name] for name in (*_ANGLES, "distance")])
