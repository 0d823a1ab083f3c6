"""The estimate of the time left."""

from __future__ import annotations

from mesolith.pipeline.progress import Estimate, Totals
from mesolith.pipeline.work import Cost
from tests.pipeline.bench import part


def test_declared_seconds_count_until_something_is_measured() -> None:
    assert Estimate(Totals(parts=9, to_compute=6, seconds=60.0, slots=2)).seconds == 30.0


def test_measured_seconds_correct_the_declared_ones() -> None:
    estimate = Estimate(Totals(parts=9, to_compute=6, seconds=60.0, slots=2))
    estimate.finished(part("a", cost=Cost(seconds=10.0)), 30.0, False)
    assert estimate.seconds == 50.0 * 3.0 / 2
    estimate.finished(part("b", cost=Cost(seconds=20.0)), 0.0, True)
    assert estimate.seconds == 50.0 * 3.0 / 2
    estimate.finished(part("c", cost=Cost(seconds=90.0)), 20.0, False)
    assert estimate.seconds == 0.0
