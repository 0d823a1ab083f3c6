"""Extreme grains and stresses under two stiffnesses for the synthetic cell of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from mesolith.link.extremes import extreme_grains
from mesolith.link.stiffness import PERCENT
from mesolith.records.cell import Handle
from mesolith.records.extremes import StressExtremes
from mesolith.records.field import Record
from mesolith.records.grains import GrainMap
from mesolith.records.stiffness import StressUnderStiffness

FACTOR = np.array([1.0, 1.1])
_FEWEST = 30


def extremes_and_stiffness(
    states: Sequence[str], maps: Sequence[GrainMap]
) -> dict[type[Record], Handle]:
    """Handles of both records; the second stiffness makes every stress 1.1 times as large."""
    return {
        StressExtremes: cache(lambda: _extremes(states, maps)),
        StressUnderStiffness: lambda: _stiffness(states, maps),
    }


def _extremes(states: Sequence[str], maps: Sequence[GrainMap]) -> StressExtremes:
    found, told = [], []
    for state, grains in zip(states, maps, strict=True):
        stress, error = grains.stress_hydrostatic, grains.stress_hydrostatic_se
        assert stress is not None
        assert error is not None
        if len(grains) < _FEWEST:  # the step leaves such a state out
            continue
        told.append(state)
        own = extreme_grains(stress, error, count=5)
        found.append(replace(own, grain=grains.grain_id[own.grain]))
    return StressExtremes(
        state=tuple(told), real_share=np.full(len(told), 0.98), extremes=tuple(found)
    )


def _stiffness(states: Sequence[str], maps: Sequence[GrainMap]) -> StressUnderStiffness:
    hydrostatic = np.array([np.percentile(m.stress_hydrostatic, PERCENT) for m in maps])
    von_mises = np.array([np.percentile(m.stress_von_mises, PERCENT) for m in maps])
    return StressUnderStiffness(
        material=("LLZTO-I-43d", "LLZO-Al-I-43d"),
        bulk_modulus=99_200.0 * FACTOR,
        used=0,
        state=tuple(states),
        percent=PERCENT,
        hydrostatic=FACTOR[:, None, None] * hydrostatic,
        von_mises=FACTOR[:, None, None] * von_mises,
        hydrostatic_spread=FACTOR[:, None] * [float(np.std(m.stress_hydrostatic)) for m in maps],
        von_mises_mean=FACTOR[:, None] * [float(np.mean(m.stress_von_mises)) for m in maps],
        grains=np.array([len(m) for m in maps], dtype=np.int64),
    )
