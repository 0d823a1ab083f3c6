"""Which rings faint grains still show.

A grain at the limit of detection shows most of {400} and little of {211}. Looked for on all rings
it drowns among its own missing reflections; on the rings that it shows it stands out, and the
search has fewer pairs to try.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.match import Matches
from mesolith.hedm.phase_rings import ReflectionTable

_FAINT, _FEWEST = 0.1, 10  # share of the grains that show it, and how many at least
_BRIGHT = 0.5  # of what is seen of the best ring
_REFLECTIONS = 40  # fewer, mates included, do not tell a grain


def bright_rings(
    matches: Matches,
    phase: IntArray,
    completeness: FloatArray,
    table: ReflectionTable,
    *,
    sigmas: float,
) -> NDArray[np.bool_]:
    """Rings (rings,) of which the faintest of these grains show at least half of the best.

    ``completeness`` (g,) is the found share of each grain. All rings of a phase of which too few
    grains are known.
    """
    bright = np.ones(table.rings, dtype=np.bool_)
    for number in range(len(table.ring)):
        own = np.flatnonzero(phase == number)
        if len(own) < _FEWEST:
            continue
        some = own[np.argsort(completeness[own], kind="stable")]
        some = some[: max(int(_FAINT * len(own)), _FEWEST)]
        expected = matches.expected[some]
        hit = expected & (matches.spot[some] >= 0) & (matches.square[some] < sigmas**2)
        ring = np.broadcast_to(table.ring[number][None, :, None], expected.shape)
        asked = np.bincount(ring[expected], minlength=table.rings)
        filled = np.bincount(ring[hit], minlength=table.rings)
        seen = filled / np.maximum(asked, 1)
        there = np.any(table.hkl[number] != 0.0, axis=1)
        members = np.bincount(table.ring[number][there], minlength=table.rings)
        rings = np.flatnonzero(members)
        best = rings[np.argsort(-seen[rings], kind="stable")]
        enough = np.cumsum(members[best]) - members[best] < _REFLECTIONS
        bright[best] = (seen[best] >= _BRIGHT * seen[best[0]]) | enough
    return bright
