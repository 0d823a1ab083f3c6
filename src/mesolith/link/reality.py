"""How likely each grain of a map is a real one, from whether its neighbours in time hold it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.tracking import Tracking


def probability_real(
    grains: Sequence[int], trackings: Sequence[Tracking], lost_share: FloatArray
) -> list[FloatArray]:
    """Probability of each grain of each state to be no false one.

    A grain with a partner in the state before or after is real with the probability of that
    pair. Among those without, real ones are expected as often as real grains are lost in all
    neighbouring states; the rest are taken for false.

    Parameters
    ----------
    grains
        Number of grains in each state's map.
    trackings
        Pairs between each state and the next, one fewer than states; none: all grains are taken
        for real.
    lost_share
        Share of the real grains that each state's map lacks, shape (states,).

    Returns
    -------
    real
        One array (n,) a state, 0 to 1.
    """
    if len(trackings) != len(grains) - 1 or not trackings:
        return [np.ones(count) for count in grains]
    found = []
    for k, count in enumerate(grains):
        alone = np.ones(count)
        missing = 1.0
        if k > 0:
            before = trackings[k - 1]
            alone[before.after] *= 1.0 - before.probability
            missing *= float(lost_share[k - 1])
        if k < len(trackings):
            after = trackings[k]
            alone[after.before] *= 1.0 - after.probability
            missing *= float(lost_share[k + 1])
        single = float(alone.sum())
        tracked = count - single
        # tracked grains are the share 1 - missing of the real ones
        real_alone = tracked * missing / (1.0 - missing) if missing < 1.0 else single
        share = min(1.0, real_alone / single) if single > 0.0 else 1.0
        found.append(1.0 - alone * (1.0 - share))
    return found
