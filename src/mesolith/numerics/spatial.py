"""Who is near whom, and tests of spatial statements by permutation.

Two kinds of null are at hand. Values may be exchanged between the places (`autocorrelation_test`:
nothing depends on place). Or places stay and only the signs of whole blocks are turned
(`sign_flip_test`: what is summed has mean zero, while neighbours may be alike); blocks wider than
the correlation then count as independent, and unequal variances do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, triu
from scipy.spatial import cKDTree

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.numerics._kernels_spatial import sum_over_edges

_INSIDE = 0.6826894921370859  # share of a normal distribution within one standard deviation

_MOST_ENUMERATED = 13


def neighbour_graph(position: FloatArray, reach: float, *, itself: bool = False) -> csr_array:
    """Symmetric graph of the points no farther apart than ``reach``, entries 1.

    ``itself`` counts each point as its own neighbour. Column numbers are sorted in each row.
    """
    if not reach > 0.0:
        raise InvalidValueError(f"a reach of {reach} um joins no neighbours")
    pairs = cKDTree(position).query_pairs(reach, output_type="ndarray")
    first, second = pairs[:, 0], pairs[:, 1]
    own = np.arange(len(position) if itself else 0)
    rows = np.concatenate([first, second, own])
    columns = np.concatenate([second, first, own])
    shape = (len(position), len(position))
    graph = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    graph.sort_indices()
    return graph


def block_labels(position: FloatArray, size: float) -> IntArray:
    """Number of the block that holds each point, 0 ... blocks - 1.

    Blocks are equal boxes with edges of at least ``size``, so that no sliver of one lies beside
    the next; along an axis on which the points reach less far there is one.
    """
    low, extent = position.min(axis=0), np.ptp(position, axis=0)
    count = np.maximum(1, (extent / size).astype(np.int64))
    scaled = (position - low) / np.where(extent > 0.0, extent, 1.0) * count
    box = np.minimum(scaled.astype(np.int64), count - 1)
    _, label = np.unique(box, axis=0, return_inverse=True)
    return label.reshape(-1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Autocorrelation:
    """Moran's index of each field; see `autocorrelation_test`."""

    index: FloatArray
    se: FloatArray
    null_se: FloatArray
    p: FloatArray
    p_family: FloatArray
    influence: FloatArray
    permutations: int


def autocorrelation_test(
    graph: csr_array,
    values: FloatArray,
    *,
    contrasts: FloatArray | None = None,
    block: IntArray | None = None,
    permutations: int = 10_000,
    seed: int = 0,
) -> Autocorrelation:
    """Moran's index of autocorrelation, tested by exchanging values between places.

    Whole rows change places, so that the columns keep their dependence and the family's
    p-values (Westfall and Young's step-down, two-sided) are no wider than they must be.

    Parameters
    ----------
    graph
        Symmetric, no diagonal; rows (n).
    values
        Shape (n, columns).
    contrasts
        Fields to test as sums of columns, shape (fields, columns); None: each column.
    block
        Block of each row, for the standard error of the index; None: every row its own.
    permutations, seed
        Random exchanges; the same seed, the same result.

    Returns
    -------
    test
        ``index``: 0 for no autocorrelation (up to -1/(n-1)), positive where neighbours are
        alike. ``se`` by blocks, ``null_se`` the spread under exchange; p-values two-sided.
    """
    count = len(values)
    mixing = np.eye(values.shape[1]) if contrasts is None else np.asarray(contrasts, dtype=float)
    centred = values - values.mean(axis=0)
    scale = np.sqrt(np.mean(centred**2))
    if count < 3 or graph.nnz == 0 or not scale > 0.0:
        raise InvalidValueError("autocorrelation needs neighbours that differ")
    centred = centred / scale
    total = float(graph.nnz)
    moment = np.einsum("fc,cd,fd->f", mixing, centred.T @ centred / count, mixing)
    if not np.all(moment > 0.0):
        raise InvalidValueError("a field without spread has no autocorrelation")
    fields = centred @ mixing.T
    product = fields * (graph @ fields)
    index = product.sum(axis=0) / total / moment

    label = np.arange(count) if block is None else block
    influence = product / (total / count) / moment - index * fields**2 / moment
    sums = np.zeros((int(label.max()) + 1, len(mixing)))
    np.add.at(sums, label, influence)
    se = np.sqrt(np.sum(sums**2, axis=0)) / count

    null = _permuted_indices(graph, centred, mixing, permutations, seed) / (0.5 * total) / moment
    middle, spread = null.mean(axis=0), null.std(axis=0)
    distance, reached = np.abs(index - middle) / spread, np.abs(null - middle) / spread
    return Autocorrelation(
        index=index,
        se=se,
        null_se=spread,
        p=_p_values(distance, reached),
        p_family=family_p_values(distance, reached),
        influence=influence,
        permutations=permutations,
    )


