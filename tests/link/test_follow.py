"""Followed grains keep their partners through every state, and only they are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.link.balance import reference_from_equilibrium
from mesolith.link.follow import directions_from_history, followed_grains
from mesolith.link.stress import stressed_grain_map
from mesolith.records.field import CommonMode
from mesolith.records.followed import FollowedGrains
from mesolith.records.grains import GrainMap
from mesolith.records.history import History
from mesolith.records.tracking import Tracking
from tests.link.polycrystal import MATERIAL, all_tracked, polycrystal

STATES = ("pristine", "plating", "stripping")


def _final_maps() -> list[GrainMap]:
    raw = [polycrystal(5, count=40).grain_map(rng=np.random.default_rng(k)) for k in range(3)]
    reference = reference_from_equilibrium(
        STATES, raw, materials=[MATERIAL], pressure=np.zeros(3), porosity=0.0, porosity_se=0.0
    )
    return [
        stressed_grain_map(one, reference, state=name, materials=[MATERIAL])
        for one, name in zip(raw, STATES, strict=True)
    ]


def _trackings() -> list[Tracking]:
    """Rows reversed by the first, grains 0-3 lost by the second."""
    first = all_tracked(40)
    first = replace(first, after=first.before[::-1].copy(), probability=np.full(40, 0.9))
    return [first, replace(all_tracked(40, lost=np.arange(4)), probability=np.full(36, 0.5))]


def test_rows_are_followed_through_both_trackings() -> None:
    maps = _final_maps()
    found = followed_grains(STATES, maps, _trackings(), np.array([0, 1, -1]))
    assert len(found) == 36
    # rows 0 to 3 of the second state are the last of the first
    assert found.grain.tolist() == list(range(36))
    assert np.array_equal(found.row[:, 1], 39 - found.grain)
    assert np.array_equal(found.row[:, 2], found.row[:, 1])
    assert found.probability == pytest.approx(0.45)
    hydrostatic = maps[1].stress_hydrostatic
    assert hydrostatic is not None
    assert np.array_equal(found.hydrostatic[:, 1], hydrostatic[found.row[:, 1]])
    assert np.array_equal(found.position, maps[0].position[:36])


def test_a_mode_of_one_state_stays_and_one_of_all_cancels() -> None:
    maps = _final_maps()
    rise = {"stress_hydrostatic": np.full(1, 3e5)}
    shared = [replace(one, common_modes=maps[0].common_modes[:1]) for one in maps]
    assert {mode.name for mode in shared[0].common_modes} == {"reference lattice"}
    own = [
        replace(one, common_modes=(*one.common_modes, CommonMode(f"drift {k}", 1e-4, "1", rise)))
        for k, one in enumerate(shared)
    ]
    for final, wanted in ((shared, 0.0), (own, 30.0)):
        found = followed_grains(STATES, final, _trackings(), np.zeros(3, dtype=np.int64))
        assert found.hydrostatic_common_se == pytest.approx(np.full(3, wanted))


def test_the_record_survives_the_disk(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = followed_grains(STATES, _final_maps(), _trackings(), np.array([0, 1, -1]))
    write_record(tmp_path / "record.h5", found)
    back = read_record(tmp_path / "record.h5", FollowedGrains)
    assert back.state == STATES
    assert np.array_equal(back.hydrostatic, found.hydrostatic)
    assert np.array_equal(back.direction, found.direction)


def test_what_cannot_be_followed_is_said() -> None:
    maps = _final_maps()
    with pytest.raises(InvalidValueError, match="1 trackings for 3 states"):
        followed_grains(STATES, maps, _trackings()[:1], np.zeros(3, dtype=np.int64))
    nobody = all_tracked(40, lost=np.arange(40))
    with pytest.raises(InvalidValueError, match="no grain is tracked"):
        followed_grains(STATES, maps, [nobody, nobody], np.zeros(3, dtype=np.int64))
    raw = polycrystal(5, count=40).grain_map()
    with pytest.raises(InvalidValueError, match="pristine: the grain map has no stress"):
        followed_grains(STATES, [raw, *maps[1:]], _trackings(), np.zeros(3, dtype=np.int64))


def test_directions_are_the_signs_of_the_net_charge() -> None:
    charge = np.array([0.0, 12.0, 3.0, 3.0])
    times = np.full(4, np.nan)
    history = History(
        state=(*STATES, "rest"),
        half_cycles=np.arange(4),
        net_charge=charge,
        cumulative_charge=charge,
        net_areal_charge=charge,
        cumulative_areal_charge=charge,
        source=("", "files", "files", "nothing"),
        record_start=times,
        record_end=times,
        measured_at=times,
    )
    assert directions_from_history(history, history.state).tolist() == [0, 1, -1, 0]
    assert directions_from_history(history, STATES[1:]).tolist() == [0, -1]
    with pytest.raises(InvalidValueError, match="no state 'failed'"):
        directions_from_history(history, ("failed",))
