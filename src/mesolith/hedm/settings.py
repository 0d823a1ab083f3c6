"""Keys of [hedm] and of a state's grains in cell.toml."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.pipeline.settings import setting


@dataclass(frozen=True, slots=True)
class Settings:
    """[hedm]: errors of the grain maps, how grains are tracked, and what is asked of them."""

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
    ipf_axis: str = setting(
        "choice",
        "Axis of the sample whose crystal direction colours the orientation map; z is the "
        "pellet's.",
        default="z",
        choices=("x", "y", "z"),
        example='"z"',
    )
    spots: int = setting(
        "integer",
        "How many of the hottest and of the coldest grains are hot and cold spots.",
        default=10,
        minimum=1,
        maximum=10_000,
        example="10",
    )
    spot_share: float | None = setting(
        "number",
        "Share of all followed grains that are hot, and that are cold spots; takes the place of "
        "hedm.spots.",
        default=None,
        minimum=1e-5,
        maximum=0.25,
        example="0.01",
    )
    spots_from: str | None = setting(
        "text",
        "State whose stress chooses the spots that are then followed through all states; default: "
        "the first with grains.",
        default=None,
        example='"pristine"',
    )
    neighbourhood: str = setting(
        "choice",
        "Neighbourhood of a spot, of radius 2 mean grain radii, 2 mean grain diameters or 70 um "
        "(the paper has both wordings), or the grain alone.",
        default="radius",
        choices=("radius", "diameter", "70 um", "grain"),
        example='"radius"',
    )
    clusters: int = setting(
        "integer",
        "Clusters that k-means makes of place and hydrostatic stress.",
        default=3,
        minimum=2,
        maximum=20,
        example="3",
    )
    cluster_scaling: str = setting(
        "choice",
        "What k-means weighs: each column by its standard deviation, or um and MPa as they are.",
        default="standard",
        choices=("standard", "none"),
        example='"standard"',
    )
    paths: int = setting(
        "integer",
        "Stress-flow pathways from so many of the hottest grains of each state.",
        default=50,
        minimum=2,
        maximum=10_000,
        example="50",
    )
    permutations: int = setting(
        "integer",
        "Random exchanges behind each p-value of space and pathways.",
        default=10_000,
        minimum=99,
        maximum=1_000_000,
        example="10000",
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
    layer_z_um: float | tuple[float, ...] | None = setting(
        "numbers",
        "Height in the sample of the middle of each layer, where the files hold layers with z = 0 "
        "in the middle of the beam; in the order of the files, which are shared out evenly. Grains "
        "that the borders cut are joined then. Default: the files' z is that of the sample.",
        default=None,
        unit="um",
        minimum=-1e5,
        maximum=1e5,
        example="[-100, 0, 100]",
    )
    beam_height_um: float | None = setting(
        "number",
        "Height of the beam that lit each of these layers; default: how far the layers are apart.",
        default=None,
        unit="um",
        minimum=1.0,
        maximum=1e4,
        example="100",
    )
