"""Keys of [frames] and of a state's frames in cell.toml."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.pipeline.settings import setting


@dataclass(frozen=True, slots=True)
class Settings:
    """[frames]: the far-field detector, and how spots and grains are looked for."""

    detector: str | None = setting(
        "file",
        "Detector file of HEXRD (yml), ImageD11 (par), MIDAS (parameters), pyFAI (poni): distance, "
        "tilts, distortion, energy. Needed where a state has frames.",
        default=None,
        example='"raw/detector.yml"',
    )
    dark: str | None = setting(
        "file",
        "Dark frames, taken off every frame.",
        default=None,
        example='"raw/dark.ge3"',
    )
    mask: str | None = setting(
        "file",
        "Picture or NumPy array whose nonzero pixels cannot be used.",
        default=None,
        example='"raw/mask.npy"',
    )
    saturation: float | None = setting(
        "number",
        "Counts from which on a pixel is saturated, where the frames do not say.",
        default=None,
        minimum=1.0,
        example="15800",
    )
    threshold: float = setting(
        "number",
        "A spot stands so many standard deviations of the smoothed noise above background.",
        default=5.0,
        minimum=3.0,
        maximum=1000.0,
        example="5",
    )
    calibrate: str = setting(
        "choice",
        "How distance, centre, tilts and rotation axis are refined before grains are indexed: on "
        '"grains" of one state (after the rings of a calibrant, where one is given), on the '
        '"rings" of a calibrant alone, or "none": as the detector file says.',
        default="grains",
        choices=("grains", "rings", "none"),
        example='"grains"',
    )
    calibrate_on: str | None = setting(
        "text",
        "State whose frames calibrate the detector for all states; default: the first that has "
        "frames. Its mean lattice is taken for the electrolyte's where no calibrant and no "
        "frames.distance_error_um say better.",
        default=None,
        example='"pristine"',
    )
    calibrant: str | None = setting(
        "file",
        "Frames of a powder of known lattice, averaged, at the place of the sample.",
        default=None,
        example='"raw/ceria.tif"',
    )
    calibrant_material: str = setting(
        "choice",
        "Which powder: its lattice parameter is that of the NIST standard.",
        default="CeO2",
        choices=("CeO2", "LaB6", "Si", "Al2O3"),
        example='"CeO2"',
    )
    distance_error_um: float | None = setting(
        "number",
        "Standard error of the distance in the detector file, or of the place of the calibrant. "
        "Where neither is given, the distance is where the mean lattice of frames.calibrate_on is "
        "the electrolyte's.",
        default=None,
        unit="um",
        minimum=0.1,
        maximum=1e5,
        example="50",
    )
    energy_error: float = setting(
        "number",
        "Relative standard error of the energy in the detector file.",
        default=1e-4,
        minimum=0.0,
        maximum=0.01,
        example="1e-4",
    )
    error_floor_px: float | None = setting(
        "number",
        "Standard deviation added to what each spot states of its place; default: what the "
        "residuals of frames.calibrate_on show.",
        default=None,
        unit="px",
        minimum=0.0,
        maximum=10.0,
        example="0.1",
    )
    error_floor_deg: float | None = setting(
        "number",
        "The same for the angle of rotation.",
        default=None,
        unit="deg",
        minimum=0.0,
        maximum=5.0,
        example="0.02",
    )
    first_ring: int = setting(
        "integer",
        "First ring that is indexed, counted by the space group of the electrolyte from the "
        "innermost one: 4 where filters cover the inner three.",
        default=1,
        minimum=1,
        maximum=100,
        example="4",
    )
    rings: int | None = setting(
        "integer",
        "How many rings are looked at from there on; default: all that have half their azimuths "
        "on the detector, 24 at most.",
        default=None,
        minimum=1,
        maximum=60,
        example="7",
    )
    strongest: int = setting(
        "integer",
        "Of these rings so many are indexed: those whose reflections are strongest by the "
        "material's structure factors.",
        default=12,
        minimum=2,
        maximum=60,
        example="8",
    )
    sample_radius_um: float | None = setting(
        "number",
        "No grain lies farther from the rotation axis; default: half of cell.diameter_um, and "
        "100 um for a sample that is not centred.",
        default=None,
        unit="um",
        minimum=1.0,
        maximum=1e5,
        example="900",
    )
    beam_height_um: float = setting(
        "number",
        "Height of the beam at the sample: grains lie within half of it above and below.",
        default=100.0,
        unit="um",
        minimum=1.0,
        maximum=1e4,
        example="100",
    )
    strain: float = setting(
        "number",
        "Largest relative difference of a lattice spacing from the electrolyte's.",
        default=2.5e-3,
        minimum=1e-5,
        maximum=0.049,
        example="0.0025",
    )
    pole_deg: float = setting(
        "number",
        "Spots nearer to the rotation axis in azimuth are neither used nor missed.",
        default=6.0,
        unit="deg",
        minimum=0.1,
        maximum=60.0,
        example="6",
    )
    intensity_spread: float = setting(
        "number",
        "Scatter of the intensities of a reflection and its mates beyond their stated errors, "
        "relative: absorption, frames that are wider than a spot.",
        default=0.1,
        minimum=0.0,
        maximum=3.0,
        example="0.5",
    )
    evidence: float = setting(
        "number",
        "A grain is accepted where its spots are so much likelier with it than by chance (natural "
        "logarithm of the ratio).",
        default=30.0,
        minimum=5.0,
        maximum=1000.0,
        example="30",
    )
    completeness: float = setting(
        "number",
        "A grain of which a smaller share of the expected reflections was found is left out; 0 "
        "leaves the decision to the evidence, 0.70 is Dixit 2022's criterion.",
        default=0.0,
        minimum=0.0,
        maximum=1.0,
        example="0.7",
    )


@dataclass(frozen=True, slots=True)
class Options:
    """Further keys of a state's frames."""

    omega_start_deg: float | None = setting(
        "number",
        "Angle at which the first frame of a layer starts, where the files state no angles.",
        default=None,
        unit="deg",
        minimum=-720.0,
        maximum=720.0,
        example="-180",
    )
    omega_step_deg: float | None = setting(
        "number",
        "Rotation during one frame, where the files state no angles; negative where it runs "
        "backwards.",
        default=None,
        unit="deg",
        minimum=-10.0,
        maximum=10.0,
        example="0.1",
    )
    layer_z_um: float | tuple[float, ...] = setting(
        "numbers",
        "Height in the sample of the middle of each layer, in the order of the files, which are "
        "shared out evenly: 18 files and 9 heights are two files a layer.",
        default=0.0,
        unit="um",
        minimum=-1e5,
        maximum=1e5,
        example="[-100, 0, 100]",
    )
