"""The strain-free reference comes back from grains in equilibrium, with an honest error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.axes import tensor_from_six
from mesolith.errors import ContradictionError, InputError, InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.link import balance
from mesolith.link.balance import pressures_of_states, reference_from_equilibrium
from mesolith.link.balance_remarks import remarks_on
from mesolith.link.stress import stressed_grain_map
from mesolith.pipeline.work import Source, Work, read_remarks
from mesolith.records.grains import GrainMap, Phases
from mesolith.records.reference import Reference
from mesolith.records.tracking import Tracking
from tests.link.polycrystal import FILE_LATTICE, MATERIAL, all_tracked, polycrystal

BULK3 = 297_600.0  # three bulk moduli of Ta-doped LLZO, MPa


def _reference(maps: list[GrainMap], **options: Any) -> Reference:
    options.setdefault("pressure", np.zeros(len(maps)))
    names = [f"state {k}" for k in range(len(maps))]
    return reference_from_equilibrium(names, maps, materials=[MATERIAL], **options)


@pytest.mark.parametrize("offset", [-8e-4, 0.0, 3e-4])
def test_a_planted_offset_is_recovered(offset: float) -> None:
    grains = polycrystal(1, pressure=5.0)
    reference = _reference([grains.grain_map(offset=offset)], pressure=np.array([5.0]), porosity=0)
    # to second order in the strain: the lattice forgets how its axes turned
    assert reference.dilatation[0] == pytest.approx(offset, abs=2e-7)
    expected = FILE_LATTICE[0] * (1.0 + offset)
    assert reference.lattice[0, 0, :3] == pytest.approx(expected, rel=3e-7)
    assert abs(reference.imbalance[0]) < 1e-9


def test_the_stack_pressure_shifts_the_reference_by_a_third_of_it() -> None:
    grains = polycrystal(2).grain_map()
    free = _reference([grains], porosity=0.0)
    pressed = _reference([grains], pressure=np.array([6.0]), porosity=0.0)
    assert pressed.dilatation[0] - free.dilatation[0] == pytest.approx(2.0 / BULK3, rel=1e-3)
    assert free.stiffness_bulk[0] == pytest.approx(BULK3, rel=1e-12)


def test_a_given_lattice_decides_the_hydrostatic_part_whatever_else_balances() -> None:
    raw = polycrystal(6, pressure=5.0).grain_map(offset=2e-4)
    means = []
    for equilibrium in ("hydrostatic", "all"):
        reference = _reference([raw], mode="given", equilibrium=equilibrium)
        final = stressed_grain_map(raw, reference, state="state 0", materials=[MATERIAL])
        assert final.stress_hydrostatic is not None
        means.append(float(final.stress_hydrostatic.mean()))
    assert abs(means[0]) > 20.0  # 2e-4 of lattice parameter that nobody corrects
    assert means[1] == pytest.approx(means[0], abs=1e-9)


def test_all_six_components_balance_exactly_when_asked() -> None:
    grains = polycrystal(3, pressure=5.0)
    tilted = grains.with_stress(grains.stress, 5.0)
    raw = replace(
        tilted.grain_map(),
        lattice=tilted.grain_map().lattice * np.array([1.0001, 1.0, 1.0, 1.0, 1.0, 1.0]),
    )
    reference = _reference([raw], equilibrium="all", pressure=np.array([5.0]), porosity=0.0)
    final = stressed_grain_map(raw, reference, state="state 0", materials=[MATERIAL])
    assert final.stress is not None
    mean = np.sum(grains.weights[:, None, None] * final.stress, axis=0)
    assert mean == pytest.approx(np.diag([0.0, 0.0, -5.0]), abs=1e-9)
    assert np.abs(reference.shift).max() > 0.1


def test_one_reference_for_the_cell_keeps_the_differences_of_its_states() -> None:
    first, last = polycrystal(4), polycrystal(5)
    maps = [first.grain_map(offset=1e-4), last.grain_map(offset=1.4e-4)]
    cell = _reference(maps)
    assert cell.dilatation[0] == cell.dilatation[1] == pytest.approx(1.2e-4, abs=1e-7)
    assert cell.imbalance[1] - cell.imbalance[0] == pytest.approx(4e-5 * BULK3, rel=1e-2)
    own = _reference(maps, mode="state")
    assert own.dilatation == pytest.approx([1e-4, 1.4e-4], abs=1e-7)
    assert np.abs(own.imbalance).max() < 1e-9


def test_a_given_reference_is_the_materials_lattice() -> None:
    reference = _reference([polycrystal(6).grain_map()], mode="given")
    assert reference.lattice[0, 0] == pytest.approx(MATERIAL.lattice)
    strain = FILE_LATTICE[0] / MATERIAL.lattice[0] - 1.0
    assert reference.imbalance[0] == pytest.approx(strain * BULK3, rel=1e-3)


def test_the_error_of_the_reference_covers() -> None:
    pulls = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        grains = polycrystal(seed + 1000, count=150)
        grain_map = grains.grain_map(
            offset=2e-4, sigma_strain=1e-4, radius_scatter=0.1, rng=rng, stated_strain=1e-4
        )
        found = _reference(
            [grain_map], trackings=(), body_volume=4.19 * float(np.sum(grains.radius**3)) / 0.95
        )
        pulls.append(float((found.dilatation[0] - 2e-4) / found.dilatation_se[0]))
    inside = np.mean(np.abs(pulls) < 1.0)
    assert 0.60 < inside < 0.76
    assert 0.85 < np.std(pulls) < 1.15


def test_halving_the_noise_halves_the_error_that_noise_makes() -> None:
    grains = polycrystal(8).grain_map()
    fine = polycrystal(8).grain_map(stated_strain=0.5e-4)
    ratio = _reference([fine]).mean_noise_variance / _reference([grains]).mean_noise_variance
    assert ratio == pytest.approx([0.25])


def test_grains_that_were_not_found_widen_the_error() -> None:
    grains = polycrystal(9).grain_map()
    volume = 4.0 / 3.0 * np.pi * float(np.sum(grains.radius**3)) / 0.95
    shares = [1.0, 0.8, 0.5]
    found = [_reference([grains], body_volume=volume / share) for share in shares]
    lost = [float(reference.lost_share[0]) for reference in found]
    assert lost == pytest.approx([0.0, 0.2, 0.5], abs=1e-9)
    sampling = [float(reference.mean_sampling_variance[0]) for reference in found]
    assert sampling[0] == 0.0
    assert sampling[2] == pytest.approx(2.5 * sampling[1])
    unknown = _reference([grains])
    assert unknown.lost_share[0] == 1.0
    assert np.isnan(unknown.indexed_share[0])


def test_the_part_of_the_pellet_in_the_beam_is_known() -> None:
    grains = polycrystal(9).grain_map()
    lit = 4.0 / 3.0 * np.pi * float(np.sum(grains.radius**3))
    known = [replace(grains, lit_volume=lit)]
    for share, level, words in (
        (0.42, "note", "the beam lit 42 % of the pellet's volume, which its grains are taken to"),
        (1.5, "warning", "the beam lit 150 % of the pellet's volume, which does not fit"),
    ):
        reference = _reference(known, body_volume=lit / share)
        assert reference.lit_share == pytest.approx([share])
        assert reference.lost_share == pytest.approx([max(0.0, 1.0 - share / 0.95)])
        (found,) = [remark for remark in remarks_on(reference) if "the beam lit" in remark.text]
        assert (found.level, found.text[: len(words)]) == (level, words)
    # a list of grains says nothing of it
    told = [remark.text for remark in remarks_on(_reference([grains], body_volume=lit / 0.42))]
    assert any("the found grains fill 42 % of the pellet's volume, which does" in t for t in told)


def test_a_drift_between_two_states_is_noticed() -> None:
    rng = np.random.default_rng(3)
    for step, noticed in ((0.0, False), (4.6e-5, True)):
        maps = [
            polycrystal(30, count=600).grain_map(offset=k * step, sigma_strain=3e-5, rng=rng)
            for k in range(2)
        ]
        found = _reference(maps, trackings=[all_tracked(600)])
        assert (found.drift_sigma > 0.0) is noticed
        told = [remark.text for remark in remarks_on(found) if "drifted" in remark.text]
        assert bool(told) is noticed


def test_a_drift_between_states_is_noticed_and_widens_everything() -> None:
    rng = np.random.default_rng(10)
    offsets = [1e-4, 2e-4, -1e-4, 0.0, 3e-4]
    maps = [
        polycrystal(20 + k).grain_map(offset=offset, sigma_strain=1e-4, rng=rng)
        for k, offset in enumerate(offsets)
    ]
    drifting = _reference(maps)
    assert drifting.drift_sigma == pytest.approx(np.std(offsets, ddof=1), rel=0.2)
    steady = _reference(
        [polycrystal(20 + k).grain_map(offset=1e-4, sigma_strain=1e-4, rng=rng) for k in range(5)]
    )
    assert steady.drift_sigma == 0.0
    assert drifting.dilatation_se[0] > 5.0 * steady.dilatation_se[0]


def test_a_die_widens_the_reference_by_its_unknown_radial_stress() -> None:
    grains = polycrystal(11).grain_map()
    confined = _reference([grains], pressure=np.array([9.0]), lateral="confined", porosity=0.0)
    # hydrostatic mean anywhere between -3 and -9 MPa
    assert confined.target[0].trace() / 3 == pytest.approx(-6.0)
    assert confined.radial_se[0] * BULK3 == pytest.approx(3.0 / np.sqrt(3.0))


def test_radius_errors_and_lost_grains_come_from_tracked_pairs() -> None:
    rng = np.random.default_rng(12)
    grains = polycrystal(13, count=2000)
    maps = [grains.grain_map(radius_scatter=0.15, sigma_strain=1e-4, rng=rng) for _ in range(2)]
    lost = np.arange(0, 2000, 20)
    found = _reference(maps, trackings=[all_tracked(2000, lost)])
    assert found.radius_source == "estimated"
    assert found.radius_scatter == pytest.approx(0.15, rel=0.06)
    assert found.lost_share == pytest.approx([0.05, 0.05])
    assert found.noise_strain == pytest.approx(1e-4, rel=0.05)


def test_series_of_pressures() -> None:
    states = ["a", "b", "c"]
    assert pressures_of_states(None, states) is None
    assert pressures_of_states(5, states) == pytest.approx([5, 5, 5])
    series = [{"state": "b", "value": 4.0}, {"state": "c", "value": 6.0}]
    assert pressures_of_states(series, states) == pytest.approx([4, 4, 6])
    with pytest.raises(InputError, match="names none of the states"):
        pressures_of_states([{"state": "x", "value": 1.0}], states)


def test_a_wrong_lattice_is_noticed_by_its_strain() -> None:
    grains = polycrystal(14).grain_map()
    lattice = np.array(grains.lattice)
    lattice[7, 0] *= 1.2
    broken = replace(grains, lattice=lattice)
    with pytest.raises(InvalidValueError, match=r"state 0: grain 8 is strained by 1\d\.\d %"):
        _reference([broken])


def test_no_grains_have_no_reference() -> None:
    grains = polycrystal(15).grain_map()
    none = GrainMap(
        **{
            name: getattr(grains, name)[:0]
            for name in ("grain_id", "position", "orientation", "lattice", "radius")
        },
        completeness=grains.completeness[:0],
        phase=grains.phase[:0],
        phases=grains.phases,
        covariance=grains.covariance[:0],
        error_source="given",
    )
    with pytest.raises(InvalidValueError, match="without grains"):
        _reference([none])


def test_one_grain_is_enough_for_an_answer_and_a_wide_error() -> None:
    reference = _reference([polycrystal(16, count=1).grain_map()])
    assert np.isfinite(reference.dilatation_se[0])
    assert reference.dilatation_se[0] > 1e-5


def _work(folder: Path, maps: list[GrainMap], **changed: Any) -> Work:
    sources = []
    for k, grain_map in enumerate(maps):
        place = folder / f"read{k}"
        place.mkdir(parents=True)
        write_record(place / "record.h5", grain_map)
        sources.append(Source(f"state {k}", place))
    out = folder / "out"
    out.mkdir()
    settings: dict[str, Any] = {
        "conditions.stack_pressure_mpa": 5.0,
        "conditions.lateral": "free",
        "electrolyte": {"material": "LLZTO-I-43d", "stiffness_gpa": None, "second_phase": None},
        "hedm.reference": "cell",
        "hedm.equilibrium": "hydrostatic",
        "cell.diameter_um": 400.0,
        "cell.thickness_um": 300.0,
    }
    inputs: dict[str, tuple[Source, ...]] = {"hedm.read": tuple(sources)}
    return Work("link.balance", "cell", settings | changed, inputs, out)


def test_the_step_writes_a_reference_and_says_what_it_rests_on(tmp_path: Path) -> None:
    maps = [polycrystal(k, pressure=5.0).grain_map(offset=2e-4) for k in (17, 18)]
    work = _work(tmp_path, maps)
    place = tmp_path / "track"
    place.mkdir()
    write_record(place / "record.h5", all_tracked(300))
    work.inputs["link.track"] = (Source("state 0", place),)  # type: ignore[index]
    balance.compute(work)
    reference = read_record(work.folder / "record.h5", Reference)
    assert reference.dilatation[0] == pytest.approx(2e-4, abs=2e-6)
    assert reference.state == ("state 0", "state 1")
    texts = [remark.text for remark in read_remarks(work.folder)]
    assert any("by equilibrium" in text for text in texts)
    assert not any("no stack pressure" in text for text in texts)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"conditions.stack_pressure_mpa": None}, "0 MPa is assumed"),
        ({"conditions.lateral": "confined"}, "radial stress is unknown"),
        ({"hedm.reference": "state"}, "no result"),
        ({"hedm.reference": "given"}, "was taken as strain-free"),
        ({}, "one state only"),
        ({}, "no tracked pairs"),
        ({}, "% of the pellet's volume"),
        ({"cell.diameter_um": 4000.0}, "which does not fit"),
        ({"cell.thickness_um": None}, "sample of a far larger body"),
    ],
)
def test_what_is_assumed_is_said(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    work = _work(tmp_path, [polycrystal(19).grain_map()], **changed)
    balance.compute(work)
    assert any(words in remark.text for remark in read_remarks(work.folder))


def test_states_reduced_with_different_lattices_cannot_be_compared(tmp_path: Path) -> None:
    grains = polycrystal(19).grain_map()
    other = Phases(name=("LLZTO",), space_group=np.array([220]), lattice=FILE_LATTICE[None] * 1.001)
    work = _work(tmp_path, [grains, replace(grains, phases=other)])
    with pytest.raises(InputError, match="different phases or lattices"):
        balance.compute(work)


def test_an_electrolyte_that_nobody_named_stops_the_step(tmp_path: Path) -> None:
    work = _work(tmp_path, [polycrystal(19).grain_map()], electrolyte={"material": None})
    with pytest.raises(InputError, match="electrolyte has no material"):
        balance.compute(work)


def test_another_crystals_lattice_contradicts_the_material(tmp_path: Path) -> None:
    work = _work(tmp_path, [polycrystal(19).grain_map()], electrolyte={"material": "Li"})
    with pytest.raises(ContradictionError, match=r"a = 12\.9500 .* but Li has"):
        balance.compute(work)


def test_a_phase_without_material_borrows_the_stiffness_and_says_so(tmp_path: Path) -> None:
    work = _work(tmp_path, [polycrystal(19).grain_map()], electrolyte={"material": "LLZTO-Ia-3d"})
    balance.compute(work)
    assert any("no material of its own" in remark.text for remark in read_remarks(work.folder))


@pytest.mark.parametrize(
    ("own", "bulk", "cited"),
    [
        (None, "99.2", "10.1021/acs.chemmater.5b03854"),
        ([180.0, 60.0, 70.0], "100.0", "stiffness_gpa"),
    ],
)
def test_the_sources_of_the_stiffness_are_told(
    tmp_path: Path, own: list[float] | None, bulk: str, cited: str
) -> None:
    electrolyte = {"material": "LLZTO-I-43d", "stiffness_gpa": own}
    work = _work(tmp_path, [polycrystal(19).grain_map()], electrolyte=electrolyte)
    balance.compute(work)
    (told,) = [r.text for r in read_remarks(work.folder) if r.where == "electrolyte"]
    assert told.startswith(f"LLZTO-I-43d (Li6.5La3Zr1.5Ta0.5O12), bulk modulus {bulk} GPa.")
    assert [word for word in ("chemmater.5b03854", "stiffness_gpa") if word in told] == [
        cited.removeprefix("10.1021/acs.")
    ]


def test_tracking_of_another_number_of_states_is_left_alone() -> None:
    empty: tuple[Tracking, ...] = ()
    reference = _reference([polycrystal(19).grain_map()], trackings=empty)
    assert reference.radius_source == "assumed"


def test_stress_at_zero_strain_is_zero() -> None:
    # no spread: the reference alone explains the lattices
    grains = polycrystal(21, spread=0.0)
    raw = grains.grain_map(offset=5e-4)
    reference = _reference([raw])
    final = stressed_grain_map(raw, reference, state="state 0", materials=[MATERIAL])
    assert final.stress is not None
    assert np.abs(final.stress).max() < 1e-6
    assert np.abs(tensor_from_six(np.zeros(6))).max() == 0.0
