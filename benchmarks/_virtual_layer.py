"""Spot lists of one layer with known truth, as the benchmarks of indexing draw them.

`CASES` are the rows of the bar; `drawn_layer` draws every number from priors.toml.
"""

from __future__ import annotations

import math
import tomllib
from typing import Any

import numpy as np
from _harness import HERE

from mesolith.virtual.hedm.grains import random_grains
from mesolith.virtual.hedm.reflections import FIRST_RINGS, reflections_of
from mesolith.virtual.hedm.spot_lists import SpotPlan, VirtualLayer, measure_spots
from mesolith.virtual.hedm.station import Station

LATTICE = 12.95
PAPER_RINGS = FIRST_RINGS[3:]

CASES: dict[str, dict[str, Any]] = {
    "nominal": {},
    "rings 4-7": {"rings": PAPER_RINGS},
    "15 % dropped": {"dropped": 0.15},
    "30 % dropped": {"dropped": 0.30},
    "weakest 30 % dropped": {"dropped_weakest": 0.30},
    "wide overlaps": {"merge_px": 4.0, "merge_omega": math.radians(0.3)},
    "omega noise 0.1 deg": {"sigma_omega": math.radians(0.1)},
    "6,000 grains": {"grains": 6_000},
    "10,000 grains": {"grains": 10_000},
}


def layer_of_case(case: str, seed: int, **overrides: Any) -> VirtualLayer:
    """Layer of one row of the bar; the same seed, the same layer.

    ``overrides`` replace values of the case, such as ``grains``.
    """
    values = {"grains": 3_000, "rings": FIRST_RINGS} | CASES[case] | overrides
    rng = np.random.default_rng([seed, 0x1A7E8])
    grains = random_grains(rng, values.pop("grains"), lattice_angstrom=LATTICE)
    reflections = reflections_of(values.pop("rings"))
    return measure_spots(grains, reflections, Station(), SpotPlan(**values), rng)


def drawn_layer(draw: str, seed: int, **overrides: Any) -> VirtualLayer:
    """Layer whose numbers are drawn from the priors of one draw.

    ``draw`` is "nominal", "wide" or "misspecified"; ``overrides`` replace drawn values.
    """
    priors = tomllib.loads((HERE / "priors.toml").read_text(encoding="utf-8"))["hedm_layer"]
    rng = np.random.default_rng([seed, 0x1A7E9])
    drawn = {name: _drawn(rng, prior) for name, prior in sorted(priors[draw].items())} | overrides
    grains = random_grains(
        rng,
        round(drawn["grains"]),
        diameter=drawn["diameter"],
        height=drawn["height"],
        strain=drawn["strain"],
        strength_log_sigma=drawn["strength_log_sigma"],
        lattice_angstrom=LATTICE,
    )
    station = Station(
        distance=drawn["distance"],
        centre=(drawn["centre"], -drawn["centre"] / 2.0),
    )
    plan = SpotPlan(
        sigma_px=drawn["sigma_px"],
        sigma_omega=math.radians(drawn["sigma_omega_deg"]),
        stated_share=drawn["stated_share"],
        tail_freedom=drawn["tail_freedom"],
        merge_px=drawn["merge_px"],
        merge_omega=math.radians(drawn["merge_omega_deg"]),
        dropped=drawn["dropped"],
        false=drawn["false"],
    )
    return measure_spots(grains, reflections_of(), station, plan, rng)


def _drawn(rng: np.random.Generator, prior: Any) -> float:
    if isinstance(prior, dict):
        if "normal" in prior:
            return float(prior["normal"] * rng.standard_normal())
        return float(prior["median"] * prior["factor"] ** rng.uniform(-1.0, 1.0))
    if isinstance(prior, list):
        return float(rng.uniform(prior[0], prior[1]))
    return float(prior)
