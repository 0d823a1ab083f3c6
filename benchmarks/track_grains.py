"""Grains tracked between two states: right, wrong, time, and how honest the probabilities are.

30,000 grains. Easy: 5 um and 0.05 deg noise in either map, 3 % lost, 3 % new, 40 um and 1 deg of
motion. Hard: 20 um, 0.1 deg, 15 % lost, 15 % new, 3 % split in two, 2 % turned by 0.5 to 2 deg, a
tenth of the grains Sigma3 twins of a neighbour, 200 um and 3 deg, an affine strain of 1e-3.

Bar: easy 99.5 % of the surviving pairs right, 0.1 % of the pairs wrong, 5 s (best of three); hard
1 % wrong and an expected calibration error of 0.03 in ten bins; the wide draw as hard. A grain
that split must be found as its larger part: the smaller one counts as wrong. The rule of the
nearest grain stands beside each, with the same motion removed.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from dataclasses import replace
from typing import Any

import numpy as np
from _harness import HERE, calibration_seconds, fresh_seed, write_result
from tracking_maps import EASY, HARD, Change, Pair, misspecified, two_maps

from mesolith.link.track import AMBIGUOUS, track_grains
from mesolith.numerics.rotations import quaternion_from_matrix, rotation_angle
from mesolith.records.tracking import Tracking

EASY_RIGHT, EASY_WRONG, EASY_SECONDS = 0.995, 0.001, 5.0
HARD_WRONG, CALIBRATION = 0.01, 0.03


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", choices=("nominal", "wide", "misspecified"))
    parser.add_argument("--quick", action="store_true", help="3,000 grains, fewer scenes")
    parser.add_argument("--family", type=int, help="seeds to develop on, not those of the commit")
    given = parser.parse_args()
    family = fresh_seed("track_grains") if given.family is None else given.family
    seeds = [int(s) for s in np.random.SeedSequence(family).generate_state(20, np.uint32)]
    warm = warm_up_seconds()
    calibration = calibration_seconds()
    print(f"first call: {warm:.1f} s (imports; nothing is compiled); speed {calibration:.3f} s")
    result: dict[str, Any] = {
        "seed": family,
        "calibration_seconds": calibration,
        "first_call_seconds": warm,
    }
    met = True
    if given.draw in (None, "nominal"):
        result["nominal"], good = nominal(seeds[:1] if given.quick else seeds[:3], given.quick)
        met &= good
    if given.draw in (None, "wide"):
        result["wide"], good = wide(seeds[3:5] if given.quick else seeds[3:11], given.quick)
        met &= good
    if given.draw in (None, "misspecified"):
        result["misspecified"] = loss(seeds[11], given.quick)
    result["met"] = met
    if not given.quick:
        write_result("track_grains", result)
    if "nominal" in result:
        easy, hard = result["nominal"]["easy"], result["nominal"]["hard"]
        print(
            f"easy {easy['right']:.3%} right, {easy['wrong']:.3%} wrong, {easy['seconds']:.2f} s; "
            f"hard {hard['right']:.2%} right, {hard['wrong']:.2%} wrong, {hard['seconds']:.2f} s, "
            f"calibration error {hard['calibration']:.4f}: {'met' if met else 'NOT met'}"
        )
    else:
        print("met" if met else "NOT met")
    return 0 if met else 1


def nominal(seeds: list[int], quick: bool) -> tuple[dict[str, Any], bool]:
    """Both scenes of the bar; the worst of the seeds counts, and the best of their times."""
    found: dict[str, Any] = {}
    for name, change in (("easy", EASY), ("hard", HARD)):
        change = replace(change, grains=3_000) if quick else change
        scores = [score(two_maps(change, seed), change, "optimal", runs=3) for seed in seeds]
        nearest = score(two_maps(change, seeds[0]), change, "nearest")
        for entry in scores:
            show(name, entry)
        show(f"{name}, nearest rule", nearest)
        found[name] = worst(scores) | {"nearest": nearest, "bins": scores[0]["bins"]}
    easy, hard = found["easy"], found["hard"]
    for low, count, stated, right in hard["bins"]:
        print(f"  stated {low:.1f}-{low + 0.1:.1f}: {count} pairs, mean {stated:.3f}, {right:.3f}")
    good = (
        easy["right"] >= EASY_RIGHT
        and easy["wrong"] <= EASY_WRONG
        and easy["seconds"] < EASY_SECONDS
        and hard["wrong"] <= HARD_WRONG
        and hard["calibration"] <= CALIBRATION
    )
    return found, good


def wide(seeds: list[int], quick: bool) -> tuple[dict[str, Any], bool]:
    """Scenes whose every parameter is drawn from the priors."""
    priors = tomllib.loads((HERE / "priors.toml").read_text(encoding="utf-8"))["tracking"]
    scores = []
    for seed in seeds:
        change = drawn_change(priors, seed)
        change = replace(change, grains=min(change.grains, 3_000)) if quick else change
        entry = score(two_maps(change, seed), change, "optimal")
        show(f"wide ({change.grains} grains, {change.sigma_position:.0f} um)", entry)
        scores.append(entry)
    found = worst(scores)
    return found, found["wrong"] <= HARD_WRONG and found["calibration"] <= CALIBRATION


def loss(seed: int, quick: bool) -> dict[str, Any]:
    """The hard scene where an assumption fails: printed, not judged."""
    base = replace(HARD, grains=3_000) if quick else HARD
    found = {}
    for name, change in misspecified(base).items():
        found[name] = score(two_maps(change, seed), change, "optimal")
        show(name, found[name])
    return found


def drawn_change(priors: dict[str, Any], seed: int) -> Change:
    """A change with each parameter drawn evenly, or log-evenly about a median."""
    rng = np.random.default_rng([seed, 21])
    drawn: dict[str, Any] = {}
    for name, prior in priors.items():
        if isinstance(prior, dict):
            drawn[name] = prior["median"] * prior["factor"] ** rng.uniform(-1.0, 1.0)
        else:
            drawn[name] = rng.uniform(*prior)
    return Change(**drawn | {"grains": round(drawn["grains"])})


def score(pair: Pair, change: Change, rule: str, *, runs: int = 1) -> dict[str, Any]:
    """How one scene was tracked, and the shortest time of the runs."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        tracking = track_grains(
            pair.before,
            pair.after,
            rule=rule,
            sigma_position=change.told * change.sigma_position,
            sigma_orientation=float(np.radians(change.told * change.sigma_orientation)),
        )
        seconds.append(time.perf_counter() - start)
    return judged(tracking, pair) | {"seconds": min(seconds)}


