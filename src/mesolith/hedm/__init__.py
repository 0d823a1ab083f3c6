"""Grain maps of one state: read, checked, with their errors."""

from __future__ import annotations

from mesolith.pipeline.technique import Export, Figure, Step, Technique

TECHNIQUE = Technique(
    name="hedm",
    key="grains",
    record="mesolith.records.grains:GrainMap",
    settings="mesolith.hedm.settings:Settings",
    options="mesolith.hedm.settings:Options",
    formats=(
        "mesolith.hedm.formats:MIDAS",
        "mesolith.hedm.formats:MIDAS_H5",
        "mesolith.hedm.formats:HEXRD",
        "mesolith.hedm.formats:UBI",
        "mesolith.hedm.formats:UBI_H5",
    ),
    steps=(
        Step(
            name="hedm.read",
            version=2,
            compute="mesolith.hedm.read:compute",
            per="state",
            inputs=("raw?", "frames.stitch?", "frames.phase?"),
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
            trial="mesolith.hedm.read:trial",
        ),
        Step(
            name="hedm.finds",
            version=1,
            compute="mesolith.hedm.read:compute_finds",
            per="state",
            inputs=("hedm.read",),
            settings=("state.grains",),
            record="mesolith.records.layer_finds:LayerFinds",
            parts="mesolith.hedm.read:parts_of_finds",
        ),
    ),
    figures=(
        Figure(
            "grain_map",
            "Grain map of the first and the last state",
            "after Dixit 2022, Figs. 1d, S4d",
            "mesolith.hedm.figure_grain_map:draw",
            version=2,
        ),
        Figure(
            "grain_maps",
            "Grain maps of all states",
            "after Dixit 2022, Fig. S6",
            "mesolith.hedm.figure_grain_map:draw_all",
            version=2,
        ),
        Figure(
            "orientation_map",
            "How the grains lie, in the colours of an inverse pole figure",
            "grain map by orientation, in the form of Dixit 2022, Fig. 1d",
            "mesolith.hedm.figure_orientation_map:draw",
            settings=("hedm.ipf_axis",),
        ),
        Figure(
            "phase_map",
            "Grains of the two polymorphs in the first state",
            "after Dixit 2022, Fig. 3e",
            "mesolith.hedm.figure_phase_map:draw",
        ),
        Figure(
            "phase_maps",
            "Grains of the two polymorphs in all states",
            "after Dixit 2022, Fig. S7",
            "mesolith.hedm.figure_phase_map:draw_all",
        ),
        Figure(
            "stress_distribution",
            "Distribution of the grains' stresses",
            "after Dixit 2022, Figs. 2, S19",
            "mesolith.hedm.figure_stress_distribution:draw",
            version=2,
        ),
    ),
    exports=(
        Export(
            "paraview",
            "grains.vtkhdf",
            "Grains of all states as one time series for ParaView (VTKHDF).",
            "mesolith.hedm.exports:write_paraview",
        ),
        Export(
            "midas",
            "midas",
            "Folder of Grains.csv, HDF5, parameters and spots of each state for MIDAS.",
            "mesolith.hedm.exports:write_midas_folder",
        ),
        Export(
            "imaged11",
            "imaged11",
            "Folder of grain maps, HDF5, parameters and peaks of each state for ImageD11.",
            "mesolith.hedm.exports:write_imaged11_folder",
        ),
        Export(
            "hexrd",
            "hexrd",
            "Folder of grains.out, instrument and spots of each state for HEXRD.",
            "mesolith.hedm.exports:write_hexrd_folder",
        ),
    ),
    commands=("mesolith.hedm.commands:add",),
)
