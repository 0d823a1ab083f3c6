"""What the cycler recorded: half cycles and spectra."""

from __future__ import annotations

from mesolith.pipeline.technique import Figure, Step, Technique

_AREA = ("cell.area_mm2", "cell.area_se_mm2")

TECHNIQUE = Technique(
    name="echem",
    key="cycling",
    record="mesolith.records.cycling:Cycling",
    settings="mesolith.echem.settings:Settings",
    options="mesolith.echem.settings:Options",
    formats=(
        "mesolith.echem.formats:MPT",
        "mesolith.echem.formats:ZPLOT",
        "mesolith.echem.formats:DELIMITED",
        "mesolith.echem.formats:MPR",
        "mesolith.echem.formats:GAMRY",
        *(
            f"mesolith.echem.spectrum_formats:{name}"
            for name in ("DFR", "IVIUM", "P00", "I2B", "Z60W", "BARE")
        ),
    ),
    steps=(
        Step(
            name="echem.read",
            version=2,
            compute="mesolith.echem.read:compute",
            per="state",
            inputs=("raw",),
            settings=(
                "state.cycling",
                "clock.cycler",
                "cell.plates_under_positive_current",
                "echem.current_share",
            ),
            record="mesolith.records.cycling:Cycling",
        ),
        Step(
            name="echem.impedance",
            version=1,
            compute="mesolith.echem.impedance:compute",
            per="state",
            inputs=("echem.read",),
            settings=(
                *_AREA,
                "cell.thickness_um",
                "echem.circuit",
                "echem.weighting",
                "echem.kramers_kronig_tolerance",
            ),
            record="mesolith.records.spectra:ImpedanceFits",
            cost="mesolith.echem.impedance:cost",
        ),
        Step(
            name="echem.resistance",
            version=1,
            compute="mesolith.echem.resistance:compute",
            per="cell",
            inputs=("echem.read", "echem.impedance"),
            settings=(*_AREA, "state.after"),
            record="mesolith.records.plating:HalfCycleResistance",
        ),
        Step(
            name="echem.critical_current",
            version=1,
            compute="mesolith.echem.critical_current:compute",
            per="cell",
            inputs=("echem.read",),
            settings=_AREA,
            record="mesolith.records.plating:CriticalCurrent",
        ),
        Step(
            name="echem.capacity",
            version=1,
            compute="mesolith.echem.capacity:compute",
            per="cell",
            inputs=("echem.read", "echem.critical_current"),
            settings=(*_AREA, "echem.current_gain_se", "conditions.lithium_thickness_um"),
            record="mesolith.records.plating:PlatedCapacity",
        ),
    ),
    figures=(
        Figure(
            "polarisation",
            "Polarisation and impedance",
            "after Dixit 2022, Fig. S3b-c",
            "mesolith.echem.figure_polarisation:draw",
        ),
        Figure(
            "half_cycles",
            "Half cycles: restlessness, resistance, slope",
            "after Dixit 2022, Fig. S20, electrochemical half",
            "mesolith.echem.figure_half_cycles:draw",
        ),
        Figure(
            "capacity",
            "Capacity against device targets, and critical current",
            "targets of Hatzell 2020",
            "mesolith.echem.figure_capacity:draw",
        ),
        Figure(
            "impedance",
            "Impedance by cycle",
            "beside Dixit 2022, Fig. S3c",
            "mesolith.echem.figure_impedance:draw",
        ),
        Figure(
            "pressure",
            "Pressure beside voltage",
            "after Hatzell 2020, Fig. 2a-c",
            "mesolith.echem.figure_pressure:draw",
        ),
    ),
)
