"""Half cycles: cut by steps, and what each amounts to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesolith.axes import FloatArray
from mesolith.echem.half_cycles import Points, half_cycles_from_points, standard_error_of_mean


def protocol(*, flags: bool = True, known: bool = True, noise: float = 0.0) -> Points:
    """Rest, plating, rest, sweep, stripping: 10 rows each, 30 s apart, 1 mA under 1000 ohm.

    The first row of each step still shows the current and voltage of the step before.
    """
    rng = np.random.default_rng(1)
    step = np.repeat(np.arange(5), 10)
    asked = np.array([np.nan, 1e-3, np.nan, np.nan, -1e-3])[step]
    current = np.nan_to_num(asked)
    current[20:] = np.where(np.arange(20, 50) % 10 == 0, 0.97 * current[19:49], current[20:])
    current[10] = 0.0
    first = np.arange(50) % 10 == 0
    return Points(
        time=30.0 * np.arange(50),
        current=current,
        voltage=1000.0 * current + noise * rng.normal(size=50),
        step=step,
        switched=first & (step > 0) if flags else None,
        set_current=asked if known else np.full(50, np.nan),
        sweep=step == 3,
    )


@pytest.mark.parametrize("flags", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_rests_sweeps_and_switches_are_left_out(flags: bool, known: bool) -> None:
    found = half_cycles_from_points(protocol(flags=flags, known=known))
    assert found.step.tolist() == [1, 4]
    assert found.overpotential == pytest.approx([1.0, -1.0])
    assert found.overpotential_std == pytest.approx([0.0, 0.0], abs=1e-12)
    assert found.current == pytest.approx([1e-3, -1e-3])
    assert np.all(found.rows >= 8)


def test_charge_is_the_integral_over_the_whole_run() -> None:
    n = 121
    step = np.full(n, 3)
    points = Points(
        time=30.0 * np.arange(n),
        current=np.full(n, 2.8e-6),
        voltage=np.full(n, 3e-3),
        step=step,
        switched=np.arange(n) == 0,
        set_current=np.full(n, 2.8e-6),
        sweep=np.zeros(n, dtype=bool),
    )
    found = half_cycles_from_points(points)
    assert found.charge == pytest.approx([2.8e-6 * 3600.0])
    assert found.duration == pytest.approx([3600.0])
    assert found.rows.tolist() == [120]
    assert found.first_row.tolist() == [1]


def test_current_below_the_share_is_left_out() -> None:
    points = protocol()
    weak = points.current.copy()
    weak[13] = 0.85e-3
    weak[14] = 0.95e-3
    points = dataclasses.replace(points, current=weak)
    assert half_cycles_from_points(points).rows[0] == 8
    assert half_cycles_from_points(points, current_share=0.8).rows[0] == 9


def test_without_step_numbers_the_direction_cuts() -> None:
    current = np.concatenate(
        [np.full(20, 1e-3), np.full(20, -1e-3), np.zeros(5), np.full(20, 1e-3)]
    )
    n = len(current)
    points = Points(
        time=10.0 * np.arange(n),
        current=current,
        voltage=current,
        step=np.full(n, -1),
        switched=None,
        set_current=np.full(n, np.nan),
        sweep=np.zeros(n, dtype=bool),
    )
    found = half_cycles_from_points(points)
    assert np.sign(found.current).tolist() == [1, -1, 1]
    assert found.first_row.tolist() == [1, 21, 46]


def test_rest_alone_has_no_half_cycle() -> None:
    points = protocol(known=False)
    quiet = dataclasses.replace(points, current=np.zeros(50))
    assert len(half_cycles_from_points(quiet).step) == 0
    nothing = Points(
        time=np.empty(0),
        current=np.empty(0),
        voltage=np.empty(0),
        step=np.empty(0, dtype=np.int64),
        switched=None,
        set_current=np.empty(0),
        sweep=np.empty(0, dtype=bool),
    )
    assert len(half_cycles_from_points(nothing).step) == 0


def test_voltage_that_is_missing_is_left_out() -> None:
    points = protocol()
    voltage = points.voltage.copy()
    voltage[15] = np.nan
    found = half_cycles_from_points(dataclasses.replace(points, voltage=voltage))
    assert found.rows[0] == 8
    assert found.overpotential[0] == pytest.approx(1.0)


@given(sign=st.sampled_from([-1.0, 1.0]), scale=st.floats(1e-3, 1e3))
def test_sign_and_scale_go_through(sign: float, scale: float) -> None:
    plain = half_cycles_from_points(protocol(noise=1e-3))
    points = protocol(noise=1e-3)
    turned = dataclasses.replace(
        points,
        current=sign * points.current,
        voltage=sign * scale * points.voltage,
    )
    found = half_cycles_from_points(turned)
    assert found.overpotential == pytest.approx(sign * scale * plain.overpotential)
    assert found.overpotential_std == pytest.approx(scale * plain.overpotential_std)
    assert found.overpotential_se == pytest.approx(scale * plain.overpotential_se)
    assert found.charge == pytest.approx(sign * plain.charge)


def correlated(coefficient: float, n: int, rng: np.random.Generator) -> FloatArray:
    """Stationary first-order series of mean zero."""
    shocks = rng.normal(size=n)
    values = np.empty(n)
    values[0] = shocks[0] / np.sqrt(1.0 - coefficient**2)
    for k in range(1, n):
        values[k] = coefficient * values[k - 1] + shocks[k]
    return values


@pytest.mark.parametrize(
    ("coefficient", "n"),
    [(0.0, 30), (0.0, 480), (0.5, 30), (0.5, 120), (0.8, 120), (0.9, 240), (0.9, 120)],
)
def test_standard_error_covers(coefficient: float, n: int) -> None:
    """A one-sigma interval holds the mean in 60 to 76 % of 500 series."""
    rng = np.random.default_rng(7)
    series = [correlated(coefficient, n, rng) for _ in range(500)]
    inside = np.mean([abs(x.mean()) < standard_error_of_mean(x) for x in series])
    assert 0.60 < inside < 0.76


def test_standard_error_of_noise_on_a_drift() -> None:
    """White noise hides a slow drift from the neighbours, but hardly from the error."""
    rng = np.random.default_rng(3)
    off, stated, naive = [], [], []
    for _ in range(400):
        values = 0.3 * correlated(0.95, 400, rng) + rng.normal(size=400)
        off.append(values.mean())
        stated.append(standard_error_of_mean(values))
        naive.append(values.std(ddof=1) / np.sqrt(400))
    true = np.sqrt(np.mean(np.square(off)))
    assert 0.75 * true < np.median(stated) < 1.3 * true
    assert np.median(naive) < 0.5 * true


@pytest.mark.parametrize("amplitude", [1.0, 3.0])
def test_a_polarisation_course_is_no_error_of_its_mean(amplitude: float) -> None:
    """The mean over a half cycle in which the voltage creeps is as sure as without the creep."""
    rng = np.random.default_rng(11)
    course = amplitude * (1.0 - np.exp(-3.0 * np.linspace(0.0, 1.0, 450)))
    off, stated = [], []
    for _ in range(400):
        values = course + correlated(0.5, 450, rng)
        off.append(values.mean() - course.mean())
        stated.append(standard_error_of_mean(values))
    assert 0.60 < np.mean(np.abs(off) < stated) < 0.76
    assert np.median(stated) < 1.3 * np.sqrt(np.mean(np.square(off)))


def test_standard_error_halves_with_the_noise_and_never_undercuts_independence() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=100)
    assert standard_error_of_mean(0.5 * values) == pytest.approx(
        0.5 * standard_error_of_mean(values)
    )
    assert standard_error_of_mean(values) >= 0.97 * values.std(ddof=1) / 10.0
    assert standard_error_of_mean(np.full(10, 2.0)) == 0.0
    assert np.isnan(standard_error_of_mean(np.array([1.0])))
    assert standard_error_of_mean(np.array([0.0, 1.0])) == pytest.approx(0.5)
