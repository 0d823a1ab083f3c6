"""Records of micro-Laue check themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.records.laue import laue_peaks


def test_peaks_rank_by_counts_where_these_are_known() -> None:
    peaks = laue_peaks(np.arange(3.0), np.arange(3.0), np.array([5.0, 6.0, 7.0]), sigma_px=0.2)
    known = replace(peaks, intensity=np.array([50.0, np.nan, 3.0]))
    assert known.strength.tolist() == [50.0, 6.0, 3.0]
    np.testing.assert_allclose(peaks.standard_error("slow"), 0.2)
    assert peaks.pattern.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"fast": np.array([np.nan, 1.0])}, "fast holds NaN"),
        ({"covariance": np.zeros((2, 2, 2))}, "a variance that is not positive"),
        ({"pattern": np.array([1, 0])}, "not in ascending order"),
    ],
)
def test_peaks_that_cannot_be_are_refused(change: dict[str, np.ndarray], what: str) -> None:
    with pytest.raises(InvalidValueError, match=what):
        replace(laue_peaks(np.ones(2), np.ones(2), np.ones(2)), **change)