def judged(tracking: Tracking, pair: Pair) -> dict[str, Any]:
    """Shares of surviving pairs right and of found pairs wrong, and the calibration error."""
    right = pair.partner[tracking.before] == tracking.after
    part = right | (pair.fragment[tracking.before] == tracking.after)
    count = max(len(right), 1)
    bins = []
    error = 0.0
    place = np.minimum((10.0 * tracking.probability).astype(np.int64), 9)
    for k in range(10):
        inside = place == k
        if inside.any():
            stated, true = tracking.probability[inside].mean(), right[inside].mean()
            error += inside.sum() / count * abs(stated - true)
            bins.append((k / 10, int(inside.sum()), float(stated), float(true)))
    low, high = AMBIGUOUS
    turn = tracking.rotation @ pair.rotation.T
    return {
        "pairs": len(right),
        "right": float(right.sum() / max((pair.partner >= 0).sum(), 1)),
        "wrong": float((~right).sum() / count),
        "wrong_if_either_part_counts": float((~part).sum() / count),
        "calibration": float(error),
        "ambiguous": int(((tracking.probability >= low) & (tracking.probability <= high)).sum()),
        "turn_error_deg": float(np.degrees(rotation_angle(quaternion_from_matrix(turn)))),
        "bins": bins,
    }


def worst(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Worst of each quality over the scenes, and the shortest time."""
    return {
        "scenes": len(scores),
        "right": min(entry["right"] for entry in scores),
        "wrong": max(entry["wrong"] for entry in scores),
        "wrong_if_either_part_counts": max(s["wrong_if_either_part_counts"] for s in scores),
        "calibration": max(entry["calibration"] for entry in scores),
        "seconds": min(entry["seconds"] for entry in scores),
        "seconds_longest": max(entry["seconds"] for entry in scores),
    }


def show(name: str, entry: dict[str, Any]) -> None:
    print(
        f"{name:44s} {entry['right']:8.3%} right {entry['wrong']:8.3%} wrong "
        f"(either part: {entry['wrong_if_either_part_counts']:.3%}) "
        f"calibration {entry['calibration']:.4f}, {entry['ambiguous']} ambiguous, "
        f"turn to {entry['turn_error_deg']:.4f} deg, {entry['seconds']:.2f} s",
        flush=True,
    )


def warm_up_seconds() -> float:
    """Seconds of the very first call, on few grains: what importing costs."""
    pair = two_maps(replace(EASY, grains=100), 0)
    start = time.perf_counter()
    track_grains(pair.before, pair.after)
    return time.perf_counter() - start


if __name__ == "__main__":
    raise SystemExit(main())
