"""Violins show a density only where there are values enough for one."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.records.style import axes_mm, house_style, new_figure
from mesolith.records.violin import draw_violins


@pytest.mark.parametrize(("count", "bodies"), [(5, 0), (9, 0), (10, 1), (200, 1)])
def test_few_values_are_points_without_a_body(count: int, bodies: int) -> None:
    values = np.random.default_rng(1).normal(50.0, 20.0, count)
    with house_style():
        axes = axes_mm(new_figure(50.0), 10.0, 10.0, 60.0, 30.0)
        draw_violins(axes, [values], places=[0.0], colours=["#0072B2"])
    filled = [one for one in axes.collections if "Poly" in type(one).__name__]
    assert len(filled) == bodies
    low, high = axes.get_ylim()
    assert low < values.min() < values.max() < high
    if not bodies:
        (points,) = axes.lines
        assert points.get_ydata() == pytest.approx(values)
