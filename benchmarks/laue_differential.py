"""A planted change of strain between two scans, seen through a calibration off by three sigma.

A station is calibrated on a virtual germanium crystal, and then believed to be three standard
deviations off in each of the calibration's five modes and in the height of the surface (30 um).
One grain of LLZO is measured at several points in a first scan, and again in a second one, turned
by about 0.03 deg and with a change of strain of 1e-4 (equivalent, of random direction). The same
peaks are compared point by point.

Bar, nominal and wide draws: the change averaged over the points of a grain is off by at most
2e-5 (root mean square over the six laboratory components); a single point with spots known to
0.01 px is off by at most 2e-5 in every component; 60 to 76 % of the single points' 68 % intervals
hold the truth and the median sigma is at most 1.3 times the RMS error. As a control the strains
themselves must be off by more than 1e-4, and the interval of no change at all must hold as well.
The misspecified draw is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from _calibrated_laue import calibrated_station
from _harness import fresh_seed, write_result
from _virtual_laue import (
    DrawnPattern,
    drawn_pattern,
    geometry_of,
    reflections,
    seeds_of,
)
from laue_intervals import indexer_of

from mesolith.axes import FloatArray
from mesolith.laue.differential import GrainInPattern, StrainChange, differential_strain
from mesolith.laue.geometry import LaueGeometry, laue_geometry
from mesolith.laue.solve import index_pattern
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_rotation_vector
from mesolith.virtual.laue.patterns import (
    LaueCrystals,
    drawn_family_factor,
    measure_pattern,
    random_crystals,
)

DRAWS = ("nominal", "wide", "misspecified")
GRAINS, POINTS = 6, 16
CHANGE, TURN_DEG, OFF = 1e-4, 0.03, 3.0
BAR, ABSOLUTE, COVERED, WIDTH = 2e-5, 1e-4, (0.60, 0.76), 1.3
_SIX = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(slots=True)
class Tally:
    """Errors (n, 6) of single points and of grains' means, and what they state."""

    points: list[FloatArray] = field(default_factory=list)
    sigma: list[FloatArray] = field(default_factory=list)
    left: list[FloatArray] = field(default_factory=list)
    means: list[FloatArray] = field(default_factory=list)
    absolute: list[FloatArray] = field(default_factory=list)
    exact: list[FloatArray] = field(default_factory=list)
    unchanged: list[FloatArray] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grains", type=int, default=GRAINS, help="of each draw")
    parser.add_argument("--family", type=int, help="seeds to develop on, not those of the commit")
    parser.add_argument("--draws", nargs="*", default=list(DRAWS))
    given = parser.parse_args()
    family = fresh_seed("laue_differential") if given.family is None else given.family
    started = time.process_time()
    result: dict[str, Any] = {"seed": family, "grains": given.grains, "rows": {}}
    met = True
    for part, draw in enumerate(DRAWS):
        if draw not in given.draws:
            continue
        tally = Tally()
        for seed in seeds_of(family, part, given.grains):
            one_grain(draw, seed, tally)
        entry = described(tally)
        good = judged(entry)
        met &= good or draw == "misspecified"
        result["rows"][draw] = entry
        show(draw, entry, "printed only" if draw == "misspecified" else good)
    complete = len(given.draws) == len(DRAWS) and given.grains >= GRAINS
    result |= {"met": met and complete, "cpu_seconds": time.process_time() - started}
    if complete:
        write_result("laue_differential", result)
    print(closing(result, met))
    return 0 if met and complete else 1


def one_grain(draw: str, seed: int, tally: Tally) -> None:
    """Both scans of one grain, through a station that is off."""
    drawn = drawn_pattern(draw, seed, 1)
    rng = np.random.default_rng([seed, 0xD1FF])
    station = calibrated_station(drawn, rng)
    if station is None:
        return
    geometry = station_off(drawn, station.believed, rng)
    before = drawn.pattern.crystals
    after = changed(before, rng)
    true = deviatoric(after) - deviatoric(before)
    factor = drawn_family_factor(reflections(), drawn.plan, rng)
    own = []
    for k in range(POINTS):
        first, second = (
            indexed(geometry, drawn, crystals, factor, rng) for crystals in (before, after)
        )
        if first is None or second is None:
            continue
        change = differential_strain(indexer_of(geometry), first, second)
        own.append(six(change.strain - true))
        tally.points.append(own[-1])
        tally.sigma.append(six(change.standard_error))
        tally.left.append(OFF * six(change.systematic_error))
        tally.absolute.append(six(first.answer.grains.strain[0] - deviatoric(before)))
        tally.peaks.append(change.peaks)
        if k == 0:
            add_controls(tally, geometry, drawn, (before, after), factor, rng)
    if own:
        tally.means.append(np.mean(own, axis=0))


def add_controls(
    tally: Tally,
    geometry: LaueGeometry,
    drawn: DrawnPattern,
    crystals: tuple[LaueCrystals, LaueCrystals],
    factor: FloatArray,
    rng: np.random.Generator,
) -> None:
    """The same with spots known to 0.01 px, and two patterns between which nothing changed."""
    fine = replace(drawn, plan=replace(drawn.plan, sigma_px=0.01))
    first, second = (indexed(geometry, fine, one, factor, rng) for one in crystals)
    if first is not None and second is not None:
        change = differential_strain(indexer_of(geometry), first, second)
        tally.exact.append(six(change.strain - deviatoric(crystals[1]) + deviatoric(crystals[0])))
    first, second = (indexed(geometry, drawn, crystals[0], factor, rng) for _ in range(2))
    if first is not None and second is not None:
        none: StrainChange = differential_strain(indexer_of(geometry), first, second)
        tally.unchanged.append(six(none.strain) / six(none.standard_error))


