"""Is stress spread over the pellet in any order? Clusters as the paper draws them, and tests.

k-means (Dixit et al. 2022, Fig. 5a) divides any cloud of grains into three and cannot say "no".
Beside it stand a plane through the stress of all grains and Moran's index of neighbours, each
with a p-value and with the size that would have been seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.link.likeness import mean_test, trend_test
from mesolith.numerics.kmeans import k_means
from mesolith.numerics.likeness import LikenessModel
from mesolith.numerics.spatial import (
    autocorrelation_test,
    block_labels,
    holm_p_values,
    neighbour_graph,
    sign_flip_test,
)
from mesolith.records.followed import FollowedGrains, StressKind
from mesolith.records.space import SpatialPattern, StressClusters

Scaling = Literal["standard", "none"]

ADJACENT = 1.5  # grains no farther apart than this many spacings are neighbours
BLOCK = 3.0  # spacings: edge of a block where neighbours are not seen to be alike
_SHELLS = (0.5, 1.5, 2.5, 3.5, 4.5)  # spacings between which likeness is looked for
_FOCUS = 2_000
_FEWEST_BLOCKS = 8
_SEEN = 1.959963984540054 + 0.8416212335729143  # 5 % two-sided with a power of 80 %


def grain_spacing(radius: FloatArray) -> float:
    """Edge of the cube with the mean volume of a grain, um."""
    return float(np.cbrt(4.0 * np.pi / 3.0 * np.mean(np.asarray(radius) ** 3)))


@dataclass(frozen=True, slots=True)
class Independence:
    """What counts as independent among followed grains, for one kind of stress.

    ``block`` is the block of each grain: blocks count as independent. ``alike`` is None where
    that is all; where stress is alike over so many grains that blocks are few, it judges.
    """

    block: IntArray
    alike: LikenessModel | None

    @property
    def judged_by(self) -> str:
        """ "blocks" or "likeness"."""
        return "blocks" if self.alike is None else "likeness"


def independence_of(
    followed: FollowedGrains,
    kind: StressKind = "hydrostatic",
    places: LikenessModel | None = None,
) -> Independence:
    """Blocks of grains that count as independent, or the likeness that takes their place.

    Blocks are boxes at least three grain spacings wide, or twice as wide as the distance up to
    which the stress of a state, or its change, is seen to be alike beyond a plane through all
    grains. Three spacings: nothing is alike beyond neighbours, and the signs of blocks are exact.
    ``places`` is the model of the same grains made for another kind of stress.
    """
    stress, _, _ = followed.stress(kind)
    place = followed.position - followed.position.mean(axis=0)
    centred = stress - stress.mean(axis=0)
    centred = centred - place @ np.linalg.lstsq(place, centred, rcond=None)[0]
    fields = np.column_stack([centred, np.diff(centred, axis=1)])
    spacing = grain_spacing(followed.radius)
    size = 2.0 * likeness_range(followed.position, fields, spacing)
    if size <= BLOCK * spacing:
        return Independence(block_labels(followed.position, BLOCK * spacing), None)
    model = places or LikenessModel(followed.position, spacing)
    return Independence(block_labels(followed.position, size), model)


def likeness_range(position: FloatArray, fields: FloatArray, spacing: float) -> float:
    """Distance (um) up to which values are alike beyond chance in any field, 0 for nowhere.

    ``fields`` (n, fields) are centred. Looked for in shells of one spacing, from 2,000 grains
    spread over the list; a correlation counts from four standard errors and 0.02 on.
    """
    every = max(1, len(position) // _FOCUS)
    focus = np.arange(0, len(position), every)
    tree, all_of = cKDTree(position[focus]), cKDTree(position)
    pairs = tree.sparse_distance_matrix(all_of, _SHELLS[-1] * spacing, output_type="ndarray")
    first, second, apart = focus[pairs["i"]], pairs["j"], pairs["v"] / spacing
    scale = np.sqrt(np.mean(fields**2, axis=0))
    unit = fields / np.where(scale > 0.0, scale, 1.0)
    reached = np.zeros(fields.shape[1])
    alike = np.ones(fields.shape[1], dtype=bool)
    for low, high in pairwise(_SHELLS):
        # the closest pairs are counted with the first shell
        inside = (first != second) & (apart >= (low if low > _SHELLS[0] else 0.0)) & (apart < high)
        count = int(inside.sum())
        if count == 0:
            break
        product = np.einsum("pf,pf->f", unit[first[inside]], unit[second[inside]]) / count
        # most pairs are met from both sides and count once
        alike = alike & (product > max(4.0 * np.sqrt(2.0 / count), 0.02))
        reached[alike] = high
    return float(reached.max(initial=0.0)) * spacing


def stress_clusters(
    followed: FollowedGrains,
    *,
    states: Sequence[int] | None = None,
    clusters: int = 3,
    scaling: Scaling = "standard",
    seed: int = 0,
) -> StressClusters:
    """k-means of x, y, z and hydrostatic stress in some states (default: first and last).

    Clusters are numbered from low to high stress. With ``scaling`` "none" the larger numbers,
    those of place, decide alone; "standard" lets each column count alike.
    """
    chosen = [0, len(followed.state) - 1] if states is None else list(states)
    labels, centres, counts, shares = [], [], [], []
    for k in chosen:
        table = np.column_stack([followed.position, followed.hydrostatic[:, k]])
        scale = table.std(axis=0) if scaling == "standard" else np.ones(4)
        scale = np.where(scale > 0.0, scale, 1.0)
        found = k_means(table / scale, clusters, seed=seed)
        labels.append(found.label)
        counts.append(np.bincount(found.label, minlength=clusters))
        centre = found.centre * scale
        centres.append(centre)
        variance = table.var(axis=0)
        between = np.mean((centre[found.label] - table.mean(axis=0)) ** 2, axis=0)
        shares.append(
            (_share(between[3], variance[3]), _share(between[:3].sum(), variance[:3].sum()))
        )
    return StressClusters(
        state=tuple(followed.state[k] for k in chosen),
        label=np.column_stack(labels),
        centre=np.array(centres),
        grains=np.array(counts, dtype=np.int64),
        share_stress=np.array([share[0] for share in shares]),
        share_place=np.array([share[1] for share in shares]),
        scaling=scaling,
    )


def _share(between: float, total: float) -> float:
    return float(between / total) if total > 0.0 else 0.0


def spatial_pattern(
    followed: FollowedGrains,
    *,
    kind: StressKind = "hydrostatic",
    permutations: int = 10_000,
    independence: Independence | None = None,
    seed: int = 0,
) -> SpatialPattern:
    """Trend and autocorrelation of each state, of each change, and of the last less the first.

    The trend is tested by turning the signs of blocks (`independence_of`), so that neighbours
    that are alike do not easily pass for a trend; where they are alike beyond a block, by how
    alike they are. Autocorrelation is tested by exchanging grains, all
    states of a grain together, after the trend of each state is removed. A drift common to all
    grains of a state changes neither.

    Raises
    ------
    InvalidValueError
        Fewer than 8 blocks: the grains do not fill a body in which a trend can be told.
    """
    stress, _, _ = followed.stress(kind)
    names, contrasts = fields_of(followed)
    spacing = grain_spacing(followed.radius)
    room = int(block_labels(followed.position, BLOCK * spacing).max()) + 1
    if room < _FEWEST_BLOCKS:
        raise InvalidValueError(
            f"{len(followed)} grains fill only {room} blocks",
            remedy="Spatial statements need a few hundred grains followed through all states.",
        )
    apart = independence_of(followed, kind) if independence is None else independence
    block, alike = apart.block, apart.alike
    centred = stress - stress.mean(axis=0)
    place = followed.position - followed.position.mean(axis=0)
    fields = centred @ contrasts.T
    inverse = np.linalg.inv(place.T @ place)
    slope = inverse @ (place.T @ fields)
    if alike is None:
        scores = (fields[:, :, None] * place[:, None, :]).reshape(len(place), -1)
        test = sign_flip_test(scores, block, dimensions=3, draws=permutations, seed=seed)
        trend_p, trend_p_family = test.p, test.p_family
        rest = fields - place @ slope
        covariance = [
            _slope_covariance(place, rest[:, k], block, inverse) for k in range(len(contrasts))
        ]
        independent = np.full(len(contrasts), int(block.max()) + 1)
    else:
        by_likeness = trend_test(alike, followed.position, fields)
        trend_p, trend_p_family = by_likeness.p, holm_p_values(by_likeness.p)
        covariance = list(by_likeness.covariance)
        independent = np.floor(by_likeness.units).astype(np.int64)
    slope_se = np.sqrt([np.diag(own) for own in covariance])
    worst = [_largest_error(own) for own in covariance]

    flat = centred - place @ (inverse @ (place.T @ centred))
    moran = autocorrelation_test(
        neighbour_graph(followed.position, ADJACENT * spacing),
        flat,
        contrasts=contrasts,
        block=block,
        permutations=permutations,
        seed=seed,
    )
    return SpatialPattern(
        field=names,
        trend=slope.T,
        trend_se=slope_se,
        trend_p=trend_p,
        trend_p_family=trend_p_family,
        trend_detectable=_SEEN * np.array(worst),
        moran=moran.index,
        moran_se=moran.se if alike is None else mean_test(alike, moran.influence).se[:, 0],
        moran_p=moran.p,
        moran_p_family=moran.p_family,
        moran_detectable=_SEEN * moran.null_se,
        grains=len(followed),
        independent=independent,
        judged_by=apart.judged_by,
        reach=ADJACENT * spacing,
        permutations=permutations,
        quantity=kind,
    )


def fields_of(followed: FollowedGrains) -> tuple[tuple[str, ...], FloatArray]:
    """Fields of stress that are asked about, and their weights over the states (fields, states).

    Each state, the change of each transition, and last less first where these differ.
    """
    count = len(followed.state)
    rows = np.eye(count)
    names = list(followed.state)
    steps = [(k, k + 1) for k in range(count - 1)]
    if count > 2:
        steps.append((0, count - 1))
    for first, last in steps:
        names.append(f"{followed.state[first]} to {followed.state[last]}")
    changes = [rows[last] - rows[first] for first, last in steps]
    return tuple(names), np.array([*rows, *changes])


def _slope_covariance(
    place: FloatArray, rest: FloatArray, block: IntArray, inverse: FloatArray
) -> FloatArray:
    sums = np.zeros((int(block.max()) + 1, 3))
    np.add.at(sums, block, place * rest[:, None])
    # residuals are too small where few blocks share the fit, and say nothing where four do
    blocks = len(sums)
    if blocks < 5:
        return np.full((3, 3), np.nan)
    return np.asarray(inverse @ (sums.T @ sums) @ inverse * blocks / (blocks - 4))


def _largest_error(covariance: FloatArray) -> float:
    """Standard error along the least known direction; NaN where none is known."""
    if not np.all(np.isfinite(covariance)):
        return float("nan")
    return float(np.sqrt(np.linalg.eigvalsh(covariance)[-1]))
