"""Micro-Laue: white-beam patterns of a scanned surface, and the maps that they give."""

from __future__ import annotations

from mesolith.pipeline.technique import Figure, Step, Technique

_STATION = (
    "laue.detector",
    "laue.distance_error_um",
    "laue.centre_error_px",
    "laue.tilt_error_deg",
    "laue.height_error_um",
    "laue.incidence_deg",
)
_INDEXER = (
    *_STATION,
    "electrolyte.material",
    "laue.lowest_kev",
    "laue.highest_kev",
    "laue.position_error_px",
    "laue.most_grains",
    "laue.strain",
    "laue.completeness",
    "laue.seed_step",
)

TECHNIQUE = Technique(
    name="laue",
    key="laue",
    record="mesolith.records.laue_map:LaueMap",
    settings="mesolith.laue.settings:Settings",
    options="mesolith.laue.settings:Options",
    formats=(
        "mesolith.laue.formats:LIST",
        "mesolith.laue.formats:PATTERN",
        "mesolith.laue.formats:PATTERN_STACK",
    ),
    steps=(
        Step(
            name="laue.peaks",
            version=1,
            compute="mesolith.laue.raster_peaks:compute",
            per="state",
            inputs=("raw",),
            settings=(
                "state.laue",
                *_STATION,
                "laue.mask",
                "laue.saturation",
                "laue.threshold",
            ),
            parts="mesolith.laue.raster_peaks:parts",
            cost="mesolith.laue.raster_peaks:cost",
            trial="mesolith.laue.raster_peaks:trial",
        ),
        Step(
            name="laue.seeds",
            version=1,
            compute="mesolith.laue.raster_index:compute_seeds",
            per="state",
            inputs=("laue.peaks",),
            settings=("state.laue", *_INDEXER),
            cost="mesolith.laue.raster_index:seeds_cost",
            trial="mesolith.laue.raster_index:trial",
        ),
        Step(
            name="laue.index",
            version=1,
            compute="mesolith.laue.raster_index:compute",
            per="state",
            inputs=("laue.peaks", "laue.seeds"),
            settings=("state.laue", *_INDEXER),
            parts="mesolith.laue.raster_index:parts",
            cost="mesolith.laue.raster_index:cost",
        ),
        Step(
            name="laue.map",
            version=1,
            compute="mesolith.laue.raster_map:compute",
            per="state",
            inputs=("laue.peaks", "laue.index"),
            settings=(
                "state.laue",
                *_STATION,
                "electrolyte.material",
                "laue.grain_threshold_deg",
                "laue.fewest_points",
            ),
            record="mesolith.records.laue_map:LaueMap",
            cost="mesolith.laue.raster_map:cost",
        ),
        Step(
            name="laue.interface",
            version=1,
            compute="mesolith.laue.raster_map:compute_interface",
            per="state",
            inputs=("laue.map",),
            record="mesolith.records.laue_map:LaueInterface",
        ),
    ),
    figures=(
        Figure(
            "laue_orientation",
            "How the lattice lies, point by point",
            "after Shen 2022, Fig. 3d",
            "mesolith.laue.figure_orientation:draw",
        ),
        Figure(
            "laue_strain",
            "Deviatoric strain and peak width of the last scan",
            "after Shen 2022, Fig. 3d",
            "mesolith.laue.figure_strain:draw",
        ),
        Figure(
            "laue_misorientation",
            "How far the lattice turns within its grains",
            "after Shen 2022, Fig. 4b",
            "mesolith.laue.figure_misorientation:draw",
        ),
        Figure(
            "laue_normal_strain",
            "Strain along the surface's normal, scan after scan",
            "after Shen 2022, Fig. 4c",
            "mesolith.laue.figure_normal_strain:draw",
        ),
        Figure(
            "laue_profiles",
            "Strain, misorientation and peak width against distance",
            "depth-ordered growth against growth at boundaries, Shen 2022",
            "mesolith.laue.figure_profiles:draw",
        ),
    ),
    commands=("mesolith.laue.commands:add",),
)
