"""Lists of followed grains with known truth, as the benchmarks of the statistics draw them.

A jittered lattice in a cylinder, residual stress with rare extreme grains, a true random change
in each state. Three draws hold no effect: "no effect" (all of that), "noise only" (the true
stress is the same in all grains) and "drift only" (the same, and each state shifted by a uniform
dilatation of its own). Sizes stand in effects.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from _harness import HERE

from mesolith.axes import FloatArray
from mesolith.link.hotspots import spots_of
from mesolith.numerics.spatial import neighbour_graph, row_means
from mesolith.records.followed import FollowedGrains

EFFECTS = tomllib.loads((HERE / "effects.toml").read_text(encoding="utf-8"))
PELLET = EFFECTS["pellet"]
NULLS = ("no effect", "noise only", "drift only")

Plant = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class DrawnGrains:
    """Followed grains, their true hydrostatic stress, and what was planted of it (MPa).

    Both of shape (grain, state).
    """

    followed: FollowedGrains
    truth: FloatArray
    planted: FloatArray


def drawn_grains(
    rng: np.random.Generator,
    grains: int,
    *,
    states: int = 5,
    draw: str = "no effect",
    plant: Plant | None = None,
    noise: float = 1.0,
    flicker: float = 1.0,
    drift: float = 0.0,
    tail_freedom: float = 0.0,
) -> DrawnGrains:
    """Followed grains of a drawn cell; ``plant`` makes (grain, state) of places and true stress.

    ``noise`` and ``flicker`` are in units of those in effects.toml, as is ``drift``, which is 1
    in the draw "drift only". With ``tail_freedom`` above 2 noise follows Student's t of that
    freedom, with the same standard deviation; the stated error is the same.
    """
    position = _positions(rng, grains)
    count = len(position)
    radius = PELLET["spacing"] / 1.612 * np.exp(PELLET["log_sigma"] * rng.standard_normal(count))
    truth = np.zeros((count, states))
    if draw == "no effect":
        rare = rng.random(count) < PELLET["rare_share"]
        base = PELLET["spread"] * rng.standard_normal(count)
        base = base + rare * PELLET["rare"] * rng.standard_normal(count)
        moved = flicker * PELLET["flicker"] * rng.standard_normal((count, states))
        truth = base[:, None] + moved
    planted = np.zeros_like(truth) if plant is None else plant(position, truth)
    truth = truth + planted
    drift = 1.0 if draw == "drift only" else drift
    truth = truth + drift * PELLET["drift"] * rng.standard_normal(states)
    # small grains are measured worse
    error = noise * PELLET["noise"] * (radius.mean() / radius)[:, None] * np.ones((count, states))
    measured = truth + error * _errors(rng, truth.shape, tail_freedom)
    von_mises = np.sqrt(np.sum((60.0 + 20.0 * rng.standard_normal((count, 1, 5))) ** 2, axis=2))
    von_mises = np.abs(von_mises + 15.0 * rng.standard_normal(truth.shape))
    direction = np.where(np.arange(states) % 2 == 1, 1, -1)
    direction[0] = 0
    followed = FollowedGrains(
        state=tuple(f"state {k}" for k in range(states)),
        direction=direction,
        grain=np.arange(count),
        row=np.tile(np.arange(count)[:, None], states),
        probability=np.ones(count),
        position=position + 8.0 * rng.standard_normal(position.shape),
        radius=radius,
        hydrostatic=measured,
        hydrostatic_se=error,
        hydrostatic_common_se=np.full(states, PELLET["drift"]),
        von_mises=von_mises,
        von_mises_se=np.full(truth.shape, 15.0),
        von_mises_common_se=np.zeros(states),
    )
    return DrawnGrains(followed, truth, planted)


def planted_trend(position: FloatArray, truth: FloatArray) -> FloatArray:
    """A slope along z in the last state."""
    added = np.zeros_like(truth)
    z = position[:, 2]
    added[:, -1] = EFFECTS["trend"]["size"] * (z - z.mean()) / (z.max() - z.min())
    return added


def planted_clusters(rng: np.random.Generator) -> Plant:
    """A field in the last state that is alike over the range of effects.toml."""

    def plant(position: FloatArray, truth: FloatArray) -> FloatArray:
        added = np.zeros_like(truth)
        near = neighbour_graph(position, EFFECTS["clustering"]["range"], itself=True)
        field = row_means(near, rng.standard_normal(len(position)))
        added[:, -1] = EFFECTS["clustering"]["size"] * field / field.std()
        return added

    return plant


def planted_change(position: FloatArray, truth: FloatArray) -> FloatArray:
    """The neighbourhoods of the 20 hottest grains rise after the first state and stay."""
    added = np.zeros_like(truth)
    near = neighbour_graph(position, 2.0 * PELLET["spacing"], itself=True)
    hot = spots_of(truth[:, 0], kind="hot", count=20)
    added[np.unique(near[hot].indices), 1:] = EFFECTS["hot_spot_change"]["size"]
    return added


def uneven_change(rng: np.random.Generator) -> Plant:
    """Around the hottest 4 % of the grains stress rises after the first state, unlike from spot
    to spot (by half of the mean), and stays.
    """

    def plant(position: FloatArray, truth: FloatArray) -> FloatArray:
        added = np.zeros_like(truth)
        near = neighbour_graph(position, 2.0 * PELLET["spacing"], itself=True)
        hot = spots_of(truth[:, 0], kind="hot", count=round(0.04 * len(truth)))
        size = EFFECTS["hot_spot_change"]["size"] * (1.0 + 0.5 * rng.standard_normal(len(hot)))
        # the hottest spot of those a grain is near
        for grain, own in zip(hot[::-1], size[::-1], strict=True):
            added[near[[grain]].indices, 1:] = own
        return added

    return plant


def planted_relaxation(position: FloatArray, truth: FloatArray) -> FloatArray:
    """Around the 50 hottest grains stress falls along z, in all states."""
    effect = EFFECTS["relaxation"]
    added = np.zeros_like(truth)
    near = neighbour_graph(position, effect["reach"], itself=True)
    for grain in spots_of(truth.mean(axis=1), kind="hot", count=50):
        around = near[[grain]].indices
        rise = position[around, 2] - position[grain, 2]
        added[around] -= (effect["size"] * rise)[:, None]
    return added


def planted_direction(position: FloatArray, truth: FloatArray) -> FloatArray:
    """Hot and cold neighbourhoods are higher after each step of direction 1."""
    added = np.zeros_like(truth)
    near = neighbour_graph(position, 2.0 * PELLET["spacing"], itself=True)
    spots = [spots_of(truth[:, 0], kind=kind, count=10) for kind in ("hot", "cold")]
    members = np.unique(near[np.concatenate(spots)].indices)
    added[np.ix_(members, np.arange(1, truth.shape[1], 2))] = EFFECTS["direction"]["size"]
    return added


def _errors(rng: np.random.Generator, shape: tuple[int, ...], tail_freedom: float) -> FloatArray:
    """Numbers of standard deviation 1: normal, or Student's t of that freedom."""
    if tail_freedom <= 2.0:
        return rng.standard_normal(shape)
    return rng.standard_t(tail_freedom, shape) * np.sqrt(1.0 - 2.0 / tail_freedom)


def _positions(rng: np.random.Generator, grains: int) -> FloatArray:
    spacing = PELLET["spacing"]
    diameter = (grains * spacing**3 * 4.0 / (np.pi * PELLET["aspect"])) ** (1.0 / 3.0)
    half = np.array([diameter, diameter, PELLET["aspect"] * diameter]) / 2.0
    axes = [np.arange(-h - spacing, h + spacing, spacing) + rng.uniform(0, spacing) for h in half]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid + 0.25 * spacing * rng.standard_normal(grid.shape)
    inside = (np.hypot(grid[:, 0], grid[:, 1]) <= half[0]) & (np.abs(grid[:, 2]) <= half[2])
    return np.asarray(grid[inside])
