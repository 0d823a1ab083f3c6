"""Only those directions of a phase that orientations near given ones can put on the panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.laue.index import LaueIndexer
from mesolith.laue.reflections import LaueReflections

# how far an orientation may turn before its list is made anew, and what the list allows for
TURN_RAD = 0.015
_MARGIN_RAD = TURN_RAD + 0.012


def narrowed(indexer: LaueIndexer, reciprocal: Sequence[FloatArray]) -> LaueIndexer:
    """An indexer that knows only the directions near the panel for those lattices (3, 3) each.

    It follows grains that turn by less than ``TURN_RAD``. It finds no other grains and knows no
    coincidence relatives, whose spots it lacks; nor does it look as far from each predicted spot
    as the search does, since a neighbour's lattice is nearly right. A twentieth of the directions
    of LLZO remain for one grain.
    """
    reflections, geometry = indexer.reflections, indexer.geometry
    cosine = np.cos(geometry.half_angle + _MARGIN_RAD)
    near = np.zeros(len(reflections), dtype=np.bool_)
    for one in reciprocal:
        towards = geometry.centre @ one
        near |= reflections.hkl_float @ towards > cosine * reflections.length
    chosen = _only(reflections, np.flatnonzero(near))
    strong = int(np.count_nonzero(near[: indexer.strong]))
    return replace(
        indexer,
        reflections=chosen,
        strong=strong,
        relatives=np.zeros((0, 3, 3), dtype=np.float64),
        stages=indexer.stages[1:],
    )


def _only(reflections: LaueReflections, rows: IntArray) -> LaueReflections:
    """The directions of ascending rows; strengths stay measured alike."""
    begin, end = reflections.start[rows], reflections.start[rows + 1]
    count = end - begin
    start = np.concatenate([[0], np.cumsum(count)])
    orders = np.arange(start[-1]) + np.repeat(begin - start[:-1], count)
    return replace(
        reflections,
        direction=reflections.direction[rows],
        hkl=reflections.hkl[rows],
        length=reflections.length[rows],
        start=start,
        order=reflections.order[orders],
        square=reflections.square[orders],
        most=reflections.most[rows],
        family=reflections.family[rows],
        hkl_float=reflections.hkl_float[rows],
    )
