"""Keys of [hedm] and of a state's grains in cell.toml."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.pipeline.settings import setting


@dataclass(frozen=True, slots=True)
class Settings:
    """[hedm]: errors of the grain maps, and how grains are tracked and referred to."""

    sigma_position_um: float = setting(
        "number",
        "Standard error of a grain's position along each axis, where its file states none; the "
        "default is an assumption and is printed as one.",
        default=20.0,
        unit="um",
        minimum=1e-3,
        maximum=1_000.0,
        example="20.0",
    )
    sigma_orientation_deg: float = setting(
        "number",
        "Standard error of a grain's orientation about each axis, where its file states none; the "
        "default is an assumption and is printed as one.",
        default=0.1,
        unit="deg",
        minimum=1e-4,
        maximum=10.0,
        example="0.1",
    )
    sigma_strain: float = setting(
        "number",
        "Standard error of each strain component, where the file states none; the default is an "
        "assumption and is printed as one.",
        default=1e-4,
        minimum=1e-7,
        maximum=1e-2,
        example="1e-4",
    )
    minimum_completeness: float = setting(
        "number",
        "Grains found with a smaller share of their expected reflections are left out.",
        default=0.0,
        minimum=0.0,
        maximum=1.0,
        example="0.7",
    )
    strain_columns: str = setting(
        "choice",
        "Whether the strain columns of a file are compared with its lattice columns. Strain is "
        "taken from the lattice either way.",
        default="check",
        choices=("check", "ignore"),
        example='"check"',
    )
    track_rule: str = setting(
        "choice",
        "How grains of two states are paired: the best pairs of all together over distance and "
        "misorientation, or each with the nearest centre of mass.",
        default="optimal",
        choices=("optimal", "nearest"),
        example='"optimal"',
    )
    reference: str = setting(
        "choice",
        "Strain-free lattice: one for the cell from mechanical equilibrium, one for each state, "
        "or that of the material as given.",
        default="cell",
        choices=("cell", "state", "given"),
        example='"cell"',
    )
    equilibrium: str = setting(
        "choice",
        "What mechanical equilibrium sets: the mean hydrostatic stress alone, or all six "
        "components of the mean stress.",
        default="hydrostatic",
        choices=("hydrostatic", "all"),
        example='"hydrostatic"',
    )
    strain_definition: str = setting(
        "choice",
        "Definition of strain: infinitesimal (F + F^T)/2 - I, Biot or Green-Lagrange.",
        default="infinitesimal",
        choices=("infinitesimal", "biot", "green-lagrange"),
        example='"infinitesimal"',
    )


@dataclass(frozen=True, slots=True)
class Options:
    """Further keys of a state's grains, for formats that do not state them."""

    space_group: int | None = setting(
        "integer",
        "Space group of the grains, where their file states none (HEXRD, ImageD11).",
        default=None,
        minimum=1,
        maximum=230,
        example="220",
    )
    lattice: float | tuple[float, ...] | None = setting(
        "numbers",
        "Lattice that the grains were reduced with, where their file states none: a of a cubic "
        "crystal, or a b c in angstrom and alpha beta gamma in degrees.",
        default=None,
        example="12.95",
    )
    radius_um: float | None = setting(
        "number",
        "Radius of the sphere of equal volume, taken for every grain where the file states none.",
        default=None,
        unit="um",
        minimum=1e-3,
        maximum=1e4,
        example="27.5",
    )
