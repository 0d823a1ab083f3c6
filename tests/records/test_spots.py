"""Spots check themselves at birth, and know which angles were measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.records.spots import Spots
from tests.records.spot_lists import spots_at


def test_covers_is_blind_to_whole_turns() -> None:
    spots = spots_at([0.1], omega_range=np.array([[-0.5, 0.2], [0.3, 1.0]]))
    inside = np.array([-0.4, 0.1, 0.35, 0.99])
    outside = np.array([-0.6, 0.25, 1.1, 3.0])
    for turns in (-2, 0, 1):
        assert spots.covers(inside + 2.0 * np.pi * turns).all()
        assert not spots.covers(outside + 2.0 * np.pi * turns).any()


def test_a_full_turn_covers_every_angle() -> None:
    assert spots_at([0.1]).covers(np.linspace(-10.0, 10.0, 999)).all()


def test_standard_errors_come_from_the_covariance() -> None:
    spots = spots_at([0.1, 0.2])
    assert np.allclose(spots.standard_error("slow"), 0.2)
    assert np.allclose(spots.standard_error("omega"), 1e-3)
    assert np.allclose(spots.standard_error("intensity"), 30.0)
    assert spots.standard_error("maximum") is None


def test_table_names_units() -> None:
    columns = spots_at([0.1]).columns()
    assert {"fast_px", "omega_rad", "intensity", "widths_omega_rad", "panel"} <= set(columns)


def test_the_store_returns_the_same_record(tmp_path: Path) -> None:
    spots = spots_at([0.1, 0.7])
    write_record(tmp_path / "record.h5", spots)
    again = read_record(tmp_path / "record.h5", Spots)
    assert again.panel_name == ("ff1",)
    assert np.array_equal(again.covariance, spots.covariance)
    assert again.omega_step == spots.omega_step


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"panel": np.array([1])}, "panel that is not listed"),
        ({"fast": np.array([np.nan])}, "Spots.fast holds NaN"),
        ({"covariance": np.zeros((1, 3, 3))}, "not positive"),
        ({"omega_step": 0.0}, "omega_step"),
        ({"omega_range": np.array([[0.5, 0.2]])}, "ordered and apart"),
        ({"omega_range": np.array([[0.0, 0.5], [0.4, 0.6]])}, "ordered and apart"),
        ({"omega_range": np.array([[0.0, 7.0]])}, "more than a turn"),
        ({"omega_range": np.array([[0.0, 0.05], [0.2, 0.3]])}, "outside the measured"),
        ({"omega_range": np.array([[0.2, 0.3]])}, "outside the measured"),
    ],
)
def test_wrong_spots_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        spots_at([0.1], **changed)
