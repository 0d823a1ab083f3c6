"""Keys of [laue] and of a state's patterns in cell.toml."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.pipeline.settings import setting


@dataclass(frozen=True, slots=True)
class Settings:
    """[laue]: the white-beam station, and how peaks, grains and maps are made of patterns."""

    detector: str | None = setting(
        "file",
        "Where the panel stood: what `mesolith laue calibrate` wrote (station.h5), whose "
        "errors go with every strain, or a detector file of LaueTools (det) or pyFAI (poni). "
        "Needed where a state has patterns.",
        default=None,
        example='"raw/calib.det"',
    )
    distance_error_um: float = setting(
        "number",
        "Standard error of the distance in a detector file that states none; the default is an "
        "assumption and is printed as one.",
        default=10.0,
        unit="um",
        minimum=0.0,
        maximum=1e4,
        example="10",
    )
    centre_error_px: float = setting(
        "number",
        "The same for each coordinate of the centre.",
        default=0.1,
        unit="px",
        minimum=0.0,
        maximum=100.0,
        example="0.1",
    )
    tilt_error_deg: float = setting(
        "number",
        "The same for each of the two tilts.",
        default=0.005,
        unit="deg",
        minimum=0.0,
        maximum=5.0,
        example="0.005",
    )
    height_error_um: float = setting(
        "number",
        "Standard error of the height of the sample's surface against that of the calibrant, "
        "along its normal.",
        default=5.0,
        unit="um",
        minimum=0.0,
        maximum=1e4,
        example="5",
    )
    incidence_deg: float = setting(
        "number",
        "Angle between the beam and the sample's surface, which faces a panel above.",
        default=45.0,
        unit="deg",
        minimum=1.0,
        maximum=89.0,
        example="45",
    )
    lowest_kev: float = setting(
        "number",
        "Lowest photon energy of the beam.",
        default=5.0,
        unit="keV",
        minimum=3.0,
        maximum=100.0,
        example="5",
    )
    highest_kev: float = setting(
        "number",
        "Highest photon energy of the beam.",
        default=24.0,
        unit="keV",
        minimum=3.0,
        maximum=100.0,
        example="24",
    )
    mask: str | None = setting(
        "file",
        "Picture or NumPy array whose nonzero pixels cannot be used.",
        default=None,
        example='"raw/mask.npy"',
    )
    saturation: float | None = setting(
        "number",
        "Counts from which on a pixel is saturated; default: the largest that the images hold.",
        default=None,
        minimum=1.0,
        example="65535",
    )
    threshold: float = setting(
        "number",
        "A peak stands so many standard deviations of the smoothed noise above background.",
        default=6.0,
        minimum=3.0,
        maximum=1000.0,
        example="6",
    )
    position_error_px: float = setting(
        "number",
        "Standard error of a peak's coordinate where its list states none.",
        default=0.15,
        unit="px",
        minimum=0.001,
        maximum=10.0,
        example="0.15",
    )
    most_grains: int = setting(
        "integer",
        "Grains that are looked for in a pattern.",
        default=4,
        minimum=1,
        maximum=20,
        example="4",
    )
    strain: float = setting(
        "number",
        "Largest strain expected, which sets how far angles between peaks may be off.",
        default=1e-3,
        minimum=1e-5,
        maximum=0.02,
        example="1e-3",
    )
    completeness: float = setting(
        "number",
        "A grain of which a smaller share of the strong spots was found is left out.",
        default=0.15,
        minimum=0.05,
        maximum=1.0,
        example="0.15",
    )
    seed_step: int = setting(
        "integer",
        "Every so many rows and columns a pattern is indexed from nothing; those between begin "
        "with what was found there.",
        default=8,
        minimum=1,
        maximum=1000,
        example="8",
    )
    grain_threshold_deg: float = setting(
        "number",
        "Neighbouring points that are misoriented by less are of one grain.",
        default=2.0,
        unit="deg",
        minimum=0.01,
        maximum=50.0,
        example="2",
    )
    fewest_points: int = setting(
        "integer",
        "Groups of fewer points are no grains of the map.",
        default=10,
        minimum=1,
        maximum=100_000,
        example="10",
    )


@dataclass(frozen=True, slots=True)
class Options:
    """Further keys of a state's patterns: the raster on which they were taken, row after row."""

    rows: int = setting(
        "integer",
        "Rows of the raster.",
        minimum=1,
        maximum=100_000,
        example="130",
    )
    columns: int = setting(
        "integer",
        "Points in a row: the fast direction of the scan, along the beam's projection on the "
        "surface.",
        minimum=1,
        maximum=100_000,
        example="130",
    )
    step_um: float = setting(
        "number",
        "Distance between neighbouring points on the surface, along and across rows.",
        unit="um",
        minimum=1e-3,
        maximum=1e4,
        example="2",
    )
    current: str = setting(
        "choice",
        "Whether current flowed while the scan was taken.",
        default="unknown",
        choices=("on", "off", "unknown"),
        example='"off"',
    )
    dataset: str | None = setting(
        "text",
        "Path of the stack in an HDF5 file that holds several.",
        default=None,
        example='"/entry/data"',
    )
