"""Two polymorphs from spots: told apart where they can be, undecided where not, and counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import poisson

from mesolith.errors import DuplicateError, InvalidValueError
from mesolith.hedm import figure_phase_map, frames_phase
from mesolith.hedm.brightness import fit_brightness
from mesolith.hedm.calibrate_spots import uncalibrated
from mesolith.hedm.figure_phase_odds import odds_drawing
from mesolith.hedm.frames_layers import STATION
from mesolith.hedm.indexed import grain_map_from_indexed
from mesolith.hedm.phase_counts import grains_that_fit, offsets_for_share
from mesolith.hedm.polymorph import phase_odds
from mesolith.hedm.read import with_phases
from mesolith.hedm.sightings import lookup_of, sightings_of
from mesolith.hedm.two_phases import two_phases
from mesolith.io.record_file import read_record, write_record
from mesolith.materials.loader import load_material
from mesolith.pipeline.work import Source, Work
from mesolith.records.cell import Cell, State
from mesolith.records.grains import GrainMap
from mesolith.records.phase_odds import PhaseOdds
from tests.hedm.polymorph_layers import PHASES, true_phases, two_polymorphs
from tests.hedm.virtual_layers import UPRIGHT, A

CUBIC = np.array([A, A, A, *[np.pi / 2.0] * 3])
RADIUS = 800.0


@pytest.fixture(scope="module")
def odds() -> PhaseOdds:
    layer, grains = two_polymorphs()
    return phase_odds(layer.spots, UPRIGHT, grains, PHASES, sample_radius=RADIUS)


def test_bright_grains_are_told_apart(odds: PhaseOdds) -> None:
    truth = true_phases(*two_polymorphs())
    assert len(odds) == 60
    assert np.array_equal(odds.phase, truth)
    assert odds.decided.mean() > 0.9
    assert np.all(odds.log_ratio[odds.decided & (truth == 0)] > 3.0)
    assert np.all(odds.log_ratio[odds.decided & (truth == 1)] < -3.0)
    assert odds.found[truth == 1].sum() <= 2
    assert odds.found[truth == 0].sum() == pytest.approx(odds.expected[truth == 0].sum(), rel=0.1)
    assert abs(odds.share - 0.2) < 3.0 * odds.share_se
    assert abs(odds.lattice_offset) < 5e-5


def test_the_order_of_the_phases_does_not_matter(odds: PhaseOdds) -> None:
    layer, grains = two_polymorphs()
    turned = phase_odds(layer.spots, UPRIGHT, grains, PHASES[::-1], sample_radius=RADIUS)
    assert np.array_equal(turned.phase, 1 - odds.phase)
    assert np.array_equal(turned.decided, odds.decided)
    assert np.allclose(turned.log_ratio_reflections, -odds.log_ratio_reflections)


def test_faint_grains_stay_undecided() -> None:
    """A tenth of the counts: hardly a telling reflection is listed."""
    layer, grains = two_polymorphs(counts=1.5e3)
    faint = phase_odds(layer.spots, UPRIGHT, grains, PHASES, sample_radius=RADIUS)
    truth = true_phases(layer, grains)
    assert faint.decided.mean() < 0.4
    # as many may be wrong as the decided grains say of themselves, with 99 % certainty
    wrong = faint.decided & (faint.phase != truth)
    stated = float(np.sum(1.0 - faint.probability[faint.decided]))
    assert wrong.sum() <= poisson.ppf(0.99, stated)
    assert faint.log_ratio_reflections[truth == 1].max() < 3.0


def test_absorption_and_filters_are_measured() -> None:
    layer, grains = two_polymorphs(attenuated=100.0)
    table = two_phases(*PHASES, wavelength=UPRIGHT.beam.wavelength, d_min=A / 6.2)
    lookup = lookup_of(layer.spots, UPRIGHT, grains.error_scale)
    sightings = sightings_of(
        lookup,
        UPRIGHT,
        grains.lattice_vectors,
        grains.position,
        table.hkl,
        sample_radius=RADIUS,
        pole=np.radians(6.0),
    )
    brightness = fit_brightness(sightings, layer.spots, table, grains=len(grains))
    assert brightness.absorption == pytest.approx(18.4e-4, rel=0.01)
    assert brightness.detection.threshold == pytest.approx(130.0, rel=0.05)
    assert brightness.detection.scatter == pytest.approx(0.05, abs=0.01)
    level = {
        tuple(hkl): v for hkl, v in zip(table.families.tolist(), brightness.level, strict=True)
    }
    for inner in ((2, 1, 1), (2, 2, 0), (3, 1, 0), (3, 2, 1)):
        assert level[inner] == pytest.approx(-np.log(100.0), abs=0.15)
    for outer in ((4, 0, 0), (4, 2, 2), (5, 2, 1), (5, 1, 0)):
        assert level[outer] == pytest.approx(0.0, abs=0.1)


def test_a_chord_through_the_middle_is_a_diameter() -> None:
    """The way through the sample of rays of a grain on the axis hardly differs from 2 R."""
    layer, grains = two_polymorphs()
    lookup = lookup_of(layer.spots, UPRIGHT, grains.error_scale)
    hkl = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 4]])

    def paths(place: list[float]) -> np.ndarray:
        found = sightings_of(
            lookup,
            UPRIGHT,
            grains.lattice_vectors[:1],
            np.array([place]),
            hkl,
            sample_radius=RADIUS,
            pole=np.radians(6.0),
        )
        return found.path

    assert paths([0.0, 0.0, 0.0]) == pytest.approx(2.0 * RADIUS, rel=0.005)
    assert paths([790.0, 0.0, 0.0]).min() < RADIUS


def test_every_grain_fits_both_phases_until_the_lattice_is_wrong() -> None:
    _, grains = two_polymorphs()
    below, above = offsets_for_share(grains.lattice_vectors, CUBIC, tolerance=2.5e-3, share=0.25)
    counted = grains_that_fit(
        grains.lattice_vectors, CUBIC, np.array([0.0, below, above, 0.01]), tolerance=2.5e-3
    )
    assert counted[0] == 60
    assert np.abs(counted[1:3] - 15).max() <= 1
    assert counted[3] == 0
    # the tolerance, and some of the grains' own spread
    assert 1.5e-3 < above < 3.5e-3
    assert -3.5e-3 < below < -1.5e-3


def test_counts_of_a_made_lattice() -> None:
    lattice = A * (1.0 + np.array([0.0, 1e-3, 2e-3]))[:, None, None] * np.eye(3)
    found = grains_that_fit(lattice, CUBIC, np.array([-2e-3, 0.0, 1.1e-3]), tolerance=1.05e-3)
    assert found.tolist() == [0, 2, 2]
    with pytest.raises(InvalidValueError, match="no grain"):
        offsets_for_share(lattice[:0], CUBIC, tolerance=1e-3)
    bent = lattice @ np.diag([1.01, 1.0, 0.99])
    with pytest.raises(InvalidValueError, match="Widen the tolerance"):
        offsets_for_share(bent, CUBIC, tolerance=1e-3)


def test_phases_of_different_lattices_are_refused() -> None:
    layer, grains = two_polymorphs()
    with pytest.raises(InvalidValueError, match="no two phases on one lattice"):
        phase_odds(
            layer.spots,
            UPRIGHT,
            grains,
            (PHASES[0], load_material("Li")),
            sample_radius=RADIUS,
        )


def test_records_that_contradict_themselves_are_refused(odds: PhaseOdds) -> None:
    with pytest.raises(DuplicateError, match="twice"):
        replace(odds, grain_id=np.zeros(len(odds), dtype=np.int64))
    with pytest.raises(InvalidValueError, match="of the likelier phase"):
        replace(odds, probability=np.full(len(odds), 0.3))


def work_of(folder: Path, second: str | None) -> Work:
    """The step's work on spots, instrument and grains laid down in a folder."""
    layer, grains = two_polymorphs()
    station = uncalibrated(UPRIGHT, place=None, omega=None)
    (folder / "spots").mkdir(parents=True)
    (folder / "index").mkdir()
    (folder / "out").mkdir()
    write_record(folder / "spots" / "record.h5", layer.spots)
    write_record(folder / "spots" / "instrument.h5", UPRIGHT)
    write_record(folder / "index" / "record.h5", grains)
    write_record(folder / "index" / STATION, station)
    return Work(
        step="frames.odds",
        label="pristine",
        settings={
            "state.frames": {"layer_z_um": 0.0},
            "electrolyte.material": "LLZTO-I-43d",
            "electrolyte.second_phase": second,
            "cell.diameter_um": 1600.0,
            "frames.sample_radius_um": None,
            "frames.beam_height_um": 100.0,
            "frames.strain": 2.5e-3,
            "frames.pole_deg": 6.0,
            "frames.intensity_spread": 0.3,
            "frames.evidence": 30.0,
            "frames.completeness": 0.0,
        },
        inputs={
            "frames.spots": (Source("pristine", folder / "spots"),),
            "frames.index": (Source("pristine", folder / "index"),),
        },
        folder=folder / "out",
        selector={"layer": 0},
    )


