"""Figures of spots show what is in the records, and the wave that a wrong tilt makes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mesolith.hedm import figure_completeness, figure_residuals, figure_rings
from mesolith.hedm.figure_completeness import completeness_drawing
from mesolith.hedm.figure_residuals import residuals_drawing
from mesolith.hedm.figure_rings import _busiest, _Ring, spots_drawing
from mesolith.hedm.indexed import index_spots
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.instrument.predict import predict_spots
from mesolith.records.cell import Cell, State
from mesolith.records.grains import Phases
from mesolith.records.indexed import IndexedGrains, SpotAssignment
from mesolith.records.spots import Spots
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import SETTINGS, UPRIGHT, layer, llzo
from tests.records.spot_lists import spots_at

LATTICE = 12.95
STATION = Instrument(
    beam_from_energy(76.2),
    Goniometer(0.0, 0.0),
    (
        Panel(
            "ff1",
            np.array([2048, 2048]),
            np.array([200.0, 200.0]),
            np.array([2_189_000.0, 0.0, 0.0]),
            np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
        ),
    ),
)


def one_grain() -> tuple[Spots, IndexedGrains]:
    """All {400} and {211} of one grain off the axis, as spots, and the grain."""
    vectors, place = LATTICE * np.eye(3)[None], np.array([[300.0, -200.0, 20.0]])
    grid = np.arange(-4, 5)
    hkl = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    hkl = hkl[np.isin((hkl**2).sum(axis=1), (6, 16))]
    hkl = hkl[np.abs(hkl).max(axis=1) != 3]
    there = predict_spots(STATION, vectors, place, hkl.astype(np.float64))
    seen = there.panel[0] >= 0
    omega = there.omega[0][seen]
    spots = spots_at(omega, fast=there.fast[0][seen], slow=there.slow[0][seen])
    grains = IndexedGrains(
        grain_id=np.array([1]),
        lattice_vectors=vectors,
        position=place,
        covariance=np.eye(12)[None],
        phase=np.array([0]),
        phases=Phases(
            name=("LLZTO",),
            space_group=np.array([220]),
            lattice=np.array([[LATTICE, LATTICE, LATTICE, *[np.pi / 2.0] * 3]]),
        ),
        completeness=np.array([0.64]),
        expected=np.array([len(omega)]),
        spots=np.array([len(omega)]),
        own_spots=np.array([len(omega)]),
        likelihood=np.array([500.0]),
        scatter=np.array([1.0]),
        volume_share=np.array([1.0]),
        chance=np.array([0.1]),
        error_scale=np.array([1.0, 1.0]),
    )
    return spots, grains


def assignment(wave: float) -> SpotAssignment:
    """Residuals with a wave of ``wave`` px away from the beam over eta, and noise of 0.1 px.

    On `STATION`, whose fast axis is -y and whose slow axis is z.
    """
    rng = np.random.default_rng(0)
    n = 4000
    eta, omega = rng.uniform(-np.pi, np.pi, (2, n))
    residual = rng.normal(0.0, [0.1, 0.1, 1e-3], (n, 3))
    residual[:, 0] += wave * np.cos(eta) * np.sin(eta)
    residual[:, 1] += wave * np.cos(eta) * np.cos(eta)
    return SpotAssignment(
        spot=np.arange(n),
        grain_id=np.ones(n, dtype=np.int64),
        hkl=np.ones((n, 3), dtype=np.int64),
        residual=residual,
        distance=np.ones(n),
        weight=np.ones(n),
        omega=omega,
        eta=eta,
    )


def test_circles_lie_on_the_spots_of_the_grain() -> None:
    spots, grains = one_grain()
    drawing = spots_drawing("pristine", spots, STATION, grains)
    chart = drawing.figure.axes[2]
    points, _, circles, *_ = (np.asarray(c.get_offsets()) for c in chart.collections)
    assert len(points) == len(circles) >= 10
    distance = np.linalg.norm(points[:, None] - circles, axis=2).min(axis=1)
    assert np.all(distance < 1e-6)
    angles = np.unique(np.round(drawing.table["two_theta_deg"], 1))
    # Bragg's law for {211} and {400} at 0.162709 angstrom, spread by the place of the grain
    expected = 2.0 * np.degrees(np.arcsin(0.162709 / 2.0 / LATTICE * np.sqrt([6.0, 16.0])))
    assert angles.min() == pytest.approx(expected[0], abs=0.06)
    assert angles.max() == pytest.approx(expected[1], abs=0.06)


def worst_wave(found: SpotAssignment, instrument: Instrument = STATION) -> tuple[str, float]:
    """The largest wave as the caption tells it, and how high it is."""
    words = residuals_drawing("pristine", found, instrument, np.zeros(len(found), dtype=np.int64))
    told = re.search(r"The largest wave, (.*), is (\S+) ", words.caption)
    return ("none", 0.0) if told is None else (told.group(1), float(told.group(2)))


def test_a_wave_of_residuals_is_told_with_its_height() -> None:
    assert worst_wave(assignment(0.0)) == ("none", 0.0)
    told, height = worst_wave(assignment(0.05))
    assert told == "one period of radial residual over azimuth"
    assert height == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({}, None),
        ({"tilt": (0.0, 2e-3, 0.0)}, "one period of radial residual over azimuth"),
        ({"tilt": (0.0, 0.0, 2e-3)}, "one period of radial residual over azimuth"),
        ({"centre": (100.0, 0.0)}, "one period of azimuthal residual over azimuth"),
        ({"wedge": 1e-3}, "two periods of omega residual over azimuth"),
    ],
)
def test_what_is_wrong_with_the_station_is_seen(
    wrong: dict[str, Any], expected: str | None
) -> None:
    truth = layer(40, 5, Station(**wrong))
    found = index_spots(truth.spots, UPRIGHT, (llzo(),), SETTINGS).assignment
    told, height = worst_wave(found, UPRIGHT)
    if expected is None:
        assert height < 0.01
    else:
        assert told == expected
        assert height > 0.02


def test_completeness_is_shown_beside_the_size() -> None:
    _, grains = one_grain()
    rows = ("lattice_vectors", "position", "covariance", "phase", "completeness", "expected")
    rows += ("spots", "own_spots", "likelihood", "scatter")
    many = {name: np.repeat(getattr(grains, name), 8, axis=0) for name in rows}
    share = np.array([8.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.125, np.nan])
    some = replace(grains, grain_id=np.arange(8), volume_share=share, **many)
    drawing = completeness_drawing("pristine", some)
    expected = [2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, np.nan]
    assert np.allclose(drawing.table["diameter_over_median"], expected, equal_nan=True)


def test_completeness_counts_grains_below_the_papers_criterion() -> None:
    _, grains = one_grain()
    drawing = completeness_drawing("pristine", grains)
    assert "1 grain lies below it" in drawing.caption
    assert drawing.table["completeness"].tolist() == [0.64]


def test_figures_need_their_records() -> None:
    spots, grains = one_grain()
    empty = Cell("cell", {}, (State("pristine", 0),))
    for module in (figure_rings, figure_residuals, figure_completeness):
        assert module.draw(empty) is None
    handles = {
        Spots: lambda: spots,
        IndexedGrains: lambda: grains,
        Instrument: lambda: STATION,
        SpotAssignment: lambda: assignment(0.1),
    }
    full = Cell("cell", {}, (State("pristine", 0, handles=handles),))
    for module in (figure_rings, figure_residuals, figure_completeness):
        drawing = module.draw(full)
        assert drawing is not None
        assert "pristine" in drawing.caption


def test_a_crowded_ring_shows_a_part_of_the_rotation_with_what_all_grains_predict() -> None:
    truth = layer(80, 5)
    found = index_spots(truth.spots, UPRIGHT, (llzo(),), SETTINGS)
    drawing = spots_drawing("pristine", truth.spots, UPRIGHT, found.grains)
    low, high = drawing.figure.axes[2].get_ylim()
    assert 10.0 < high - low < 180.0
    assert f"{low:.3g} to {high:.3g} deg of the rotation" in drawing.caption
    points, *circles = drawing.figure.axes[2].collections
    spots = np.asarray(points.get_offsets())
    predicted = np.vstack([np.asarray(one.get_offsets()) for one in circles])
    assert 500 < len(spots) <= 1_300
    # all but the merged ones have their circle
    away = np.linalg.norm(spots[:, None] - predicted, axis=2).min(axis=1)
    assert np.mean(away < 0.4) > 0.95


def test_a_ring_that_two_phases_share_is_one_ring() -> None:
    shared = [_Ring(phase, (4, 0, 0), 0.05) for phase in (0, 1)]
    found = [*shared, _Ring(0, (3, 1, 0), 0.04)]
    assert _busiest(found, np.full(20, 0.05)).family == (4, 0, 0)
    # a ring with a true neighbour is not chosen, however many spots lie there
    crowded = [*found, _Ring(0, (4, 2, 0), 0.0504)]
    assert _busiest(crowded, np.full(20, 0.05)).family == (3, 1, 0)
