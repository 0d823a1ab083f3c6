"""How much of the sample each grain is, from the intensities of its spots."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.index import Found, LayerIndex
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.scattering import angles_from_laboratory, laboratory_from_spots
from mesolith.records.spots import Spots

_ROUNDS = 4


def volume_shares(
    found: Found, index: LayerIndex, spots: Spots, instrument: Instrument
) -> FloatArray:
    """Share of each grain (g,) in the volume of all, NaN where no spot of its own says.

    The intensity of a spot is the grain's volume times the strength of its ring times the
    Lorentz factor 1 / |sin eta|. Volumes and strengths are medians of one over the other, in
    turn, over spots that one grain has alone; saturated and partial spots are left out. What
    varies along a ring, absorption above all, is taken to average out.
    """
    matches, grains = found.matches, found.grains
    count = len(grains)
    used = (matches.spot >= 0) & (matches.share > 0.99)
    grain, reflection, _ = np.nonzero(used)
    rows = index.lookup.order[matches.spot[used]]
    good = ~(spots.saturated[rows] | spots.partial[rows]) & (spots.intensity[rows] > 0.0)
    grain, reflection, rows = grain[good], reflection[good], rows[good]
    shares = np.full(count, np.nan)
    if not len(rows):
        return shares
    ring = index.table.ring[grains.phase[grain], reflection]
    points = laboratory_from_spots(
        instrument, spots.panel[rows], spots.fast[rows], spots.slow[rows]
    )
    _, eta = angles_from_laboratory(instrument, points)
    level = np.log(spots.intensity[rows] * np.maximum(np.abs(np.sin(eta)), 1e-3))
    strength = np.zeros(index.table.rings)
    size = np.zeros(count)
    for _ in range(_ROUNDS):
        size = _group_medians(level - strength[ring], grain, count)
        strength = np.nan_to_num(_group_medians(level - size[grain], ring, len(strength)))
    volume = np.exp(size - np.nanmax(size))
    return np.asarray(volume / np.nansum(volume))


def _group_medians(values: FloatArray, group: IntArray, count: int) -> FloatArray:
    """Median of the values of each group (count,), NaN for an empty one."""
    order = np.lexsort((values, group))
    size = np.bincount(group, minlength=count)
    end = np.cumsum(size)
    start = end - size
    sorted_values = values[order]
    low = np.minimum(start + np.maximum(size - 1, 0) // 2, len(values) - 1)
    high = np.minimum(start + size // 2, len(values) - 1)
    medians = 0.5 * (sorted_values[low] + sorted_values[high])
    return np.where(size > 0, medians, np.nan)
