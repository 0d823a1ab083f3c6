"""Grains of several layers as one map: parts on both sides of a border become one grain.

A box beam lights slices of the sample, and a grain that a border cuts is found in both slices, each
time with the place, strain and volume of the part that was lit. The whole grain has the mean of
its parts, weighted by their volumes. See decision record 21.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.symmetry import rotation_operators
from mesolith.hedm.border_odds import BorderOdds, strangers_of, weigh_borders
from mesolith.hedm.cut_spheres import cut_spheres
from mesolith.hedm.find_pairs import (
    FindPairs,
    Orientations,
    border_pairs,
    joined_pairs,
    neighbour_angles,
    strain_of,
    turn_of,
)
from mesolith.hedm.layer_finds import Finds, Layer, finds_of_layers
from mesolith.hedm.standard_setting import standard_setting
from mesolith.numerics.assignment import best_pairing
from mesolith.records.indexed import IndexedGrains
from mesolith.records.layer_finds import LayerFinds

_GATE = math.radians(2.0)
_REACH = 1.5  # median diameters between the centres of two parts, in x and y
_STRANGERS = 1.7  # as far as finds of one layer are taken for neighbours
_TWICE = 0.2  # and nearer they may be one grain found twice
_CUT_DEPTH = 0.45  # of the cube root of its volume, below which a border cuts a find


@dataclass(frozen=True, slots=True)
class Stitched:
    """Whole grains on sample axes, and of which finds each is made.

    ``order`` (layers,) are the numbers of the given layers from below.
    """

    grains: IndexedGrains
    finds: LayerFinds
    order: tuple[int, ...]


def stitch_layers(layers: Sequence[Layer]) -> Stitched:
    """One map of the grains of all layers.

    Layers may touch, overlap, or leave a gap; one that holds no grain is taken as it is. Two finds
    of one layer are never joined. A pair is joined where that is likelier than not beside all
    pairs that it competes with.

    Returns
    -------
    stitched
        Grains numbered from below; lattice, orientation and place are means of the parts by
        volume, with the covariance that the errors of the parts and of their volumes give. A
        part that was not found is not in them.

    Raises
    ------
    ContradictionError
        No layer holds a grain, layers list other phases, or two have the same middle.
    """
    finds, order = finds_of_layers(layers)
    sources = [layers[k].grains for k in order]
    phases = next(grains.phases for grains in sources if grains is not None)
    orientations = Orientations(finds, phases)
    diameter = float(np.median(np.cbrt(6.0 * finds.volume / math.pi)))
    borders = [
        border_pairs(orientations, k, reach=_REACH * diameter, gate=_GATE)
        for k in range(len(sources) - 1)
    ]
    angles = neighbour_angles(orientations, nearest=_TWICE * diameter, reach=_STRANGERS * diameter)
    operators = max(len(rotation_operators(int(group))) for group in phases.space_group)
    area = float(np.mean([layer.volume / layer.height for layer in layers]))
    odds = weigh_borders(
        finds, joined_pairs(borders), strangers=strangers_of(angles, operators), area=area
    )
    chosen = _chosen(finds, odds)
    joins = odds.pairs.rows(chosen)
    label = _labels(len(finds), joins)
    volume = _whole_volumes(finds, joins, label)
    grains = _whole_grains(finds, joins, label, sources, volume)
    wrong = float(np.sum(1.0 - odds.probability[chosen]))
    missed = float(np.sum(np.delete(odds.probability, chosen)))
    record = _record(
        finds,
        odds,
        chosen,
        label,
        sources,
        middles=np.array([layers[k].middle for k in order]),
        volume=float(volume.sum()),
        lit=np.array([layers[k].volume for k in order]),
        wrong=wrong,
        missed=missed,
    )
    return Stitched(grains, record, order)


def _chosen(finds: Finds, odds: BorderOdds) -> IntArray:
    """Rows of the pairs that are joined."""
    border = finds.layer[odds.pairs.lower]
    taken = []
    for number in np.unique(border):
        rows = np.flatnonzero(border == number)
        best = best_pairing(odds.pairs.lower[rows], odds.pairs.upper[rows], odds.gain[rows])
        taken.append(rows[best])
    chosen = np.concatenate(taken) if taken else np.empty(0, dtype=np.int64)
    return np.sort(chosen[odds.probability[chosen] > 0.5])


def _labels(count: int, joins: FindPairs) -> IntArray:
    """Number of the grain of each find, in the order of the lowest find of each."""
    label = np.arange(count)
    # finds are listed from below, so those of a lower border are joined first
    for lower, upper in sorted(zip(joins.lower.tolist(), joins.upper.tolist(), strict=True)):
        label[upper] = label[lower]
    number: IntArray = np.unique(label, return_inverse=True)[1]
    return number


def _whole_grains(
    finds: Finds,
    joins: FindPairs,
    label: IntArray,
    sources: Sequence[IndexedGrains | None],
    volume: FloatArray,
) -> IndexedGrains:
    count = len(volume)

    def total(values: FloatArray | IntArray) -> FloatArray:
        flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
        columns: list[FloatArray] = [
            np.asarray(np.bincount(label, column, minlength=count), dtype=np.float64)
            for column in flat.T
        ]
        return np.stack(columns, axis=-1).reshape(count, *values.shape[1:])

    def listed(name: str) -> FloatArray:
        found = [getattr(one, name) for one in sources if one is not None]
        return np.asarray(np.concatenate(found), dtype=np.float64)

    share = finds.volume / total(finds.volume)[label]
    lattice = _in_one_setting(finds.lattice_vectors, joins)
    mean_lattice = total(share[:, None, None] * lattice)
    position = total(share[:, None] * finds.position)
    change = lattice @ np.linalg.inv(mean_lattice)[label]
    off = np.column_stack([finds.position - position[label], turn_of(change), strain_of(change)])
    off *= (share * finds.volume_error)[:, None]
    covariance = total(
        share[:, None, None] ** 2 * finds.covariance + off[:, :, None] * off[:, None, :]
    )
    likelihood, spots = listed("likelihood"), listed("spots")
    expected, complete = listed("expected"), listed("completeness")
    phase = _likeliest_phase(finds.phase, likelihood, label)
    some = [grains for grains in sources if grains is not None]
    phases = some[0].phases
    groups, bases = np.asarray(phases.space_group), basis_from_lattice(np.asarray(phases.lattice))
    return IndexedGrains(
        grain_id=np.arange(count),
        lattice_vectors=standard_setting(mean_lattice, phase, groups, bases),
        position=position,
        covariance=covariance,
        phase=phase,
        phases=phases,
        completeness=total(complete * expected) / np.maximum(total(expected), 1.0),
        expected=total(expected).astype(np.int64),
        spots=total(spots).astype(np.int64),
        own_spots=total(listed("own_spots")).astype(np.int64),
        likelihood=total(likelihood),
        scatter=total(listed("scatter") * spots) / np.maximum(total(spots), 1.0),
        volume_share=volume / volume.sum(),
        volume_share_se=np.sqrt(total((finds.volume * finds.volume_error) ** 2)) / volume.sum(),
        chance=np.mean([grains.chance for grains in some], axis=0),
        error_scale=np.mean([grains.error_scale for grains in some], axis=0),
    )


def _in_one_setting(lattice_vectors: FloatArray, joins: FindPairs) -> FloatArray:
    """Lattices of all finds, each in the setting of the lowest part of its grain."""
    out = lattice_vectors.copy()
    operator = np.tile(np.eye(3), (len(out), 1, 1))
    for row in np.lexsort([joins.upper, joins.lower]):
        lower, upper = joins.lower[row], joins.upper[row]
        operator[upper] = joins.operator[row] @ operator[lower]
        out[upper] = lattice_vectors[upper] @ operator[upper]
    return out


def _whole_volumes(finds: Finds, joins: FindPairs, label: IntArray) -> FloatArray:
    """Volume of each grain: that of its parts, less what two beams lit and with what none did."""
    border = finds.layer[joins.lower]
    lower, upper = finds.volume[joins.lower], finds.volume[joins.upper]
    whole = cut_spheres(lower, upper, finds.top[border], finds.bottom[border + 1]).volume
    volume = np.bincount(label, finds.volume)
    change = np.bincount(label[joins.lower], whole - lower - upper, minlength=len(volume))
    return np.asarray(np.maximum(volume + change, 1e-3 * volume))


def _likeliest_phase(phase: IntArray, likelihood: FloatArray, label: IntArray) -> IntArray:
    """Phase of each grain: the one whose finds are together the likeliest."""
    table = np.full((int(label.max()) + 1, int(phase.max()) + 1), -np.inf)
    np.maximum.at(table, (label, phase), 0.0)
    np.add.at(table, (label, phase), likelihood)
    return np.asarray(np.argmax(table, axis=1))


def _record(
    finds: Finds,
    odds: BorderOdds,
    chosen: IntArray,
    label: IntArray,
    sources: Sequence[IndexedGrains | None],
    *,
    middles: FloatArray,
    volume: float,
    lit: FloatArray,
    wrong: float,
    missed: float,
) -> LayerFinds:
    joins = odds.pairs.rows(chosen)
    both = finds.covariance[joins.lower] + finds.covariance[joins.upper]
    errors = np.sqrt(np.diagonal(both, axis1=1, axis2=2))
    some = [grains for grains in sources if grains is not None]
    turn, strain = odds.model.turn, odds.model.strain
    return LayerFinds(
        layer_z=middles,
        layer=finds.layer,
        layer_grain_id=np.concatenate([grains.grain_id for grains in some]),
        grain_id=label,
        volume=finds.volume,
        grain_volume=volume,
        lower=joins.lower,
        upper=joins.upper,
        probability=odds.probability[chosen],
        turn=joins.turn,
        turn_se=errors[:, 3:6],
        strain=joins.strain,
        strain_se=errors[:, 6:],
        turn_scale=turn.scale,
        turn_scale_se=turn.scale_se,
        turn_spread=turn.spread,
        strain_scale=strain.scale,
        strain_scale_se=strain.scale_se,
        strain_spread=strain.spread,
        expected_wrong=wrong,
        expected_missed=missed,
        cut_alone=_cut_alone(finds, joins),
        completeness=np.concatenate([grains.completeness for grains in some]),
        layer_volume=lit,
    )


def _cut_alone(finds: Finds, joins: FindPairs) -> int:
    """Finds that a border to another layer must cut and that have no part beyond it."""
    depth = _CUT_DEPTH * np.cbrt(finds.volume)
    height = finds.position[:, 2]
    by_top = finds.top[finds.layer] - height < depth
    by_top &= finds.layer < len(finds.top) - 1
    by_top[joins.lower] = False
    by_bottom = height - finds.bottom[finds.layer] < depth
    by_bottom &= finds.layer > 0
    by_bottom[joins.upper] = False
    return int((by_top | by_bottom).sum())
