"""Grains keep one number through the states, and the sample's motions are undone."""

from __future__ import annotations

import dataclasses

import numpy as np

from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_rotation_vector
from mesolith.records.cell import Cell
from mesolith.records.grains import GrainMap
from mesolith.records.lives import life_numbers, motions_since_first
from mesolith.records.tracking import Tracking
from tests.report.synthetic_cell import grains_of_states, synthetic_cell


def maps_of(cell: Cell) -> dict[int, GrainMap]:
    return {state.index: grains for state, grains in cell.having(GrainMap)}


def test_a_life_is_one_true_grain() -> None:
    cell = synthetic_cell(n=80, seed=4)
    lives = life_numbers(cell, maps_of(cell))
    true_of_life: dict[int, int] = {}
    for state, (_, _, true) in enumerate(grains_of_states(80, 4)):
        assert len(set(lives[state].tolist())) == len(true)
        for life, grain in zip(lives[state].tolist(), true.tolist(), strict=True):
            assert true_of_life.setdefault(life, grain) == grain


def test_without_tracking_every_grain_is_new() -> None:
    cell = dataclasses.replace(synthetic_cell(n=30), pairs={})
    numbers = np.concatenate(list(life_numbers(cell, maps_of(cell)).values()))
    assert np.array_equal(numbers, np.arange(len(numbers)))


def test_motions_between_the_states_are_undone() -> None:
    cell = synthetic_cell(n=30)
    rng = np.random.default_rng(0)
    rotation, translation = np.eye(3), np.zeros(3)
    states, pairs = [], {}
    for state in cell.states:
        grains = state[GrainMap]
        if state.index:
            tracking = cell.pair(state.index - 1, Tracking)
            assert tracking is not None
            turn = quaternion_from_rotation_vector(rng.normal(scale=0.03, size=3))
            step, shift = matrix_from_quaternion(turn), rng.normal(scale=80.0, size=3)
            rotation, translation = step @ rotation, step @ translation + shift
            pairs[state.index - 1] = moved(tracking, step, shift)
        there = dataclasses.replace(grains, position=grains.position @ rotation.T + translation)
        states.append(dataclasses.replace(state, handles={GrainMap: lambda g=there: g}))
    shaken = Cell("shaken", {}, tuple(states), pairs=pairs)
    motions = motions_since_first(shaken)
    for state, there in zip(cell.states, states, strict=True):
        back = motions[state.index].undone(there[GrainMap].position)
        assert np.allclose(back, state[GrainMap].position, atol=1e-9)


def moved(tracking: Tracking, rotation: np.ndarray, translation: np.ndarray) -> dict:
    found = dataclasses.replace(tracking, rotation=rotation, translation=translation)
    return {Tracking: lambda: found}


def test_a_tracking_that_found_no_motion_leaves_the_sample_where_it_was() -> None:
    cell = synthetic_cell(n=30)
    tracking = cell.pair(0, Tracking)
    assert tracking is not None
    blind = moved(tracking, np.full((3, 3), np.nan), np.full(3, np.nan))
    motions = motions_since_first(dataclasses.replace(cell, pairs={0: blind}))
    for motion in motions.values():
        assert np.array_equal(motion.rotation, np.eye(3))
        assert np.array_equal(motion.translation, np.zeros(3))
