"""What the intervals of the statistics hold, for intervals.py, which asks seed by seed.

An outcome is (value, lower and upper end of the 68 % interval, truth). What the interval of each
statistic claims to hold:

- spread, highest and lowest grain, the 0.5 and 99.5 % points, the mean and the root mean square
  of the von Mises stress: the same of the true stress of the grains that were asked about. These
  are the grains with a partner in the state before; the others may be false and count for
  nothing, and a false grain with a partner is the analysis's own error.
- change of hot spots: what happens to spots so chosen in a pellet of its kind, as the scatter
  between spots tells. That is the mean change of the true stress in the neighbourhoods of the
  chosen grains, by their share in the choice, less its mean over all grains; expected over
  pellets of the same noise and random change, since spots change unlike from one to the next.
  They are chosen by noisy stress, so they are not the truly hottest, and
  the interval does not speak of those. A stress of the state that chooses, gone in the next, is a
  true change.
- separation by direction: what was planted in the levels of the grains that were chosen, step
  under direction 1 less that under -1: its scatter is that between steps of the same spots.
- relaxation: what the mechanism does to a pellet of its kind, as the scatter between places
  tells: nothing where nothing was planted; else the mean over the cells of the draw.

Thirds of size, confidence (completeness) and place along the stack are each asked as if there
were no other grains. Grains drawn as lists are measured worse the smaller they are, so that their
thirds of confidence are those of size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _drawn_cells import (
    DrawnGrains,
    drawn_grains,
    planted_direction,
    planted_relaxation,
    uneven_change,
)

from mesolith.axes import FloatArray
from mesolith.link.extremes import extreme_grains
from mesolith.link.hotspots import choose_spots, neighbourhoods, spot_changes
from mesolith.link.mean_von_mises import mean_net_of_noise
from mesolith.link.means import thirds_of_size
from mesolith.link.pathways import stress_pathways
from mesolith.link.transitions import direction_separation
from mesolith.numerics.exchange import difference_weight
from mesolith.records.followed import FollowedGrains
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking
from mesolith.virtual.grain_lists import MeasuredGrains

TAIL_FREEDOM = 3.0
STILL = {"noise alone": 1.0, "half the noise": 0.5}
BY = ("size", "confidence", "place")
GROUPS = ("all", *(f"{by} {third}" for by in BY for third in (1, 2, 3)))
STRESS = (
    "spread",
    "highest grain",
    "lowest grain",
    "0.5 % point",
    "99.5 % point",
    "mean von Mises",
    "RMS von Mises",
)
SPACE = ("hot-spot change", "relaxation, none planted")
WHOLE = ("relaxation, planted", "separation, as measured", "separation, mean removed")
ECHEM = ("R0", "R1", "CPE1_Q", "CPE1_n", "R2", "CPE2_Q", "CPE2_n", "critical current")
STRESS_ROWS = tuple(f"{name}; {group}" for name in STRESS for group in GROUPS)
SPACE_GROUPS = tuple(group for group in GROUPS if "confidence" not in group)
SPACE_ROWS = (*(f"{name}; {group}" for name in SPACE for group in SPACE_GROUPS), *WHOLE)
# rows whose only error is noise
HALVED = (
    *(f"{name}; all" for name in STRESS),
    "hot-spot change; all",
    "separation, mean removed",
)
EXPECTED = ("hot-spot change",)
CENTRED = ("relaxation, planted",)
_ONE = 0.994457883209753  # half of a 68 % interval in standard errors
_GRAINS = 1_500


def stress_outcomes(
    measured: MeasuredGrains,
    final: GrainMap,
    trackings: list[Tracking],
    *,
    freedom: float,
    seed: int,
) -> FloatArray:
    """Outcomes of `STRESS_ROWS`, shape (rows, 4), for the last state of a cell."""
    sure = np.zeros(len(final))
    last = trackings[-1]
    sure[last.after] = last.probability
    row = measured.truth_row
    truth, asked = measured.truth, (row >= 0) & (sure > 0.5)
    hydrostatic, error = (
        np.asarray(final.stress_hydrostatic),
        np.asarray(final.stress_hydrostatic_se),
    )
    chosen = [np.ones(len(final), dtype=bool)]
    for values in (final.radius, final.completeness, final.position[:, 2]):
        chosen += list(thirds_of_size(values))
    outcomes = np.empty((len(STRESS), len(GROUPS), 4))
    for g, own in enumerate(chosen):
        stress, sigma, real = hydrostatic[own], error[own], sure[own]
        true = truth.stress_hydrostatic[row[own & asked]]
        shear = truth.stress_von_mises[row[own & asked]]
        e = extreme_grains(stress, sigma, real=real, seed=seed)
        low, high = np.quantile(true, [e.fraction, 1.0 - e.fraction])
        mean = mean_net_of_noise(
            np.asarray(final.stress_von_mises)[own],
            np.asarray(final.stress_covariance)[own],
            weight=real,
            freedom=freedom,
            seed=seed,
        )
        outcomes[:, g] = [
            (e.spread, e.spread_low, e.spread_high, true.std()),
            (e.highest, e.highest_low, e.highest_high, true.max()),
            (e.lowest, e.lowest_low, e.lowest_high, true.min()),
            (e.low_point, e.low_point_low, e.low_point_high, low),
            (e.high_point, e.high_point_low, e.high_point_high, high),
            (mean.mean, mean.low, mean.high, shear.mean()),
            (mean.rms, mean.rms_low, mean.rms_high, np.sqrt(np.mean(shear**2))),
        ]
    return outcomes.reshape(-1, 4)


def circumstances(job: tuple[int, str]) -> FloatArray:
    """Logarithms of noise and of true change of the cells of `space_outcomes`, shape (2,)."""
    seed, draw = job
    rng = np.random.default_rng([seed, 0x57A7, 1])
    return rng.uniform(-0.9, 0.9, 2) if draw == "wide" else np.zeros(2)


def space_outcomes(job: tuple[int, str]) -> FloatArray:
    """Outcomes of `SPACE_ROWS`, shape (rows, 4), for cells drawn as lists of grains."""
    seed, draw = job
    rng = np.random.default_rng([seed, 0x57A7])
    how: dict[str, Any] = {"drift": 1.0}
    if draw == "wide":
        how["noise"], how["flicker"] = np.exp(circumstances(job)).tolist()
    elif draw == "heavy-tailed":
        how["tail_freedom"] = TAIL_FREEDOM
    elif draw in STILL:
        # nothing but noise: grains change in no state, and nothing is planted in spots
        how.update(flicker=0.0, drift=0.0, noise=STILL[draw])
    still = draw in STILL
    changed = drawn_grains(rng, _GRAINS, plant=None if still else uneven_change(rng), **how)
    plain = drawn_grains(rng, _GRAINS, **how)
    outcomes: list[tuple[float, ...]] = []
    for name, cell in (("change", changed), ("relaxation", plain)):
        for own in _thirds(cell.followed):
            part = _part(cell, own)
            if name == "change":
                outcomes.append(_change(part, seed))
            else:
                paths = stress_pathways(part.followed, permutations=499, seed=seed)
                outcomes.append(_symmetric(paths.group_excess[0], paths.group_se[0]))
    relaxed = drawn_grains(rng, _GRAINS, plant=planted_relaxation, **how)
    paths = stress_pathways(relaxed.followed, permutations=499, seed=seed)
    outcomes.append(_symmetric(paths.group_excess[0], paths.group_se[0]))
    outcomes += _separation(
        drawn_grains(rng, _GRAINS, states=9, plant=None if still else planted_direction, **how),
        seed,
    )
    return np.array(outcomes)


def echem_outcomes(job: tuple[int, str]) -> FloatArray:
    """Outcomes of `ECHEM`, shape (rows, 4), from the draws of the electrochemistry."""
    from interval_echem import circuit_outcomes, critical_current_outcomes

    seed, draw = job
    named = {"heavy-tailed": "misspecified"}.get(draw, draw)
    found = np.concatenate([circuit_outcomes(seed, named), critical_current_outcomes(seed, named)])
    # relative errors, whose truth is none
    return np.concatenate([found[:, :3], np.zeros((len(found), 1))], axis=1)


def judged_rows(
    rows: tuple[str, ...], outcomes: FloatArray, around: FloatArray | None = None
) -> dict[str, dict[str, float]]:
    """Coverage, RMS error and median stated sigma of each row; ``outcomes`` (seeds, rows, 4).

    ``around`` (seeds, 2) are the `circumstances` behind the expected truth of `EXPECTED`.
    """
    found = {}
    for k, row in enumerate(rows):
        value, low, high, true = outcomes[:, k].T
        if around is not None and row.split(";")[0] in EXPECTED:
            true = _expected(true, around)
        if row in CENTRED:
            true = true + np.mean(value - true)
        error, sigma = value - true, 0.5 * (high - low) / _ONE
        known = np.isfinite(error)
        rms = float(np.sqrt(np.mean(error[known] ** 2)))
        found[row] = {
            "inside_68": 100.0 * float(np.mean((low <= true) & (true <= high))),
            "rms_error": rms,
            "median_sigma": float(np.median(sigma[known])),
            "sigma_over_error": float(np.median(sigma[known])) / rms,
            "without": float(np.sum(~known)),
        }
    return found


def _expected(true: FloatArray, around: FloatArray) -> FloatArray:
    """The part of the truth that follows from the circumstances: a surface of second order."""
    x, y = around.T
    terms = np.stack([np.ones_like(x), x, y, x**2, x * y, y**2], axis=1)
    return np.asarray(terms @ np.linalg.lstsq(terms, true)[0])


def _symmetric(value: float, sigma: float, true: float = 0.0) -> tuple[float, ...]:
    return value, value - _ONE * sigma, value + _ONE * sigma, true


def _thirds(followed: FollowedGrains) -> list[np.ndarray]:
    chosen = [np.ones(len(followed), dtype=bool)]
    for values in (followed.radius, followed.position[:, 2]):
        chosen += list(thirds_of_size(values))
    return chosen


def _part(cell: DrawnGrains, own: np.ndarray) -> DrawnGrains:
    whole = cell.followed
    names = ("grain", "row", "probability", "position", "radius")
    stresses = ("hydrostatic", "hydrostatic_se", "von_mises", "von_mises_se")
    followed = FollowedGrains(
        state=whole.state,
        direction=whole.direction,
        hydrostatic_common_se=whole.hydrostatic_common_se,
        von_mises_common_se=whole.von_mises_common_se,
        **{name: getattr(whole, name)[own] for name in (*names, *stresses)},
    )
    return DrawnGrains(followed, cell.truth[own], cell.planted[own])


def _change(cell: DrawnGrains, seed: int) -> tuple[float, ...]:
    followed = cell.followed
    found = spot_changes(followed, kinds=("hot",), steps=((0, 1),), seed=seed)
    choice = choose_spots(followed, 0, around=neighbourhoods(followed, "radius"), seed=seed)
    moved = cell.truth[:, 1] - cell.truth[:, 0]
    true = float(choice.weight @ moved - moved.mean())
    return found.change[0], found.low[0], found.high[0], true


def _separation(cell: DrawnGrains, seed: int) -> list[tuple[float, ...]]:
    followed = cell.followed
    found = direction_separation(followed, seed=seed)
    around = neighbourhoods(followed, "radius")
    choices = [choose_spots(followed, 0, kind=k, around=around, seed=seed) for k in ("hot", "cold")]
    level = 0.5 * (choices[0].weight + choices[1].weight) @ cell.planted
    weight = difference_weight(followed.direction)
    outcomes = []
    for how, away in (("as measured", 0.0), ("mean removed", cell.planted.mean(axis=0))):
        k = found.question.index(f"hot and cold, hydrostatic, {how}")
        true = float((level - away) @ weight)
        outcomes.append((found.effect[k], found.low[k], found.high[k], true))
    return outcomes