def indexed(
    geometry: LaueGeometry,
    drawn: DrawnPattern,
    crystals: LaueCrystals,
    factor: FloatArray,
    rng: np.random.Generator,
) -> GrainInPattern | None:
    """One pattern of the grain, indexed; None where it was not found."""
    made = measure_pattern(crystals, reflections(), drawn.station, drawn.plan, rng, factor)
    peaks = replace(drawn, pattern=made).peaks
    answer = index_pattern(indexer_of(geometry), peaks)
    return GrainInPattern(peaks, answer, 0) if len(answer.grains) else None


def station_off(
    drawn: DrawnPattern, calibrated: LaueGeometry, rng: np.random.Generator
) -> LaueGeometry:
    """The true station, believed to be three sigma off in every mode of its calibration."""
    signs = rng.choice([-OFF, OFF], len(calibrated.modes))
    motion = sum(
        sign * mode.sigma * mode.motion for sign, mode in zip(signs, calibrated.modes, strict=True)
    )
    instrument = geometry_of(drawn.station).instrument
    panel = instrument.panels[0]
    turn = matrix_from_quaternion(quaternion_from_rotation_vector(np.asarray(motion)[3:]))
    moved = replace(
        panel, origin=turn @ panel.origin + np.asarray(motion)[:3], rotation=turn @ panel.rotation
    )
    return laue_geometry(
        replace(instrument, panels=(moved,)),
        surface=drawn.station.surface,
        modes=calibrated.modes,
    )


def changed(crystals: LaueCrystals, rng: np.random.Generator) -> LaueCrystals:
    """The grain in the second scan."""
    extra = random_crystals(rng, (1.0,), strain=CHANGE).strain
    vector = np.radians(TURN_DEG) * rng.standard_normal(3)
    turn = matrix_from_quaternion(quaternion_from_rotation_vector(vector))
    return replace(
        crystals, orientation=turn @ crystals.orientation, strain=crystals.strain + extra
    )


def deviatoric(crystals: LaueCrystals) -> FloatArray:
    """True deviatoric strain (3, 3) of the first grain: of its stretch, laboratory axes."""
    gradient = (np.eye(3) + crystals.strain[0]) @ crystals.orientation[0]
    value, axes = np.linalg.eigh(gradient @ gradient.T)
    stretch = (axes * np.sqrt(value)) @ axes.T
    return np.asarray(3.0 * stretch / np.trace(stretch) - np.eye(3))


def six(tensor: FloatArray) -> FloatArray:
    return np.array([tensor[i, j] for i, j in _SIX])


def described(tally: Tally) -> dict[str, Any]:
    points, sigma = np.array(tally.points), np.array(tally.sigma)
    return {
        "pairs": len(points),
        "grains": len(tally.means),
        "peaks": float(np.mean(tally.peaks)),
        "mean_rms": rms(np.array(tally.means)),
        "mean_largest": float(np.abs(tally.means).max()),
        "point_rms": rms(points),
        "exact_largest": float(np.abs(tally.exact).max()),
        "absolute_rms": rms(np.array(tally.absolute)),
        "left_rms": rms(np.array(tally.left)),
        "covered": float(np.mean(np.abs(points) < sigma)),
        "width": float(np.max(np.median(sigma, axis=0) / np.sqrt(np.mean(points**2, axis=0)))),
        "unchanged_rms_sigma": rms(np.array(tally.unchanged)),
    }


def judged(entry: dict[str, Any]) -> bool:
    return bool(
        entry["mean_rms"] <= BAR
        and entry["exact_largest"] <= BAR
        and COVERED[0] <= entry["covered"] <= COVERED[1]
        and entry["width"] <= WIDTH
        and entry["absolute_rms"] > ABSOLUTE
        and 0.6 < entry["unchanged_rms_sigma"] < 1.4
    )


def show(draw: str, entry: dict[str, Any], good: bool | str) -> None:
    verdict = good if isinstance(good, str) else "met" if good else "NOT met"
    print(
        f"{draw:13s} {entry['pairs']} pairs of {entry['grains']} grains, {entry['peaks']:.0f} "
        f"common peaks: mean of a grain's points off by {entry['mean_rms']:.1e} RMS (largest "
        f"{entry['mean_largest']:.1e}), one point {entry['point_rms']:.1e}, at 0.01 px at most "
        f"{entry['exact_largest']:.1e}; strains themselves off by {entry['absolute_rms']:.1e}, "
        f"stated left-over {entry['left_rms']:.1e}; one sigma covers {entry['covered']:.1%}, width "
        f"{entry['width']:.2f}; nothing changed: {entry['unchanged_rms_sigma']:.2f} sigma: "
        f"{verdict}",
        flush=True,
    )


def closing(result: dict[str, Any], met: bool) -> str:
    parts = [
        f"{draw} {entry['mean_rms']:.1e} (strains {entry['absolute_rms']:.1e})"
        for draw, entry in result["rows"].items()
    ]
    return f"laue differential: change off by {'; '.join(parts)}: {'met' if met else 'NOT met'}"


def rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))


if __name__ == "__main__":
    sys.exit(main())
