"""Grains under tension: told where they were planted, silent where noise alone differs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mesolith.records.cell import Cell, State
from mesolith.records.grains import GrainMap
from mesolith.report.story_tension import chance_text, tension_sentences
from mesolith.report.tension import tension

from .synthetic_cell import synthetic_cell

SIGMA = 8.0


def _cell(stresses: list[np.ndarray], sigmas: list[float]) -> Cell:
    """States that hold these stresses; the grains of all states sit at the same places."""
    model = synthetic_cell(n=len(stresses[0]) + 200).states[0][GrainMap]
    n = len(stresses[0])
    rng = np.random.default_rng(3)
    position = rng.uniform(-100.0, 100.0, size=(n, 3))
    states = []
    for k, (stress, sigma) in enumerate(zip(stresses, sigmas, strict=True)):
        grains = GrainMap(
            grain_id=np.arange(n),
            position=position,
            orientation=np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)),
            lattice=np.ones((n, 6)),
            radius=np.ones(n),
            completeness=np.ones(n),
            phase=np.zeros(n, dtype=np.int64),
            phases=model.phases,
            covariance=np.tile(np.eye(12), (n, 1, 1)),
            error_source="given",
            stress_hydrostatic=stress,
            stress_hydrostatic_se=np.full(n, sigma),
        )
        states.append(State("abc"[k], k, handles={GrainMap: lambda found=grains: found}))
    return Cell("cell", {}, tuple(states))


def _calm(rng: np.random.Generator, n: int, sigma: float) -> np.ndarray:
    return np.asarray(rng.normal(scale=20.0, size=n) + rng.normal(scale=sigma, size=n))


def test_planted_tension_is_told_with_its_place() -> None:
    rng = np.random.default_rng(11)
    first, second = _calm(rng, 2000, SIGMA), _calm(rng, 2000, SIGMA)
    second[:40] += 120.0
    cell = _cell([first, second], [SIGMA, SIGMA])
    found = tension(cell)
    assert found is not None
    assert found.threshold == pytest.approx(2.576 * np.hypot(20.0, SIGMA), rel=0.1)
    assert found.states[0].count == 10
    assert found.states[1].count >= 38
    assert found.states[1].chance < 1e-5
    here = cell.states[1][GrainMap].position[:40].mean(axis=0)
    assert np.all(np.abs(found.states[1].centre - here) < 3.0 * found.states[1].centre_se)
    told = " ".join(tension_sentences(cell))
    assert "More grains came under tension: 10 ± 3, " in told
    assert "(x, y, z)" in told


def test_a_drift_of_the_whole_state_makes_no_hot_grains() -> None:
    rng = np.random.default_rng(12)
    first, second = _calm(rng, 2000, SIGMA), _calm(rng, 2000, SIGMA) + 60.0
    assert tension_sentences(_cell([first, second], [SIGMA, SIGMA])) == []


def test_chance_alone_is_told_no_more_often_than_its_level() -> None:
    rng = np.random.default_rng(13)
    told = 0
    for _ in range(60):
        cell = _cell([_calm(rng, 600, SIGMA) for _ in range(3)], [SIGMA] * 3)
        told += bool(tension_sentences(cell))
    assert told <= 3


def test_more_noise_makes_no_hot_grains() -> None:
    rng = np.random.default_rng(14)
    first, second = _calm(rng, 3000, 5.0), _calm(rng, 3000, 18.0)
    assert tension_sentences(_cell([first, second], [5.0, 18.0])) == []


def test_one_state_has_nothing_to_compare(cell: Cell) -> None:
    assert tension(dataclasses.replace(cell, states=cell.states[:1], pairs={})) is None


@pytest.mark.parametrize(
    ("value", "text"), [(0.87, "0.87"), (4.2e-5, "4 × 10⁻⁵"), (9.9e-6, "1 × 10⁻⁵"), (0.0, "0")]
)
def test_probabilities_for_a_reader(value: float, text: str) -> None:
    assert chance_text(value) == text
