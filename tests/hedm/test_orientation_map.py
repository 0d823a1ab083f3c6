"""The orientation map tells how grains lie, whatever mount the sample was measured in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.hedm.figure_orientation_map import draw, orientation_drawing
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    quaternion_from_rotation_vector,
    quaternion_multiply,
)
from mesolith.records.cell import Cell, State
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking
from tests.report.synthetic_cell import grains_of_states, synthetic_cell

# 111 to z: columns are the crystal's axes on sample axes
BLUE = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, -2.0], [1.0, 1.0, 1.0]])
BLUE /= np.linalg.norm(BLUE, axis=1, keepdims=True)


def cell_of(grains: GrainMap) -> Cell:
    return Cell("cell", {}, (State("pristine", 0, handles={GrainMap: lambda: grains}),))


def grains_lying_as(quaternion: np.ndarray) -> GrainMap:
    grains, *_ = grains_of_states(30, 1)[0]
    return replace(grains, orientation=np.tile(quaternion, (len(grains), 1)))


def test_each_axis_has_its_own_colours() -> None:
    drawing = draw(cell_of(grains_lying_as(quaternion_from_matrix(BLUE))))
    assert drawing is not None
    left, right = (axes.collections[0].get_facecolors() for axes in drawing.figure.axes[:2])
    assert np.abs(left[:, :3] - [0.0, 0.0, 1.0]).max() < 1e-6
    # along x lies 1 -1 0, which is of the family 011
    assert np.abs(right[:, :3] - [0.0, 1.0, 0.0]).max() < 1e-6
    assert "drawn towards 111" in drawing.caption


def test_the_axis_is_a_setting() -> None:
    cell = cell_of(grains_lying_as(quaternion_from_matrix(BLUE)))
    drawing = draw(replace(cell, conditions={"hedm.ipf_axis": "y"}))
    assert drawing is not None
    assert "lies along the sample's y and x (" in drawing.caption


def test_grains_that_are_not_cubic_are_grey_and_told() -> None:
    grains = grains_lying_as(np.array([1.0, 0.0, 0.0, 0.0]))
    groups = np.where(np.arange(len(grains.phases.name)) == 0, 194, grains.phases.space_group)
    mixed = replace(grains, phases=replace(grains.phases, space_group=groups))
    drawing = draw(cell_of(mixed))
    assert drawing is not None
    hexagonal = grains.phase == 0
    assert hexagonal.any()
    assert not hexagonal.all()
    assert np.array_equal(np.isnan(drawing.table["direction_largest"][: len(grains)]), hexagonal)
    none = replace(grains.phases, space_group=np.full(len(groups), 194))
    assert draw(cell_of(replace(grains, phases=none))) is None


def test_a_turned_mount_changes_nothing() -> None:
    cell = synthetic_cell(60)
    last = cell.states[-1]
    before = orientation_drawing(cell, "z")
    assert before is not None
    turn = quaternion_from_rotation_vector(np.array([0.3, -0.2, 0.5]))
    rotation = matrix_from_quaternion(turn)
    grains = last[GrainMap]
    moved = replace(
        grains,
        position=grains.position @ rotation.T,
        orientation=quaternion_multiply(turn, grains.orientation),
    )
    own = cell.pair(last.index - 1, Tracking)
    assert own is not None
    tracking = replace(
        own, rotation=rotation @ own.rotation, translation=rotation @ own.translation
    )
    pairs = {**cell.pairs, last.index - 1: {Tracking: lambda: tracking}}
    turned = replace(last, handles={**last.handles, GrainMap: lambda: moved})
    after = orientation_drawing(replace(cell, states=(*cell.states[:-1], turned), pairs=pairs), "z")
    assert after is not None
    for name in ("direction_smallest", "direction_middle", "direction_largest", "z_um"):
        assert after.table[name] == pytest.approx(before.table[name], abs=1e-6)
    # and without the tracking it would
    lost = {**cell.pairs, last.index - 1: {}}
    other = orientation_drawing(replace(cell, states=(*cell.states[:-1], turned), pairs=lost), "z")
    assert other is not None
    apart = np.abs(other.table["direction_largest"] - before.table["direction_largest"])
    assert apart.max() > 0.05
