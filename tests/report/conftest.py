"""The synthetic cell that the report's tests draw."""

from __future__ import annotations

import pytest

from mesolith.records.cell import Cell

from .synthetic_cell import synthetic_cell


@pytest.fixture(scope="session")
def cell() -> Cell:
    """Five states of a few hundred grains, cycling, tracking, truth."""
    return synthetic_cell()