def _permuted_indices(
    graph: csr_array, centred: FloatArray, mixing: FloatArray, permutations: int, seed: int
) -> FloatArray:
    """Half of sum w_ij f_i f_j of each field under each exchange, shape (permutations, fields)."""
    rng = np.random.default_rng(seed)
    upper = csr_array(triu(graph, format="csr"))  # each pair once
    found = np.empty((permutations, len(mixing)))
    for k in range(permutations):
        order = rng.permutation(len(centred))
        gram = sum_over_edges(upper.indptr, upper.indices, order, centred)
        found[k] = np.einsum("fc,cd,fd->f", mixing, gram, mixing)
    return found


@dataclass(frozen=True, slots=True)
class SignFlip:
    """Sums of contributions and their null by turning the signs of blocks.

    ``least`` is the smallest p-value that so many blocks can give.
    """

    total: FloatArray
    se: FloatArray
    p: FloatArray
    p_family: FloatArray
    blocks: int
    least: float


def sign_flip_test(
    contributions: FloatArray,
    block: IntArray,
    *,
    dimensions: int = 1,
    share: FloatArray | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> SignFlip:
    """Whether sums differ from zero, the signs of whole blocks being a matter of chance.

    Parameters
    ----------
    contributions
        What each row adds to each sum, of mean zero if the null is true; (n, sums), or
        (n, sums * dimensions) where each sum is a vector and its components stand together.
    block
        Block of each row. Few blocks are enumerated, many are drawn.
    dimensions
        Components of each sum. A vector is judged by its length in units of its own covariance,
        which no turning of signs changes.
    share
        What of the mean that is tested lies in each row, shape (n,), sum 1. A block that makes
        much of the mean draws it to itself and is seen to scatter too little: in the null its
        contribution is stretched by 1 / sqrt(1 - its share), at most by sqrt(blocks). None: not.

    Returns
    -------
    test
        ``total`` and ``se`` of each component; two-sided p-values of each sum and of the
        family (step-down).
    """
    count = int(block.max(initial=-1)) + 1
    sums = np.zeros((count, contributions.shape[1]))
    np.add.at(sums, block, contributions)
    kept = np.any(sums != 0.0, axis=1)
    sums, stretch = sums[kept], np.ones(int(kept.sum()))
    if share is not None:
        taken = np.bincount(block, weights=share, minlength=count)[kept]
        stretch = 1.0 / np.sqrt(np.maximum(1.0 - taken, 1.0 / len(taken)))
    blocks = len(sums)
    if blocks == 0:
        raise InvalidValueError("nothing contributes to the sums that are tested")
    if blocks <= _MOST_ENUMERATED:
        # the pattern without any turn is the first, and a global turn changes nothing
        codes = np.arange(2 ** (blocks - 1))[:, None] >> np.arange(blocks)[None, :]
        signs = 1.0 - 2.0 * (codes & 1)
    else:
        rng = np.random.default_rng(seed)
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=(draws, blocks)).astype(np.float64)
        signs[0] = 1.0
    white = sums.reshape(blocks, -1, dimensions).transpose(1, 0, 2)
    white = np.stack([_whitened(vectors) for vectors in white], axis=1)
    turned = signs[1:] * stretch
    own = np.sqrt(np.sum(white.sum(axis=0) ** 2, axis=1))
    null = np.empty((len(turned), white.shape[1]))
    for k in range(white.shape[1]):
        null[:, k] = np.sqrt(np.sum((turned @ white[:, k]) ** 2, axis=1))
    return SignFlip(
        total=sums.sum(axis=0),
        se=np.sqrt(np.sum((stretch[:, None] * sums) ** 2, axis=0)),
        p=_p_values(own, null),
        p_family=family_p_values(own, null),
        blocks=blocks,
        least=1.0 / len(signs),
    )


