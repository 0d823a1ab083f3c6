"""Frames of a far-field detector: spots, and the grains that they come from."""

from __future__ import annotations

from mesolith.pipeline.technique import Figure, Step, Technique

TECHNIQUE = Technique(
    name="frames",
    key="frames",
    record="mesolith.records.spots:Spots",
    settings="mesolith.hedm.frames_settings:Settings",
    options="mesolith.hedm.frames_settings:Options",
    formats=(
        "mesolith.hedm.frames_formats:GE",
        "mesolith.hedm.frames_formats:FRAME_CACHE",
        "mesolith.hedm.frames_formats:STACK",
        "mesolith.hedm.frames_formats:IMAGE",
    ),
    steps=(
        Step(
            name="frames.spots",
            version=1,
            compute="mesolith.hedm.frames_spots:compute",
            per="state",
            inputs=("raw",),
            settings=(
                "state.frames",
                "frames.detector",
                "frames.dark",
                "frames.mask",
                "frames.saturation",
                "frames.threshold",
            ),
            record="mesolith.records.spots:Spots",
            parts="mesolith.hedm.frames_spots:parts",
            cost="mesolith.hedm.frames_spots:cost",
            trial="mesolith.hedm.frames_spots:trial",
        ),
        Step(
            name="frames.instrument",
            version=1,
            compute="mesolith.hedm.frames_spots:compute_instrument",
            per="state",
            inputs=("frames.spots",),
            record="mesolith.instrument.instrument:Instrument",
        ),
        Step(
            name="frames.index",
            version=1,
            compute="mesolith.hedm.frames_index:compute",
            per="state",
            inputs=("frames.spots", "frames.instrument"),
            settings=(
                "state.frames",
                "electrolyte.material",
                "electrolyte.second_phase",
                "cell.diameter_um",
                "frames.first_ring",
                "frames.rings",
                "frames.sample_radius_um",
                "frames.beam_height_um",
                "frames.strain",
                "frames.pole_deg",
                "frames.evidence",
                "frames.completeness",
            ),
            record="mesolith.records.indexed:IndexedGrains",
            parts="mesolith.hedm.frames_index:parts",
            cost="mesolith.hedm.frames_index:cost",
        ),
        Step(
            name="frames.assign",
            version=1,
            compute="mesolith.hedm.frames_index:compute_assignment",
            per="state",
            inputs=("frames.index",),
            record="mesolith.records.indexed:SpotAssignment",
        ),
    ),
    figures=(
        Figure(
            "rings",
            "Spots on their rings, and where grains put them",
            "the first look at a rotation: rings, and spots by azimuth and rotation",
            "mesolith.hedm.figure_rings:draw",
        ),
        Figure(
            "residuals",
            "Where spots lie against where their grains put them",
            "how a wrong tilt or wedge is seen",
            "mesolith.hedm.figure_residuals:draw",
            version=2,
        ),
        Figure(
            "completeness",
            "How much of each grain was seen",
            "after Dixit 2022, completeness of at least 0.70",
            "mesolith.hedm.figure_completeness:draw",
            version=2,
        ),
    ),
)
