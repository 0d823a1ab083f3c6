"""Materials of the library and of users."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest

from mesolith.errors import FileFormatError, InputError, InvalidValueError
from mesolith.materials.loader import library_names, load_material

GOLD = Path(__file__).parent / "gold.cif"


def test_names_of_the_library() -> None:
    assert library_names() == ("LLZO-Al-I-43d", "LLZTO-I-43d", "LLZTO-Ia-3d", "Li")


@pytest.mark.parametrize(
    ("name", "group", "c11"),
    [
        ("LLZTO-I-43d", 220, 169_800.0),
        ("LLZTO-Ia-3d", 230, 169_800.0),
        ("LLZO-Al-I-43d", 220, 187_000.0),
        ("Li", 229, 13_500.0),
    ],
)
def test_space_group_and_stiffness(name: str, group: int, c11: float) -> None:
    material = load_material(name)
    assert material.space_group == group
    assert material.stiffness is not None
    assert material.stiffness[0, 0] == pytest.approx(c11)
    assert material.references
    assert np.allclose(material.lattice[3:], np.pi / 2)


@pytest.mark.parametrize("name", [name for name in library_names() if name != "Li"])
def test_occupancies_add_up_to_the_formula(name: str) -> None:
    material = load_material(name)
    structure = gemmi.read_small_structure(str(material.cif))
    group = gemmi.find_spacegroup_by_number(material.space_group)
    found: dict[str, float] = {}
    for site in structure.sites:
        places = {
            tuple(round(float(x) % 1.0, 6) % 1.0 for x in operation.apply_to_xyz(list(site.fract)))
            for operation in group.operations()
        }
        found[site.element.name] = found.get(site.element.name, 0.0) + len(places) * site.occ / 8
    written = gemmi.cif.read(str(material.cif)).sole_block().find_value("_chemical_formula_sum")
    for part in written.strip("'").split():
        element = part.rstrip("0123456789.")
        assert found[element] == pytest.approx(float(part[len(element) :] or 1), abs=2e-3)


@pytest.mark.parametrize(
    ("name", "bond", "low", "high"),
    [("LLZTO-Ia-3d", ("Zr", "O"), 2.0, 2.15), ("LLZTO-Ia-3d", ("La", "O"), 2.45, 2.65)],
)
def test_bonds_are_as_long_as_they_should_be(
    name: str, bond: tuple[str, str], low: float, high: float
) -> None:
    structure = gemmi.read_small_structure(str(load_material(name).cif))
    structure.setup_cell_images()
    first = next(site for site in structure.sites if site.element.name == bond[0])
    shortest = min(
        structure.cell.find_nearest_image(
            structure.cell.orthogonalize(first.fract),
            structure.cell.orthogonalize(site.fract),
            gemmi.Asu.Any,
        ).dist()
        for site in structure.sites
        if site.element.name == bond[1]
    )
    assert low < shortest < high


def test_reflections_that_only_the_majority_shows_are_weak_but_there() -> None:
    structure = gemmi.read_small_structure(str(load_material("LLZTO-I-43d").cif))
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)

    def powder(hkl: tuple[int, int, int], multiplicity: int) -> float:
        factor = calculator.calculate_sf_from_small_structure(structure, hkl)
        return float(multiplicity * abs(factor) ** 2)

    strong = powder((4, 0, 0), 6)
    assert 0.005 < powder((5, 3, 0), 24) / strong < 0.015
    assert 0.003 < powder((5, 1, 0), 24) / strong < 0.008
    assert powder((3, 1, 0), 24) < powder((5, 1, 0), 24)


def test_a_users_cif_with_its_stiffness() -> None:
    gold = load_material(GOLD, stiffness_gpa=[192.9, 163.8, 41.5])
    assert (gold.name, gold.formula, gold.space_group) == ("gold", "Au", 225)
    assert gold.lattice[0] == pytest.approx(4.08)
    assert gold.stiffness is not None
    assert gold.stiffness[3, 3] == pytest.approx(41_500.0)
    assert load_material(str(GOLD)).stiffness is None


def test_six_rows_are_a_stiffness_too() -> None:
    rows = (np.eye(6) * 50.0).tolist()
    stiffness = load_material(GOLD, stiffness_gpa=rows).stiffness
    assert stiffness is not None
    assert stiffness[5, 5] == pytest.approx(50_000.0)


def test_nearest_name_is_offered() -> None:
    with pytest.raises(InputError, match="Did you mean 'LLZTO-I-43d'"):
        load_material("LLZTO-I43d")


def test_a_missing_cif_is_named() -> None:
    with pytest.raises(InputError, match=r"nowhere\.cif: no such CIF file"):
        load_material("nowhere.cif")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("this is no cif", "cannot be read as a CIF"),
        ("data_a\n_cell_length_a 1\n", "no unit cell"),
        (GOLD.read_text().replace("'F m -3 m'", "?").replace("225", "?"), "names no space group"),
        (
            GOLD.read_text().replace("'F m -3 m'", "'P 1 1 2'").replace("225", "3"),
            "another setting",
        ),
    ],
)
def test_cifs_that_say_too_little(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.cif"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=message):
        load_material(path)


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ([163.8, 192.9, 41.5], "positive definite"),
        ([1.0, 2.0], "no finite 6x6"),
        (["a", "b", "c"], "no finite 6x6"),
    ],
)
def test_bad_constants(constants: list[float], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        load_material(GOLD, stiffness_gpa=constants)


def test_three_constants_need_a_cubic_crystal(tmp_path: Path) -> None:
    path = tmp_path / "tetragonal.cif"
    path.write_text(GOLD.read_text().replace("'F m -3 m'", "'P 4/m'").replace("225", "83"))
    with pytest.raises(InvalidValueError, match="three elastic constants"):
        load_material(path, stiffness_gpa=[192.9, 163.8, 41.5])
