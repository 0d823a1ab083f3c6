"""Grain maps of one state: read, checked, with their errors."""

from __future__ import annotations

from mesolith.pipeline.technique import Step, Technique

TECHNIQUE = Technique(
    name="hedm",
    key="grains",
    record="mesolith.records.grains:GrainMap",
    settings="mesolith.hedm.settings:Settings",
    formats=("mesolith.hedm.formats:MIDAS",),
    steps=(
        Step(
            name="hedm.read",
            version=1,
            compute="mesolith.hedm.read:compute",
            per="state",
            inputs=("raw",),
            settings=(
                "state.grains",
                "hedm.sigma_position_um",
                "hedm.sigma_orientation_deg",
                "hedm.sigma_strain",
                "hedm.minimum_completeness",
                "hedm.strain_columns",
            ),
            record="mesolith.records.grains:GrainMap",
            cost="mesolith.hedm.read:cost",
        ),
    ),
    figures=(),
    exports=(),
)
