"""Spot lists of one layer with known truth, as the benchmarks of indexing draw them.

`CASES` are the rows of the bar; `drawn_layer` draws every number from priors.toml;
`pellet_layers` are the layers of one virtual cell.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from _harness import HERE

from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.hedm.fragments import Fragments, layers_of
from mesolith.virtual.hedm.grains import random_grains
from mesolith.virtual.hedm.reflections import FIRST_RINGS, real_strengths, reflections_of
from mesolith.virtual.hedm.spot_lists import SpotPlan, VirtualLayer, measure_spots
from mesolith.virtual.hedm.station import Station

LATTICE = 12.95
PAPER_RINGS = FIRST_RINGS[3:]
INNER_RINGS = 4
# all that I-43d allows as far as {800}; {310}, {510} (on the ring of {431}), {530}, {710} (on that
# of {543}) and {730} are missing in Ia-3d
POLYMORPH_RINGS = (
    *FIRST_RINGS,
    *((4, 2, 2), (4, 3, 1), (5, 1, 0), (5, 2, 1), (4, 4, 0), (5, 3, 0), (5, 3, 2), (6, 1, 1)),
    *((6, 2, 0), (5, 4, 1), (6, 3, 1), (4, 4, 4), (5, 4, 3), (7, 1, 0), (6, 4, 0), (5, 5, 2)),
    *((6, 3, 3), (7, 2, 1), (6, 4, 2), (7, 3, 0), (6, 5, 1), (7, 3, 2), (8, 0, 0)),
)

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
    drawn = {
        name: drawn_value(rng, prior) for name, prior in sorted(priors[draw].items())
    } | overrides
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
    return measure_spots(grains, reflections_of(), station, spot_plan(drawn), rng)


def spot_plan(drawn: dict[str, float]) -> SpotPlan:
    """How spots are measured, from drawn numbers; angles in deg."""
    return SpotPlan(
        sigma_px=drawn["sigma_px"],
        sigma_omega=math.radians(drawn["sigma_omega_deg"]),
        stated_share=drawn["stated_share"],
        tail_freedom=drawn["tail_freedom"],
        merge_px=drawn["merge_px"],
        merge_omega=math.radians(drawn["merge_omega_deg"]),
        dropped=drawn["dropped"],
        false=drawn["false"],
    )


def pellet_layers(
    seed: int,
    *,
    state: int = 0,
    preset: str = "pellet-30000",
    cell: dict[str, Any] | None = None,
    **overrides: Any,
) -> Iterator[tuple[float, VirtualLayer, Fragments]]:
    """Spot lists of the nine layers of a virtual pellet, from below.

    Each is (z of the layer's middle in um, spot list with z = 0 there, its fragments): centroid
    and strain of the lit part of each grain, counts as the volume of that part, 300 in {400} of
    a sphere of 25 um, spots below 40 counts lost. ``cell`` replaces values of the preset,
    ``overrides`` those of the spot plan.
    """
    pellet = VirtualCell.draw(seed, preset, **cell or {})
    counts = 300.0 / (math.pi / 6.0 * 25.0**3)
    strengths = [real_strengths(FIRST_RINGS, phase=phase) for phase in (0, 1)]
    reflections = reflections_of(FIRST_RINGS, *strengths)
    plan = SpotPlan(**{"least_intensity": 40.0} | overrides)
    for k, (middle, fragments) in enumerate(layers_of(pellet, state)):
        grains = fragments.crystals(LATTICE, counts_per_um3=counts)
        rng = np.random.default_rng([seed, 0x1A7EA, k])
        yield middle, measure_spots(grains, reflections, Station(), plan, rng), fragments


def polymorph_layer(
    seed: int,
    *,
    minority: float = 0.03,
    grains: int = 3_000,
    lattice_offset: float = 0.0,
    counts: float = 2_400.0,
    inner_attenuation: float = 1.0,
    signal: float = 1.0,
    structure_log_sigma: float = 0.0,
    strain: float = 2e-4,
    strength_log_sigma: float = 0.5,
    **overrides: Any,
) -> VirtualLayer:
    """Spot list of a layer in which some grains are Ia-3d: ``layer.grains.phase`` is 1 there.

    Intensities are those of the shipped structures, behind 1.6 mm of LLZTO, with the noise of
    their counts on a background; ``counts`` are those of {400} of a median grain in the middle.
    ``lattice_offset`` is how much larger the minority's lattice parameter is, relative. The
    inner four rings are weaker by ``inner_attenuation``. ``signal`` is how much of the
    difference of the two structures is left; ``structure_log_sigma`` by how much the true
    strength of each family that only I-43d has is off the shipped one, and a tenth of that for
    the difference between the two phases in the others.
    """
    rng = np.random.default_rng([seed, 0x1A7EB])
    crystals = random_grains(
        rng,
        grains,
        counts=counts,
        strain=strain,
        strength_log_sigma=strength_log_sigma,
        lattice_angstrom=LATTICE,
    )
    phase = np.zeros(grains, dtype=np.int64)
    phase[rng.permutation(grains)[: round(minority * grains)]] = 1
    crystals = replace(
        crystals, phase=phase, lattice_angstrom=LATTICE * (1.0 + lattice_offset * phase)
    )
    first, second = (np.array(real_strengths(POLYMORPH_RINGS, phase=k)) for k in (0, 1))
    first = second + signal * (first - second)
    wrong = structure_log_sigma * rng.standard_normal(len(first))
    first = first * np.exp(np.where(second > 1e-12, 0.1 * wrong, wrong))
    for row in (first, second):
        row[:INNER_RINGS] /= inner_attenuation
    values = {
        "absorption": 18.4e-4,
        "counting_noise": 33.0,
        "weak_counts": 200.0,
        "least_intensity": 130.0,
    }
    plan = SpotPlan(**values | overrides)
    reflections = reflections_of(POLYMORPH_RINGS, first.tolist(), second.tolist())
    return measure_spots(crystals, reflections, Station(), plan, rng)


def drawn_polymorphs(draw: str, seed: int, **overrides: Any) -> VirtualLayer:
    """Layer of two polymorphs whose numbers are drawn from the priors of one draw."""
    priors = tomllib.loads((HERE / "priors.toml").read_text(encoding="utf-8"))["hedm_polymorph"]
    rng = np.random.default_rng([seed, 0x1A7EC])
    drawn: dict[str, Any] = {
        name: drawn_value(rng, prior) for name, prior in sorted(priors[draw].items())
    }
    drawn["grains"] = round(drawn["grains"])
    drawn["sigma_omega"] = math.radians(drawn.pop("sigma_omega_deg"))
    drawn["merge_omega"] = math.radians(drawn.pop("merge_omega_deg"))
    return polymorph_layer(seed, **drawn | overrides)


def drawn_value(rng: np.random.Generator, prior: Any) -> float:
    """One number of a prior, as priors.toml states them."""
    if isinstance(prior, dict):
        if "normal" in prior:
            return float(prior["normal"] * rng.standard_normal())
        return float(prior["median"] * prior["factor"] ** rng.uniform(-1.0, 1.0))
    if isinstance(prior, list):
        return float(rng.uniform(prior[0], prior[1]))
    return float(prior)
