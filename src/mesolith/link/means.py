"""Mean stress of a state, or of some of its grains, with the interval it deserves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.link.equilibrium import normalised_weights
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference

Weights = Literal["volume", "number"]


@dataclass(frozen=True, slots=True)
class MeanStress:
    """Mean hydrostatic stress of some grains (MPa), its standard error, and of what it is made.

    ``low`` and ``high`` hold the truth with the level asked for. The parts are standard errors:
    ``noise`` and ``volume`` of these grains and of the reference, as far as they do not cancel;
    ``reference`` what only the reference brings in (grains not found, the target); ``drift`` of
    the state.
    """

    mean: float
    se: float
    low: float
    high: float
    grains: int
    noise: float
    volume: float
    reference: float
    drift: float


def mean_stress(
    grain_map: GrainMap,
    reference: Reference,
    *,
    state: str,
    select: NDArray[np.bool_] | None = None,
    weights: Weights = "volume",
    level: float = 0.68,
) -> MeanStress:
    """Mean hydrostatic stress of these grains with its interval.

    The mean is a statement about the grains that were found and selected, at their true stress
    and volume. Its error holds their own noise and the errors of their volumes; and the error
    of the reference, which was estimated from the same grains: what both share cancels, so the
    mean over all grains of a state is far better known than that of a part of them.

    Parameters
    ----------
    grain_map
        Final map of the state, with stress.
    reference
        Reference of the cell, from the same maps.
    state
        Name of the state.
    select
        Which grains, shape (n,); None: all.
    weights
        "volume": each grain by its volume, as mechanics does. "number": all alike.
    level
        Probability that the interval holds the truth.

    Raises
    ------
    InvalidValueError
        No stress in the map, or no grain selected.
    """
    hydrostatic, error = grain_map.stress_hydrostatic, grain_map.stress_hydrostatic_se
    if hydrostatic is None or error is None:
        raise InvalidValueError(
            "the grain map has no stress", where=state, remedy="Take the final map, not the raw."
        )
    chosen = np.ones(len(grain_map), dtype=bool) if select is None else np.asarray(select)
    if not chosen.any():
        raise InvalidValueError("no grain is selected, so there is no mean", where=state)
    own = np.zeros(len(grain_map))
    size = grain_map.radius[chosen] ** 3 if weights == "volume" else np.ones(int(chosen.sum()))
    own[chosen] = size / size.sum()
    mean = float(own @ hydrostatic)

    body = normalised_weights(grain_map.radius, grain_map.completeness)
    row = reference.row(state)
    share = _share_of_state(reference)
    noise = float(((own - share * body) ** 2) @ error**2)
    # a volume off by its relative error moves the mean by that error times this pull; what
    # noise adds to the square is in the noise part, whose weights are the measured ones
    pull = share * body * (hydrostatic - float(body @ hydrostatic))
    by_volume = own if weights == "volume" else np.zeros_like(own)
    pull = pull - by_volume * (hydrostatic - mean)
    squared = pull**2 - ((share * body - by_volume) * error) ** 2
    volume = max(0.0, float((3.0 * reference.radius_scatter) ** 2 * squared.sum()))
    others = np.ones(len(reference.state), dtype=bool)
    others[row] = False
    far = share**2 if reference.mode == "cell" else 0.0
    noise += far * float(reference.mean_noise_variance[others].sum())
    volume += far * float(reference.mean_volume_variance[others].sum())
    bulk = float(reference.stiffness_bulk[row])
    drift = _drift_variance(reference) * bulk**2
    shared = _shared_variance(reference, row) + (float(reference.radial_se[row]) * bulk) ** 2
    se = float(np.sqrt(noise + volume + shared + drift))
    half = _normal_quantile(level) * se
    return MeanStress(
        mean=mean,
        se=se,
        low=mean - half,
        high=mean + half,
        grains=int(chosen.sum()),
        noise=float(np.sqrt(noise)),
        volume=float(np.sqrt(volume)),
        reference=float(np.sqrt(shared)),
        drift=float(np.sqrt(drift)),
    )


def thirds_of_size(radius: FloatArray) -> tuple[NDArray[np.bool_], ...]:
    """Three selections of nearly equal numbers: the small, the middle and the large grains."""
    rank = np.argsort(np.argsort(radius, kind="stable"), kind="stable")
    third = rank * 3 // max(1, len(radius))
    return tuple(third == k for k in range(3))


def _share_of_state(reference: Reference) -> float:
    """Weight of one state's mean in the reference that it is corrected with."""
    return {"cell": 1.0 / len(reference.state), "state": 1.0, "given": 0.0}[reference.mode]


def _shared_variance(reference: Reference, row: int) -> float:
    """Errors that enter through the reference alone: grains not found, and the target."""
    if reference.mode == "given":
        return 0.0
    if reference.mode == "state":
        return float(reference.mean_sampling_variance[row] + reference.target_variance[row])
    count = len(reference.state)
    sampling = float(reference.mean_sampling_variance.sum()) / count**2
    return sampling + float(np.sqrt(reference.target_variance).mean()) ** 2


def _drift_variance(reference: Reference) -> float:
    """Variance of a state's drift against the mean drift of all, which the reference took up."""
    count = len(reference.state)
    return reference.drift_sigma**2 * (1.0 - 1.0 / count) if reference.mode == "cell" else 0.0


def _normal_quantile(level: float) -> float:
    from statistics import NormalDist

    if not 0.0 < level < 1.0:
        raise InvalidValueError(f"a level of {level} is no probability between 0 and 1")
    return NormalDist().inv_cdf(0.5 * (1.0 + level))
