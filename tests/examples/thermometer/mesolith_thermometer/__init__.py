"""A thermometer as a technique of Mesolith, from a package outside.

This file only says where the parts are, in dotted names; nothing of `temperature` is loaded
before it is needed.
"""

from __future__ import annotations

from mesolith.pipeline.technique import Export, Figure, Format, Step, Technique

LOG = Format(
    name="thermometer-log",
    title="log of a thermometer",
    suffixes=(".log",),
    recognise="mesolith_thermometer.temperature:recognise_log",
    describe="mesolith_thermometer.temperature:describe_log",
)

TECHNIQUE = Technique(
    name="thermometer",
    key="temperature",
    record="mesolith_thermometer.temperature:Temperature",
    settings="mesolith_thermometer.temperature:ThermometerSettings",
    formats=("mesolith_thermometer:LOG",),
    steps=(
        Step(
            name="thermometer.read",
            version=1,
            compute="mesolith_thermometer.temperature:compute",
            per="state",
            inputs=("raw",),
            settings=("thermometer.offset_k",),
            record="mesolith_thermometer.temperature:Temperature",
        ),
    ),
    figures=(
        Figure(
            name="temperature",
            title="Temperature of each state",
            number="none in the papers",
            draw="mesolith_thermometer.temperature:draw_temperature",
        ),
    ),
    exports=(
        Export(
            name="temperatures",
            file="temperatures.csv",
            help="mean temperature of each state",
            write="mesolith_thermometer.temperature:write_temperatures",
        ),
    ),
)
