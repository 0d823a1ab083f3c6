"""Which material each phase of a grain map is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import ContradictionError, InputError
from mesolith.materials.loader import Material, load_material
from mesolith.pipeline.work import Remark
from mesolith.records.grains import Phases


def materials_of_phases(
    phases: Phases, electrolyte: Mapping[str, Any] | None, remarks: list[Remark]
) -> tuple[Material, ...]:
    """Material of each phase of a file, by space group.

    Remarks say where each material's constants come from and what had to be assumed.

    The electrolyte's own material serves the phases of its space group, ``second_phase`` those of
    its own. A phase of another group takes the electrolyte's stiffness, and its lattice where
    that is the reference.

    Raises ``InputError`` where no material or no stiffness is known, ``ContradictionError`` where
    the lattice in the file is of another crystal.
    """
    table = electrolyte or {}
    if not table.get("material"):
        raise InputError(
            "the electrolyte has no material, so no stress can be computed",
            where="[electrolyte]",
            remedy='Add material = "LLZTO-I-43d", another library name, or a CIF file.',
        )
    main = load_material(table["material"], stiffness_gpa=table.get("stiffness_gpa"))
    second = load_material(table["second_phase"]) if table.get("second_phase") else None
    found = []
    for name, group, lattice in zip(phases.name, phases.space_group, phases.lattice, strict=True):
        material = main
        if group != main.space_group and second is not None and group == second.space_group:
            material = second
        elif group != main.space_group:
            remarks.append(
                Remark(
                    "assumed",
                    "electrolyte",
                    f"phase {name!r} (space group {group}) has no material of its own; it takes "
                    f"the stiffness of {main.name} (space group {main.space_group}), and its "
                    'lattice where hedm.reference is "given".',
                )
            )
        if material.stiffness is None:
            raise InputError(
                f"{material.name} has no stiffness",
                where="[electrolyte]",
                remedy="Add stiffness_gpa = [c11, c12, c44].",
            )
        _check_lattice(name, lattice, material)
        found.append(material)
    remarks += [_sources(material) for material in {m.name: m for m in found}.values()]
    return tuple(found)


def _sources(material: Material) -> Remark:
    """Where the constants come from that turn strain into stress."""
    assert material.stiffness is not None
    bulk = float(material.stiffness[:3, :3].sum()) / 9e3
    cited = "; ".join(material.references)
    text = f"{material.name} ({material.formula}), bulk modulus {bulk:.1f} GPa"
    return Remark("note", "electrolyte", f"{text}. {cited}" if cited else f"{text}.")


def stiffness_of_grains(materials: Sequence[Material], phase: IntArray) -> FloatArray:
    """Stiffness of each grain: (6, 6) where all phases share one, else (n, 6, 6)."""
    table = np.array([material.stiffness for material in materials])
    if np.all(table == table[0]):
        return table[0]
    return table[phase]


def _check_lattice(name: str, lattice: FloatArray, material: Material) -> None:
    ratio = float(lattice[0] / material.lattice[0])
    if not 0.97 < ratio < 1.03:
        raise ContradictionError(
            f"phase {name!r} was indexed with a = {lattice[0]:.4f} angstrom, but {material.name} "
            f"has a = {material.lattice[0]:.4f}",
            where="[electrolyte]",
            remedy="Give the material that the file was reduced with.",
        )
