"""Reflections of a virtual crystal, ring by ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray, IntArray

FIRST_RINGS = ((2, 1, 1), (2, 2, 0), (3, 1, 0), (3, 2, 1), (4, 0, 0), (4, 2, 0), (3, 3, 2))


@dataclass(frozen=True, slots=True)
class Reflections:
    """Members of some families of a cubic crystal.

    ``hkl`` (m, 3) with Friedel mates; ``ring`` (m,) is the row of ``families``; ``strength``
    (m,) scales the intensity.
    """

    families: tuple[tuple[int, int, int], ...]
    hkl: IntArray
    ring: IntArray
    strength: FloatArray


def reflections_of(
    families: Sequence[tuple[int, int, int]] = FIRST_RINGS,
    strengths: Sequence[float] | None = None,
) -> Reflections:
    """All signs and permutations of the families; ``strengths`` is one number a family."""
    strengths = [1.0] * len(families) if strengths is None else list(strengths)
    if len(strengths) != len(families):
        raise InvalidValueError(f"{len(strengths)} strengths for {len(families)} families")
    members = [_members(family) for family in families]
    ring = np.repeat(np.arange(len(families)), [len(one) for one in members])
    return Reflections(
        families=tuple((int(h), int(k), int(m)) for h, k, m in families),
        hkl=np.array([hkl for one in members for hkl in one], dtype=np.int64),
        ring=ring,
        strength=np.array(strengths, dtype=np.float64)[ring],
    )


def _members(family: tuple[int, int, int]) -> list[tuple[int, ...]]:
    signs = list(product((1, -1), repeat=3))
    return sorted(
        {
            tuple(s * index for s, index in zip(sign, order, strict=True))
            for order in permutations(family)
            for sign in signs
        }
    )
