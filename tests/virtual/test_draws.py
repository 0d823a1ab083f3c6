"""Draws of cells from the priors, and the priors themselves."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.virtual.draws import draw_cell
from mesolith.virtual.planted import Planted

PRIORS = Path(__file__).parents[2] / "benchmarks" / "priors.toml"


@pytest.fixture(scope="module")
def priors() -> dict[str, Any]:
    return tomllib.loads(PRIORS.read_text(encoding="utf-8"))


def test_there_are_three_draws_of_the_same_keys(priors: dict[str, Any]) -> None:
    assert list(priors)[:3] == ["nominal", "wide", "misspecified"]
    assert priors["nominal"].keys() == priors["wide"].keys() == priors["misspecified"].keys()


def test_nominal_is_what_it_says(priors: dict[str, Any]) -> None:
    drawn = draw_cell(1, "nominal", priors)
    assert drawn.cell.plan.stack_pressure_mpa == (5.0,) * 5
    assert drawn.instrument.sigma_strain == 1e-4
    assert drawn.instrument.stated_share == 1.0
    assert drawn.assumed_stiffness_mpa == drawn.cell.plan.stiffness_mpa
    assert all(motion.dilatation == 0.0 for motion in drawn.motions)


def test_wide_spreads_within_its_bounds(priors: dict[str, Any]) -> None:
    drawn = [draw_cell(seed, "wide", priors) for seed in range(12)]
    grain = [d.cell.plan.grain_um for d in drawn]
    strain = [d.instrument.sigma_strain for d in drawn]
    assert min(grain) >= 52.0
    assert max(grain) <= 62.0
    assert np.ptp(grain) > 3.0
    assert min(strain) >= 4e-5
    assert max(strain) <= 2.5e-4
    assert max(strain) / min(strain) > 2.0
    assert len({d.instrument.reference_offset for d in drawn}) == 12


def test_misspecified_breaks_what_the_analysis_believes(priors: dict[str, Any]) -> None:
    drawn = draw_cell(3, "misspecified", priors)
    assert drawn.assumed_stiffness_mpa != drawn.cell.plan.stiffness_mpa
    assert drawn.instrument.tail_freedom == 3.0
    assert drawn.instrument.size_exponent == 1.0
    assert any(motion.dilatation != 0.0 for motion in drawn.motions)


def test_a_seed_repeats_and_states_may_come_in_any_order(priors: dict[str, Any]) -> None:
    first, second = draw_cell(4, "wide", priors), draw_cell(4, "wide", priors)
    late = first.measure(3).map.lattice
    first.measure(0)
    second.measure(0)
    assert np.array_equal(second.measure(3).map.lattice, late)


def test_an_unknown_draw_is_named(priors: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="Draws: nominal, wide, misspecified"):
        draw_cell(0, "narrow", priors)


def test_planted_effects_and_their_drift_reach_the_measurement(priors: dict[str, Any]) -> None:
    planted = Planted(trend_mpa=50.0, drift_mpa=30.0)
    plain, drawn = draw_cell(5, "wide", priors), draw_cell(5, "wide", priors, planted=planted)
    for k, (motion, own) in enumerate(zip(drawn.motions, plain.motions, strict=True)):
        assert motion.dilatation == own.dilatation + drawn.cell.drift[k]
        assert np.array_equal(motion.rotation, own.rotation)
    assert drawn.cell.drift[1:].all()
    gain = (
        drawn.cell.grain_truth(4).stress_hydrostatic - plain.cell.grain_truth(4).stress_hydrostatic
    )
    rise = np.polyfit(plain.cell.grain_truth(4).position[:, 2], gain, 1)[0]
    assert rise * plain.cell.plan.thickness_um == pytest.approx(50.0)
