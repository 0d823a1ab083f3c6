"""The figure of an energy scan shows the points, both lattices, and says what was found."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.laue.energy import sized_lattices
from mesolith.laue.energy_images import joined_scans
from mesolith.laue.energy_peaks import energy_peaks
from mesolith.laue.figure_energy import energy_drawing
from mesolith.virtual.laue.energy import EnergyPlan
from tests.laue.energy_points import crystal, phase, scanned_point
from tests.laue.patterns import STATION


def test_the_figure_shows_both_lattices_and_its_numbers_are_in_the_table() -> None:
    plans = (EnergyPlan(split=5e-4, second=0.3), EnergyPlan())
    made = [
        scanned_point(crystal(31), STATION, plan, seed=k, sigma_px=0.1)
        for k, plan in enumerate(plans)
    ]
    scan = joined_scans(
        [replace(one.scan, point=np.full(len(one.scan), k)) for k, one in enumerate(made)]
    )
    peaks, splits = energy_peaks(scan)
    lattices = sized_lattices(made[0].geometry, phase(), [one.point for one in made], scan, peaks)
    distance = np.array([2.0, 2.0, 30.0])
    drawing = energy_drawing(scan, peaks, splits, lattices, point=0, distance=distance)
    assert len(drawing.figure.axes) == 7
    assert "two lattices at 1 of them" in drawing.caption
    share = re.search(r"(\d+)% of the counts from the larger one", drawing.caption)
    assert share is not None
    assert abs(int(share.group(1)) - 30) <= 2
    line = drawing.figure.axes[-1]
    assert line.get_xlabel() == "distance from the interface (µm)"
    low, high = line.get_ylim()
    shown = drawing.table["lattice_parameter_angstrom"]
    assert np.all((shown > low) & (shown < high))
    assert drawing.table["component"].tolist() == [0, 1, 0]
    # the drawn sum of a split profile meets the counts at its top
    profile = drawing.figure.axes[0].lines
    assert profile[1].get_ydata().max() == pytest.approx(profile[0].get_ydata().max(), rel=0.15)
    with pytest.raises(InvalidValueError, match="no point 7"):
        energy_drawing(scan, peaks, splits, lattices, point=7, distance=distance)
