"""How much of a ring a panel sees."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.instrument.beam import Beam
from mesolith.instrument.goniometer import UPRIGHT
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.instrument.ring_coverage import ring_coverage

LEVEL = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def _square(side: float, away: float = 0.0) -> Instrument:
    """A panel of that half side (um), a metre away, moved along y."""
    panel = Panel(
        "flat", np.array([200, 200]), np.full(2, side / 100.0), np.array([1e6, away, 0.0]), LEVEL
    )
    return Instrument(Beam(0.2, np.array([1.0, 0.0, 0.0])), UPRIGHT, (panel,))


def _spacing(radius: float) -> float:
    return 0.2 / (2.0 * np.sin(0.5 * np.arctan2(radius, 1e6)))


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.2, 1.5])
def test_a_square_cuts_a_circle_where_geometry_says(ratio: float) -> None:
    share = 1.0
    if ratio > 1.0:
        # eight arcs from the middle of a side to where the circle leaves it
        out = 8.0 * np.arccos(1.0 / ratio) / (2.0 * np.pi)
        share = max(1.0 - out, 0.0)
    found = ring_coverage(_square(1e5), np.array([_spacing(ratio * 1e5)]), sectors=3600)
    assert found[0] == pytest.approx(share, abs=2e-3)


def test_a_panel_beside_the_beam_sees_a_part_and_no_ring_beyond_the_wavelength() -> None:
    beside = _square(1e5, away=1e5)
    inner, none = ring_coverage(beside, np.array([_spacing(5e4), 0.05]))
    assert inner == pytest.approx(0.5, abs=0.01)
    assert none == 0.0
