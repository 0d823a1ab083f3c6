"""Frames of one full layer of a virtual pellet with known truth, for the benchmark of frames.

The layer is the middle 100 um of a slab of a virtual cell, so its grains are cut by the beam
above and below. What the analysis believes of the station is `Scene.believed`.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from _harness import HERE
from _virtual_layer import drawn_value

from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.hedm.backdrop import lithium_and_casing
from mesolith.virtual.hedm.exposure import Exposure, expose
from mesolith.virtual.hedm.fragments import Fragments, fragments_of
from mesolith.virtual.hedm.frames import VirtualFrames
from mesolith.virtual.hedm.station import Station

HEIGHT = 100.0
ALUMINIUM, ALUMINIUM_SQUARES = 4.0495, (3, 4, 8, 11, 12, 16, 19, 20)
LITHIUM, LITHIUM_SQUARES = 3.5092, (2, 4, 6, 8, 10, 12, 14)
GE_DISTORTION = (-2.3e-5, -8.8e-5, -4.7e-4, 2.0, 2.0, 2.0)


@dataclass(frozen=True)
class Scene:
    """A layer and its frames.

    ``fragments`` are the truth on sample axes with the sample's shift in them;
    ``believed`` is the station that the analysis starts from and ``lattice_angstrom`` the
    lattice parameter that it believes. ``drawn`` are the numbers of the draw.
    """

    frames: VirtualFrames
    fragments: Fragments
    believed: Station
    lattice_angstrom: float
    drawn: dict[str, float]


def drawn_scene(
    draw: str, seed: int, *, state: int = 0, diameter: float = 1600.0, **overrides: Any
) -> Scene:
    """Scene of the draw "nominal", "wide" or "misspecified"; the same seed, the same frames.

    ``state`` is one of the cell's: the station is the same in all, the sample's strain and place
    are not. ``diameter`` of the sample in um: a smaller one has fewer grains. ``overrides``
    replace drawn values, or fields of the exposure.
    """
    priors = tomllib.loads((HERE / "priors.toml").read_text(encoding="utf-8"))["hedm_frames"]
    rng = np.random.default_rng([seed, 0xF7A5])
    drawn: dict[str, Any] = {}
    for name, prior in sorted(priors[draw].items()):
        drawn[name] = drawn_value(rng, prior)
    tilt = np.radians(_three(rng, priors[draw]["tilt_deg"]))
    centre = _three(rng, priors[draw]["centre_error"])
    drawn |= {name: overrides.pop(name) for name in list(overrides) if name in drawn}
    # the panel is off by 0.3 mm where the analysis knows it, and by the errors where it does not
    believed = Station(centre=(300.0, -200.0), distortion=GE_DISTORTION)
    amplitude = drawn["wobble"] * math.sqrt(2.0 / 3.0) * rng.standard_normal((3, 3))
    station = replace(
        believed,
        tilt=(float(tilt[0]), float(tilt[1]), float(tilt[2])),
        wedge=math.radians(drawn["wedge_deg"]),
        distance=believed.distance + drawn["distance_error"],
        centre=(believed.centre[0] + centre[0], believed.centre[1] + centre[1]),
        wobble=tuple((float(a), float(b), float(c)) for a, b, c in amplitude),
    )
    exposure = Exposure(
        reference_counts=drawn["reference_counts"],
        background=drawn["background"],
        read_noise=drawn["read_noise"],
        mosaic_fwhm=math.radians(drawn["mosaic_deg"]),
        mosaic_log_sigma=drawn["mosaic_log_sigma"],
        point_fwhm_px=drawn["point_px"],
        energy_fwhm=drawn["energy_width"],
        tail_share=drawn["tail_share"],
        structure_log_sigma=drawn["structure_log_sigma"],
        structure_seed=seed,
        sample_um=diameter,
    )
    exposure = replace(exposure, **overrides)
    cell = VirtualCell.draw(
        seed,
        "pellet",
        diameter_um=diameter,
        thickness_um=2.4 * HEIGHT,
        grain_um=drawn["grain_um"],
        log_sigma=drawn["log_sigma"],
        minority_share=0.0,
    )
    # the sample comes back from each half cycle elsewhere; its height decides what is lit
    rng = np.random.default_rng([seed, 0xF7A6, state])
    shift = _three(rng, priors[draw]["shift"])
    turn = np.radians([0.0, 0.0, 1.0]) * rng.standard_normal()
    lifted = float(np.clip(shift[2], -0.6 * HEIGHT, 0.6 * HEIGHT))
    fragments = fragments_of(cell, state, middle=-lifted, height=HEIGHT, spacing=4.0)
    shift[2] = 0.0
    fragments = fragments.moved(shift, turn)
    middle = (float(shift[0]), float(shift[1]), 0.0)
    spots = expose(fragments, station, exposure, middle=middle)
    walls = (-0.6 * diameter - 2_000.0, 0.6 * diameter + 2_000.0)
    rings = lithium_and_casing(
        [(ALUMINIUM, ALUMINIUM_SQUARES, walls), (LITHIUM, LITHIUM_SQUARES, (0.0,))],
        drawn["casing"],
    )
    return Scene(
        frames=VirtualFrames(station, exposure, spots, seed, rings),
        fragments=fragments,
        believed=believed,
        lattice_angstrom=exposure.lattice_angstrom[0] * (1.0 + drawn["wrong_lattice"]),
        drawn=drawn | {"tilt_deg": float(np.degrees(np.linalg.norm(tilt)))},
    )


def _three(rng: np.random.Generator, prior: Any) -> np.ndarray:
    return np.array([drawn_value(rng, prior) for _ in range(3)])
