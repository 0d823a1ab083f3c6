"""Records of scans check themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import DuplicateError, InvalidValueError
from mesolith.records.laue_scan import CURRENT_ON, raster_scan


def test_a_raster_knows_its_places_and_its_gaps() -> None:
    scan = raster_scan(rows=2, columns=3, step_um=2.0, origin_um=(10.0, 20.0), current=CURRENT_ON)
    assert scan.x.tolist() == [10.0, 12.0, 14.0] * 2
    assert scan.y.tolist() == [20.0] * 3 + [22.0] * 3
    keep = np.array([0, 1, 3, 4, 5])
    names = ("pattern", "row", "column", "x", "y", "time", "current")
    gap = replace(scan, **{name: getattr(scan, name)[keep] for name in names})
    assert gap.recorded.tolist() == [[True, True, False], [True, True, True]]
    assert gap.grid[1].tolist() == [2, 3, 4]
    laid = gap.on_raster(np.arange(5.0))
    assert np.isnan(laid[0, 2])
    assert laid[1, 2] == 4.0


@pytest.mark.parametrize(
    ("change", "error", "what"),
    [
        ({"x": np.array([np.nan, 1.0])}, InvalidValueError, "without a place"),
        ({"column": np.array([0, 5])}, InvalidValueError, "has row 0, column 5"),
        ({"column": np.array([0, 0])}, DuplicateError, "has two points"),
        ({"column": np.array([1, 0])}, InvalidValueError, "not ordered"),
        ({"current": np.array([0, 7])}, InvalidValueError, "current is 1, 0"),
    ],
)
def test_scans_that_cannot_be_are_refused(
    change: dict[str, np.ndarray], error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        replace(raster_scan(rows=1, columns=2, step_um=1.0), **change)
