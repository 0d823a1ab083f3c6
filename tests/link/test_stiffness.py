"""Stress under another stiffness: what scales with the bulk modulus, and what does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.crystal.elasticity import cubic_stiffness
from mesolith.io.record_file import read_record, write_record
from mesolith.link.stiffness import DOPINGS, PERCENT, compute, stress_under_stiffness
from mesolith.materials.loader import Material, load_material
from mesolith.pipeline.work import Source, Work
from mesolith.records.grains import GrainMap
from mesolith.records.stiffness import StressUnderStiffness
from tests.link.polycrystal import polycrystal

RATIO = 112.4 / 99.2  # bulk moduli of Al- and Ta-doped garnet, GPa
AL, TA = DOPINGS
STATES = ("pristine", "plating 1")
SETTINGS: dict[str, Any] = {
    "conditions.stack_pressure_mpa": 3.0,
    "conditions.lateral": "free",
    "hedm.reference": "cell",
    "hedm.equilibrium": "hydrostatic",
    "hedm.strain_definition": "infinitesimal",
    "cell.diameter_um": None,
    "cell.thickness_um": None,
}


def _maps() -> list[GrainMap]:
    return [polycrystal(seed, pressure=3.0).grain_map(offset=1e-4) for seed in (1, 2)]


def _found(own: Material, **settings: Any) -> StressUnderStiffness:
    return stress_under_stiffness(STATES, _maps(), [own], [], SETTINGS | settings)


def test_one_reference_for_both_scales_the_hydrostatic_stress_by_the_bulk_modulus() -> None:
    found = _found(load_material(TA), **{"hedm.reference": "given"})
    assert found.material == (TA, AL)
    assert found.bulk_modulus == pytest.approx([99_200.0, 112_400.0])
    # a cube answers a dilatation alike in every orientation, so every grain scales
    assert found.hydrostatic[1] == pytest.approx(RATIO * found.hydrostatic[0], rel=1e-9)
    spread = found.hydrostatic_spread
    assert spread[1] == pytest.approx(RATIO * spread[0], rel=1e-9)


def test_references_of_their_own_agree_in_the_mean_and_not_in_the_spread() -> None:
    found = _found(load_material(TA))
    spread = found.hydrostatic_spread
    assert spread[1] == pytest.approx(RATIO * spread[0], rel=1e-3)
    middle = PERCENT.tolist().index(50.0)
    assert np.abs(found.hydrostatic[1] - found.hydrostatic[0])[:, middle].max() < 2.0
    assert np.abs(found.hydrostatic[1] - found.hydrostatic[0])[:, -1].min() > 5.0


def test_the_von_mises_stress_scales_with_the_shear_constants() -> None:
    found = _found(load_material(TA))
    # (c11 - c12) / 2 and c44 rise by 5.7 and 1.7 %: in between lies any mixture of shears
    rise = found.von_mises_mean[1] / found.von_mises_mean[0]
    assert np.all((rise > 71.0 / 69.8) & (rise < (187.0 - 75.1) / (169.8 - 63.9)))


def test_a_cell_of_the_papers_doping_is_set_beside_the_other() -> None:
    found = _found(load_material(AL))
    assert (found.material, found.used) == ((AL, TA), 0)
    assert found.grains.tolist() == [300, 300]


def test_a_third_stiffness_is_set_beside_both() -> None:
    own = replace(load_material(TA), name="own", stiffness=cubic_stiffness(160e3, 60e3, 70e3))
    found = _found(own)
    assert found.material == ("own", AL, TA)
    assert found.bulk_modulus[0] == pytest.approx(280e3 / 3.0)


def test_the_step_writes_its_record(tmp_path: Path) -> None:
    sources = []
    for name, grains in zip(STATES, _maps(), strict=True):
        folder = tmp_path / name
        folder.mkdir()
        write_record(folder / "record.h5", grains)
        sources.append(Source(name, folder))
    work = Work(
        step="link.stiffness",
        label="cell",
        settings=SETTINGS | {"electrolyte": {"material": TA}},
        inputs={"hedm.read": tuple(sources)},
        folder=tmp_path,
        seed=0,
    )
    compute(work)
    written = read_record(tmp_path / "record.h5", StressUnderStiffness)
    assert written.state == STATES
    assert written.hydrostatic == pytest.approx(_found(load_material(TA)).hydrostatic)
