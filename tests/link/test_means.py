"""Intervals of mean stresses cover, for all grains and for some."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.link.balance import reference_from_equilibrium
from mesolith.link.means import mean_stress, thirds_of_size
from mesolith.link.stress import stressed_grain_map
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference
from tests.link.polycrystal import MATERIAL, all_tracked, polycrystal

STATES = ("pristine", "plating", "stripping")


def _cell(seed: int, **noise: float) -> tuple[list[GrainMap], Reference, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    truths = [polycrystal(seed, count=120, pressure=3.0)]
    for _ in STATES[1:]:
        change = 15.0 * rng.standard_normal((120, 1, 1)) * np.eye(3)
        truths.append(truths[0].with_stress(truths[-1].stress + change, 3.0))
    maps = [truth.grain_map(offset=1e-4, rng=rng, **noise) for truth in truths]
    reference = reference_from_equilibrium(
        STATES,
        maps,
        materials=[MATERIAL],
        trackings=[all_tracked(120)] * 2,
        pressure=np.full(3, 3.0),
        porosity=0.0,
        porosity_se=0.0,
    )
    finals = [
        stressed_grain_map(raw, reference, state=name, materials=[MATERIAL])
        for raw, name in zip(maps, STATES, strict=True)
    ]
    hydrostatic = [np.trace(truth.stress, axis1=1, axis2=2) / 3.0 for truth in truths]
    return finals, reference, [np.stack([h, truths[0].radius ** 3]) for h in hydrostatic]


@pytest.mark.parametrize("weights", ["volume", "number"])
def test_intervals_cover_in_each_third_of_size(weights: str) -> None:
    pulls: dict[int, list[float]] = {k: [] for k in range(4)}
    for seed in range(150):
        finals, reference, truths = _cell(seed, sigma_strain=1e-4, radius_scatter=0.1)
        for name, final, (stress, volume) in zip(STATES, finals, truths, strict=True):
            everything = np.ones(len(final), dtype=bool)
            for k, chosen in enumerate((everything, *thirds_of_size(final.radius))):
                found = mean_stress(
                    final,
                    reference,
                    state=name,
                    select=chosen,
                    weights=weights,  # type: ignore[arg-type]
                )
                weight = volume if weights == "volume" else np.ones_like(volume)
                true = np.average(stress[chosen], weights=weight[chosen])
                pulls[k].append((found.mean - true) / found.se)
    for k, values in pulls.items():
        assert 0.88 < np.std(values) < 1.12, k
        assert 0.62 < np.mean(np.abs(values) < 0.9945) < 0.75, k


def test_all_grains_together_are_known_better_than_a_third() -> None:
    (final, *_), reference, _ = _cell(3, sigma_strain=1e-4)
    whole = mean_stress(final, reference, state="pristine")
    third = mean_stress(final, reference, state="pristine", select=thirds_of_size(final.radius)[0])
    assert whole.grains == 120
    assert third.grains == 40
    assert third.se > 1.3 * whole.se
    parts = whole.noise**2 + whole.volume**2 + whole.reference**2 + whole.drift**2
    assert whole.se**2 == pytest.approx(parts)


def test_levels_widen_the_interval() -> None:
    (final, *_), reference, _ = _cell(4)
    narrow = mean_stress(final, reference, state="pristine", level=0.6827)
    wide = mean_stress(final, reference, state="pristine", level=0.95)
    assert narrow.high - narrow.mean == pytest.approx(narrow.se, rel=1e-3)
    assert wide.mean - wide.low == pytest.approx(1.96 * wide.se, rel=1e-3)


def test_thirds_share_the_grains_evenly() -> None:
    radius = np.array([5.0, 1.0, 3.0, 2.0, 4.0, 6.0, 7.0])
    thirds = thirds_of_size(radius)
    assert [int(third.sum()) for third in thirds] == [3, 2, 2]
    assert sorted(radius[thirds[0]]) == [1.0, 2.0, 3.0]


def test_a_mean_needs_grains_stress_and_a_known_state() -> None:
    (final, *_), reference, _ = _cell(5)
    none = np.zeros(len(final), dtype=bool)
    with pytest.raises(InvalidValueError, match="no grain is selected"):
        mean_stress(final, reference, state="pristine", select=none)
    with pytest.raises(InvalidValueError, match="knows no state 'charged'"):
        mean_stress(final, reference, state="charged")
    with pytest.raises(InvalidValueError, match="no probability"):
        mean_stress(final, reference, state="pristine", level=68.0)
    with pytest.raises(InvalidValueError, match="has no stress"):
        mean_stress(polycrystal(5).grain_map(), reference, state="pristine")