def test_the_step_weighs_two_phases_and_says_what_counts_would(tmp_path: Path) -> None:
    assert frames_phase.parts(work_of(tmp_path / "one", None)) == []
    assert frames_phase.parts(work_of(tmp_path / "lithium", "Li")) == []
    work = work_of(tmp_path / "two", "LLZTO-Ia-3d")
    assert frames_phase.parts(work) == [{"layer": 0}]
    frames_phase.compute(work)
    written = read_record(work.folder / "record.h5", PhaseOdds)
    assert np.array_equal(written.phase, true_phases(*two_polymorphs()))
    told = [r["text"] for r in json.loads((work.folder / "remarks.json").read_text("utf-8"))]
    assert any("12 are LLZTO-Ia-3d" in text or "11 are LLZTO-Ia-3d" in text for text in told)
    assert any("every one of these grains fits it" in text for text in told)
    assert any("{141} is systematically absent" in text for text in told)


def test_the_map_and_the_figures_carry_the_phases(odds: PhaseOdds) -> None:
    _, grains = two_polymorphs()
    plain = grain_map_from_indexed(grains, volume=2e8)
    assert plain.phase_probability is None
    grain_map = with_phases(plain, odds)
    assert np.array_equal(grain_map.phase, odds.phase)
    assert np.array_equal(grain_map.phase_probability, odds.probability)
    states = tuple(
        State(name, k, handles={GrainMap: lambda: grain_map}) for k, name in enumerate(("a", "b"))
    )
    cell = Cell("two", {"cell.diameter_um": 1600.0, "cell.thickness_um": 100.0}, states)
    second = int((odds.decided & (odds.phase == 1)).sum())
    for draw in (figure_phase_map.draw, figure_phase_map.draw_all):
        drawn = draw(cell)
        assert drawn is not None
        assert f"{second} LLZTO-Ia-3d" in drawn.caption
        table = drawn.table
        assert np.array_equal(table["phase"][:60] == "LLZTO-Ia-3d", odds.phase == 1)
    one_phase = Cell("one", cell.conditions, (State("a", 0, handles={GrainMap: lambda: plain}),))
    assert figure_phase_map.draw(one_phase) is None
    shown = odds_drawing("a", odds)
    assert "{310}" in shown.how
    assert np.array_equal(shown.table["log_ratio"], odds.log_ratio)
