"""Where techniques and states meet."""

from __future__ import annotations

from mesolith.pipeline.technique import Step

STEPS: tuple[Step, ...] = (
    Step(
        name="link.track",
        version=1,
        compute="mesolith.link.track:compute",
        per="pair",
        inputs=("hedm.read",),
        settings=("hedm.track_rule", "hedm.sigma_position_um", "hedm.sigma_orientation_deg"),
        record="mesolith.records.tracking:Tracking",
    ),
    Step(
        name="link.balance",
        version=1,
        compute="mesolith.link.balance:compute",
        per="cell",
        inputs=("hedm.read", "link.track?"),
        settings=(
            "conditions.stack_pressure_mpa",
            "conditions.lateral",
            "electrolyte",
            "hedm.reference",
            "hedm.equilibrium",
            "cell.diameter_um",
            "cell.thickness_um",
        ),
        record="mesolith.records.reference:Reference",
    ),
    Step(
        name="link.stress",
        version=1,
        compute="mesolith.link.stress:compute",
        per="state",
        inputs=("hedm.read", "link.balance"),
        settings=("electrolyte", "hedm.strain_definition"),
        record="mesolith.records.grains:GrainMap",
    ),
    Step(
        name="link.history",
        version=1,
        compute="mesolith.link.history:compute",
        per="cell",
        inputs=("echem.read?",),
        settings=(
            "state.after",
            "state.measured_at",
            "cell.area_mm2",
            "clock.beamline",
        ),
        record="mesolith.records.history:History",
    ),
)
