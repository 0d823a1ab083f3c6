"""Second looks at grains that are there, but not quite as pairs first put them.

A grain may lie farther off than its first spots say (`settled`), share spots with one that lies
alike (`untangled`), be a coincidence relative of the true one (`without_relatives`), or be of
another phase with nearly the same lattice (`likelier_phases`).
"""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.hedm.hypotheses import Grains
from mesolith.hedm.layer_index import FIRST_SIGMAS, WIDE_SIGMAS, LayerIndex
from mesolith.hedm.match import Matches
from mesolith.hedm.refine import Refined

_DOUBTFUL = 0.5  # completeness below which relatives are tried
_TANGLED, _TURNS = 1.4, 8  # residuals over the usual that call for turns, and how many
_MOST_RELATIVES = 5_000  # at once


def settled(
    index: LayerIndex, grains: Grains, matches: Matches, chance: FloatArray
) -> tuple[Grains, Matches]:
    """Grains that meet few spots led to more from farther away, where that brings any."""
    poor = index.weigh_alone(grains, matches, chance).completeness < _DOUBTFUL
    if not poor.any():
        return grains, matches
    moved = grains.rows(poor)
    for sigmas in (WIDE_SIGMAS, FIRST_SIGMAS):
        moved, _ = index.refine(moved, index.match(moved, sigmas), 1)
    moved_matches = index.match(moved)
    before = index.weigh_alone(grains.rows(poor), matches.rows(poor), chance).ratio
    better = index.weigh_alone(moved, moved_matches, chance).ratio > before
    rows = np.flatnonzero(poor)[better]
    kept = np.setdiff1d(np.arange(len(grains)), rows)
    return grains.rows(kept).joined(moved.rows(better)), index.joined(
        matches.rows(kept), moved_matches.rows(better)
    )


def untangled(index: LayerIndex, grains: Grains, matches: Matches, refined: Refined) -> Grains:
    """Grains that fit badly, and those they share spots with, matched and refined in turns.

    Two grains that lie alike take each other's spots at first; each turn parts them further.
    """
    if not len(grains):
        return grains
    bad = refined.variance > _TANGLED * np.median(refined.variance)
    if not bad.any():
        return grains
    theirs = np.zeros(index.count, dtype=np.bool_)
    theirs[matches.spot[bad][matches.spot[bad] >= 0]] = True
    common = ((matches.spot >= 0) & theirs[matches.spot]).sum(axis=(1, 2))
    rows = np.flatnonzero(common >= index.settings.least_spots)
    some = grains.rows(rows)
    for _ in range(_TURNS):
        some, _ = index.refine(some, index.match(some), 1)
    reciprocal, position = grains.reciprocal.copy(), grains.position.copy()
    reciprocal[rows], position[rows] = some.reciprocal, some.position
    return Grains(reciprocal, position, grains.phase)


def without_relatives(
    index: LayerIndex, grains: Grains, matches: Matches, chance: FloatArray
) -> tuple[Grains, Matches]:
    """Grains of which little is seen replaced by a coincidence relative that explains more."""
    alone = index.weigh_alone(grains, matches, chance)
    doubtful = np.flatnonzero(alone.completeness < _DOUBTFUL)
    changed = np.zeros(len(grains), dtype=np.bool_)
    reciprocal = grains.reciprocal.copy()
    for number, phase in enumerate(index.phases):
        rows = doubtful[grains.phase[doubtful] == number]
        rotations = index.relatives(number)
        if not len(rows) or not len(rotations):
            continue
        count = len(rotations)
        back = np.linalg.inv(phase.reciprocal)
        turned = back @ rotations @ phase.reciprocal
        for part in np.array_split(rows, 1 + len(rows) * count // _MOST_RELATIVES):
            relatives = Grains(
                (grains.reciprocal[part][:, None] @ turned).reshape(-1, 3, 3),
                np.repeat(grains.position[part], count, axis=0),
                np.full(len(part) * count, number),
            )
            found = index.weigh_alone(relatives, index.match(relatives), chance)
            ratio = found.ratio.reshape(len(part), count)
            best = np.argmax(ratio, axis=1)
            won = ratio[np.arange(len(part)), best] > alone.ratio[part]
            won_rows = np.flatnonzero(won) * count + best[won]
            reciprocal[part[won]] = relatives.reciprocal[won_rows]
            changed[part[won]] = True
    if not changed.any():
        return grains, matches
    grains = Grains(reciprocal, grains.position, grains.phase)
    better = grains.rows(changed)
    better, _ = index.refine(better, index.match(better), 1)
    grains = grains.rows(~changed).joined(better)
    return grains, index.joined(matches.rows(~changed), index.match(better))


def likelier_phases(
    index: LayerIndex, grains: Grains, matches: Matches, chance: FloatArray
) -> Grains:
    """Grains that another phase of nearly the same lattice explains better, relabelled."""
    if len(index.phases) == 1 or not len(grains):
        return grains
    best = index.weigh_alone(grains, matches, chance).ratio
    phase = grains.phase.copy()
    for number, other in enumerate(index.phases):
        # of one lattice if no vector differs by more than a strain
        bend = np.linalg.svd(grains.reciprocal @ other.basis.T, compute_uv=False)
        rows = np.flatnonzero(
            (np.abs(bend - 1.0).max(axis=1) < index.settings.strain) & (grains.phase != number)
        )
        if not len(rows):
            continue
        tried = Grains(grains.reciprocal[rows], grains.position[rows], np.full(len(rows), number))
        ratio = index.weigh_alone(tried, index.match(tried), chance).ratio
        won = ratio > best[rows]
        phase[rows[won]], best[rows[won]] = number, ratio[won]
    return Grains(grains.reciprocal, grains.position, phase)
