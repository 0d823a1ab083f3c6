"""How likely random peaks make a grain: a bound, and the evidence of single spots."""

from __future__ import annotations

import math

from mesolith.axes import IntArray

# the eight parameters of a grain can bring four peaks to where they are wanted
FITTED_SPOTS = 4


def log_chance(found: int, predicted: int, share: float) -> float:
    """Chernoff's bound on the logarithm of the chance of ``found`` or more of ``predicted``.

    ``share`` is the chance that a predicted spot has a peak. 0 where as many are expected.
    """
    if predicted == 0 or found <= share * predicted:
        return 0.0
    part = found / predicted
    bound = part * math.log(part / share)
    if part < 1.0:
        bound += (1.0 - part) * math.log((1.0 - part) / (1.0 - share))
    return -predicted * bound


def log_false(hits: IntArray, share: float, tried: int) -> float:
    """Bound on the logarithm of the probability that a solution is false.

    Parameters
    ----------
    hits
        1 where a predicted spot has a peak, 0 where not, the strongest first, shape (n,).
    share
        The chance that a predicted spot has one.
    tried
        How many orientations were looked at.

    Returns
    -------
    bound
        Of the best number of strongest spots to look at, of 12, 25, 50, 100, 200 and all, times
        the choices made; four hits are taken as brought about by the fit. At most 0.
    """
    lengths = sorted({min(count, len(hits)) for count in (12, 25, 50, 100, 200, len(hits))})
    best = min(
        (log_chance(int(hits[:n].sum()) - FITTED_SPOTS, n, share) for n in lengths), default=0.0
    )
    return min(best + math.log(max(tried, 1)) + math.log(max(len(lengths), 1)), 0.0)
