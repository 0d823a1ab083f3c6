"""What the cycler recorded: half cycles and spectra."""

from __future__ import annotations

from mesolith.pipeline.technique import Figure, Step, Technique

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
            version=1,
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
    ),
    figures=(
        Figure(
            "polarisation",
            "Polarisation and impedance",
            "after Dixit 2022, Fig. S3b-c",
            "mesolith.echem.figure_polarisation:draw",
        ),
    ),
)
