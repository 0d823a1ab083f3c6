"""Mean von Mises stress of a state, without what noise adds to every grain's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.link.stress_errors import von_mises_spread_and_bias
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference

# how well the noise is known that is taken out: standard errors to 5 %, so variances to 10 %
_NOISE_KNOWN = 0.1
FIELD = "stress_von_mises"


@dataclass(frozen=True, slots=True)
class MeanVonMises:
    """Mean von Mises stress of some grains by volume (MPa), its standard error and its parts.

    ``measured`` is the mean as measured, ``bias`` what of it is noise: a von Mises stress is a
    length, and noise lengthens it in every grain. ``net`` is the stress of each grain without
    its bias. ``noise`` and ``volume`` are standard errors from the grains' own noise and the
    errors of their volumes, ``common`` that from what all share: the strain-free reference, and
    the noise itself, which is known to a tenth of its variance.
    """

    mean: float
    measured: float
    bias: float
    noise: float
    volume: float
    common: float
    grains: int
    net: FloatArray
    along: FloatArray

    @property
    def se(self) -> float:
        """Standard error of the mean, all parts."""
        return float(np.sqrt(self.noise**2 + self.volume**2 + self.common**2))


def mean_von_mises(
    grain_map: GrainMap,
    *,
    state: str,
    reference: Reference | None = None,
    select: NDArray[np.bool_] | None = None,
) -> MeanVonMises:
    """Mean von Mises stress of these grains with its error.

    The mean is a statement about the grains that were found and selected, at their true stress
    and volume.

    Parameters
    ----------
    grain_map
        Final map of the state, with stress.
    state
        Name of the state, for the error.
    reference
        Reference of the cell, which knows the error of a volume; None: volumes without error.
    select
        Which grains, shape (n,); None: all with a known stress.

    Returns
    -------
    found
        ``net`` and ``along`` (the standard error of each) have one row a selected grain.

    Raises
    ------
    InvalidValueError
        No stress in the map, or no grain selected.
    """
    stress, covariance = grain_map.stress, grain_map.stress_covariance
    equivalent = grain_map.stress_von_mises
    if stress is None or equivalent is None:
        raise InvalidValueError(
            "the grain map has no stress", where=state, remedy="Take the final map, not the raw."
        )
    chosen = np.isfinite(equivalent)
    if select is not None:
        chosen &= select
    if not chosen.any():
        raise InvalidValueError("no grain is selected, so there is no mean", where=state)
    measured = equivalent[chosen]
    if covariance is None:
        along, bias = np.zeros(len(measured)), np.zeros(len(measured))
    else:
        along, bias = von_mises_spread_and_bias(stress[chosen], covariance[chosen])
    weight = grain_map.radius[chosen] ** 3
    weight = weight / weight.sum()
    net = measured - bias
    mean = float(weight @ net)
    # taking out the bias stretches what is left of the noise where there is little stress
    stretch = np.minimum(measured / np.maximum(net, 0.5 * measured + 1e-12), 2.0)
    size = 0.0 if reference is None else 3.0 * reference.radius_scatter
    pulls = [
        mode.sigma * float(weight @ np.broadcast_to(mode.derivatives[FIELD], chosen.shape)[chosen])
        for mode in grain_map.common_modes
        if FIELD in mode.derivatives
    ]
    lengthened = float(weight @ bias)
    return MeanVonMises(
        mean=mean,
        measured=float(weight @ measured),
        bias=lengthened,
        noise=float(np.sqrt(np.sum((weight * stretch) ** 2 * along))),
        volume=size * float(np.sqrt(np.sum((weight * (net - mean)) ** 2))),
        common=float(np.sqrt(np.sum(np.square(pulls)) + (_NOISE_KNOWN * lengthened) ** 2)),
        grains=int(chosen.sum()),
        net=net,
        along=np.sqrt(along),
    )