@dataclass(frozen=True, slots=True)
class ExchangedMean:
    """Mean of some values, and its null where something was exchanged; see `mean_by_exchange`.

    ``distance`` is the mean over its standard error by blocks, without a sign, and ``null``
    (draws,) the same of each exchange.
    """

    mean: float
    se: float
    p: float
    distance: float
    null: FloatArray


def mean_by_exchange(values: FloatArray, null: FloatArray, block: IntArray) -> ExchangedMean:
    """Test whether a mean is further from zero than exchanges make it.

    Parameters
    ----------
    values
        Shape (n,), of mean zero where there is nothing to find.
    null
        The same values after each exchange, shape (draws, n).
    block
        Block of each value, shape (n,). Blocks count as independent for the standard error.

    Returns
    -------
    test
        Two-sided ``p`` of the mean over its standard error by blocks: exact where exchanges are
        as likely as what was seen, and asymptotically right where they only keep the mean
        (Chung and Romano, Exact and asymptotically robust permutation tests,
        doi:10.1214/13-AOS1090). ``se`` is the error by blocks, stretched so that 68 % of
        the ratios are below 1 under exchange, as those of a normal mean. One block proves
        nothing: p is 1, ``se`` NaN.
    """
    _, label = np.unique(block, return_inverse=True)
    own_mean, own_se = _mean_by_blocks(values[None], label)
    mean, se = _mean_by_blocks(null, label)
    if not own_se[0] > 0.0:
        return ExchangedMean(float(own_mean[0]), float("nan"), 1.0, 0.0, np.zeros(len(null)))
    ratio = np.divide(np.abs(mean), se, out=np.zeros(len(null)), where=se > 0.0)
    distance = np.abs(own_mean) / own_se
    return ExchangedMean(
        mean=float(own_mean[0]),
        se=float(own_se[0] * np.quantile(ratio, _INSIDE)),
        p=float(_p_values(distance, ratio[:, None])[0]),
        distance=float(distance[0]),
        null=ratio,
    )


def _mean_by_blocks(values: FloatArray, label: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean of each row (draws, n), and its standard error as if blocks were independent."""
    member = np.zeros((values.shape[1], int(label.max()) + 1))
    member[np.arange(values.shape[1]), label] = 1.0
    mean = values.mean(axis=1)
    sums = values @ member - mean[:, None] * member.sum(axis=0)
    return mean, np.sqrt(np.sum(sums**2, axis=1)) / values.shape[1]


def _whitened(vectors: FloatArray) -> FloatArray:
    """Vectors (blocks, d) in units of their second moment; directions without spread are left."""
    values, axes = np.linalg.eigh(vectors.T @ vectors)
    kept = values > 1e-12 * max(float(values.max()), 1e-300)
    return np.asarray(vectors @ (axes[:, kept] / np.sqrt(values[kept])) @ axes[:, kept].T)


def _p_values(own: FloatArray, null: FloatArray) -> FloatArray:
    # equal up to rounding counts as reached
    reached = np.sum(null >= own * (1.0 - 1e-9), axis=0)
    return np.asarray((1.0 + reached) / (1.0 + len(null)))


def family_p_values(own: FloatArray, null: FloatArray) -> FloatArray:
    """Step-down p-values of Westfall and Young for statistics (fields,) and their null.

    ``null`` (draws, fields) keeps the dependence of the fields; larger is more extreme, and all
    fields are on one scale. The chance of one false finding among all fields is then as stated.
    """
    order = np.argsort(-own, kind="stable")
    # largest of the fields that are not yet decided
    best = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    reached = np.sum(best >= own[order] * (1.0 - 1e-9), axis=0)
    p = np.maximum.accumulate((1.0 + reached) / (1.0 + len(null)))
    family = np.empty(len(own))
    family[order] = p
    return family


def holm_p_values(p: FloatArray) -> FloatArray:
    """Holm's correction of p-values of any dependence; NaN stays NaN and is not counted."""
    family = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    family[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * steps))
    return family


def row_means(graph: csr_array, values: FloatArray) -> FloatArray:
    """Mean of ``values`` over the neighbours of each row; NaN where there are none."""
    count = np.diff(graph.indptr).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray((graph @ values) / (count if values.ndim == 1 else count[:, None]))
