"""Sentences on plated capacity and critical current, against protocols with a planted end."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.records.cell import Cell
from mesolith.report.story_cycling import capacity_sentences, cycling_sentences
from tests.echem.protocols import AREA_M2
from tests.echem.spectra import TRUTH, noisy
from tests.echem.test_figures import cell_of, spectra, stepped


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("hard", "lies between 1.2 and 1.4 mA/cm², where the cell shows a hard short"),
        ("soft", "lies between 1.2 and 1.4 mA/cm², where the cell shows a soft short"),
        ("none", "No half cycle shows a short up to 2 mA/cm²"),
    ],
)
def test_each_end_has_its_sentence(kind: str, told: str) -> None:
    plated, critical = capacity_sentences(cell_of(stepped(kind), area_se=0.03 * AREA_M2))
    assert told in critical
    assert "±" in plated
    assert ("before it failed" in plated) == (kind != "none")
    assert "current density, plated per cycle; open" in plated.partition("not met: ")[2]
    assert "open: share of the lithium passed per cycle" in plated


def test_an_unclear_fall_is_neither() -> None:
    _, critical = capacity_sentences(cell_of(stepped("none", improvement=0.09)))
    assert "nothing tells a soft short from a better contact" in critical


def test_without_an_area_or_half_cycles_nothing_is_said() -> None:
    assert capacity_sentences(cell_of(stepped("hard"), area=None)) == []
    assert capacity_sentences(Cell("c", {}, ())) == []


def test_sweeps_that_fail_are_counted() -> None:
    rng = np.random.default_rng(5)
    good, other = noisy(rng, 0.002), noisy(rng, 0.002, truth=TRUTH * [1, 1, 3, 1, 1, 1, 1, 1])
    (alone,) = cycling_sentences(spectra(good))
    assert "over 1 impedance sweep" in alone
    _, wrong = cycling_sentences(spectra(good, good.real + 1j * other.imag))
    assert wrong.startswith("1 of 2 sweeps fail the Kramers-Kronig test")
