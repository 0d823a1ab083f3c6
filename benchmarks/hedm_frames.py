"""Grains of a full layer from its frames: searched, calibrated on the grains, indexed, refined.

The frames are those of a virtual layer of 1.6 mm x 100 um with at least 3,000 grains (of 46 to
54 um in the wide draw, so that they may be some fewer), cut by the beam above and below, on 2048 x
2048 pixels in 3,600 frames: mosaic of 0.1 deg, point spread of 1.5 px, dE/E 1e-3, absorption of
18.4 /cm, an axis that wobbles by 1 um, rings of casing and lithium. Photons: 300 counts in {400}
of a central grain of 25 um, background of 60 a pixel, read noise of 6, 14 bit. Tilts (0.1 deg),
wedge (0.05 deg) and centre are unknown to the analysis. The virtual station shares no formula
with the analysis.

Bar, on the nominal and the wide draw: of the lit parts of 25 to 40 um in diameter 90 % found, of
larger ones 98 %, at most 0.5 % of what is found false; position within 10 um and strain within
1e-4 (root mean squares over found parts above 25 um) of the lit part's; stated errors that hold
(promise 9) in both classes. What all grains share has one error, not 3,000, and is judged apart:
the dilation by which the distance hangs on the reference lattice, and the height of the beam's
middle, each within three of its standard errors. Found: within 0.1 deg and 30 um of the truth, one
to one. The loss on the misspecified draw is printed.

Blocks that were searched are kept below results/_trials, so that a run that was interrupted goes
on. The rate of the peak search is the bar of `peak_search.py`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from _harness import ROOT, calibration_seconds, fresh_seed, write_result
from _hedm_scores import score_grains
from _searched_frames import scene_and_spots, scratch_folder
from _virtual_frames import HEIGHT, Scene

from mesolith.axes import FloatArray
from mesolith.hedm.calibrate import calibrate_station
from mesolith.hedm.calibrate_grains import GrainCalibration, GrainSpots
from mesolith.hedm.calibrate_spots import mean_height
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.indexed import IndexedLayer, index_spots
from mesolith.hedm.phase_rings import PhaseRings
from mesolith.hedm.ring_choice import STRONGEST, rings_of_materials
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import moved
from mesolith.instrument.scattering import laboratory_from_spots, scattering_vectors
from mesolith.materials.loader import load_material
from mesolith.records.spots import Spots

sys.path.insert(0, str(ROOT))

from tests.hedm.virtual_station import instrument_of

DRAWS = ("nominal", "wide", "misspecified")
CORES = 2
CLASSES = {"below 25 um": (0.0, 25.0), "25 to 40 um": (25.0, 40.0), "above 40 um": (40.0, np.inf)}
RECALL = {"25 to 40 um": 0.90, "above 40 um": 0.98}
FEWEST, FALSE, POSITION, STRAIN = 3_000, 0.005, 10.0, 1e-4
COVERED, WIDTH = (0.60, 0.76), 1.3
QUANTITIES = {"position": slice(0, 3), "orientation": slice(3, 6), "strain": slice(6, 12)}


def main() -> int:
    """Run, print, write the result; 0 where the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", nargs="*", default=DRAWS, help="nominal, wide, misspecified")
    parser.add_argument("--family", type=int, help="seeds to develop on, not those of the commit")
    parser.add_argument("--diameter", type=float, default=1600.0, help="of the sample, um")
    given = parser.parse_args()
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"  # of the workers
    family = fresh_seed("hedm_frames") if given.family is None else given.family
    seeds = np.random.SeedSequence(family).generate_state(len(DRAWS), np.uint32)
    result: dict[str, Any] = {"seed": family, "calibration_seconds": calibration_seconds()}
    met = True
    for draw in given.draw:
        seed = int(seeds[DRAWS.index(draw)])
        entry, good = judged(draw, seed, given.diameter)
        result[draw] = entry
        met &= good or draw == "misspecified"
    whole = set(DRAWS) <= set(given.draw) and given.diameter == 1600.0 and given.family is None
    result["met"] = met and whole
    if whole:
        write_result("hedm_frames", result)
    print(closing(result))
    return 0 if result["met"] else 1


def judged(draw: str, seed: int, diameter: float) -> tuple[dict[str, Any], bool]:
    """One draw, from frames to scores."""
    folder = scratch_folder("hedm_frames", f"{draw} {seed} {diameter}")
    start = time.perf_counter()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(CORES, mp_context=spawn) as pool:
        scene, spots = scene_and_spots(pool, draw, seed, folder, diameter=diameter)
    searched = time.perf_counter() - start
    start = time.process_time()
    calibration, layer = analysed(scene, spots)
    entry = scored(scene, calibration, layer)
    entry["spots"] = len(spots)
    entry["search_seconds"] = searched
    entry["analysis_cpu_seconds"] = time.process_time() - start
    whole = draw == "nominal" and diameter == 1600.0
    good = meets(entry, fewest=FEWEST if whole else 0)
    show(draw, entry, good)
    return entry, good


def phase_of(scene: Scene) -> PhaseRings:
    """The rings that `mesolith run` chooses by default, with the lattice that is believed."""
    cubic = np.array([*[scene.lattice_angstrom] * 3, *[np.pi / 2.0] * 3])
    material = replace(load_material("LLZTO-I-43d"), lattice=cubic)
    believed = instrument_of(scene.believed, height=HEIGHT)
    (phase,) = rings_of_materials(
        material,
        None,
        believed,
        first_ring=1,
        count=None,
        strongest=STRONGEST,
        strain=IndexSettings().strain,
    )
    return phase


def analysed(scene: Scene, spots: Spots) -> tuple[GrainCalibration, IndexedLayer]:
    """The station calibrated on its grains, and the layer indexed with it."""
    phase = phase_of(scene)
    settings = IndexSettings(sample_radius=0.5 * scene.frames.exposure.sample_um + 250.0)

    def find_grains(instrument: Instrument) -> GrainSpots:
        return matched(index_spots(spots, instrument, (phase,), settings), spots, instrument, phase)

    believed = instrument_of(scene.believed, height=HEIGHT)
    calibration = calibrate_station(
        believed, spots, phase.spacing, find_grains, radius=settings.sample_radius
    )
    instrument = calibration.calibration.instrument
    layer = index_spots(spots, instrument, (phase,), settings)
    # z = 0 is the middle of the lit volume, as a run has it
    instrument = moved(instrument, {"shift_z": -mean_height(layer.grains)})
    return calibration, index_spots(spots, instrument, (phase,), settings)


def matched(
    layer: IndexedLayer, spots: Spots, instrument: Instrument, phase: PhaseRings
) -> GrainSpots:
    """Grains and their spots as calibration takes them, indices by the grains' own lattices."""
    grains, rows = layer.grains, layer.assignment.spot
    points = laboratory_from_spots(
        instrument, spots.panel[rows], spots.fast[rows], spots.slow[rows]
    )
    place = np.zeros(len(grains), dtype=np.int64)
    place[grains.grain_id] = np.arange(len(grains))
    grain = place[layer.assignment.grain_id]
    g = scattering_vectors(instrument, points, spots.omega[rows])
    hkl = np.rint(np.einsum("nji,nj->ni", grains.lattice_vectors[grain], g)).astype(np.int64)
    volume = np.full(len(grains), float(np.linalg.det(phase.basis)))
    return GrainSpots(grains.lattice_vectors, grains.position, volume, rows, grain, hkl)


def scored(scene: Scene, found: GrainCalibration, layer: IndexedLayer) -> dict[str, Any]:
    """Recall, false grains, errors and their intervals by the true size of the lit part."""
    truth = scene.fragments.crystals(scene.frames.exposure.lattice_angstrom[0])
    grains = layer.grains
    score = score_grains(grains.lattice_vectors, grains.position, truth)
    size = scene.fragments.diameter
    entry: dict[str, Any] = {
        "grains": len(size),
        "found": len(grains),
        "false": score.false,
        "error_scale": grains.error_scale.tolist(),
        "chance": float(grains.chance.max()),
        "drawn": scene.drawn,
        "calibration": calibration_errors(scene, found),
        "classes": {},
    }
    sigma = np.sqrt(np.diagonal(grains.covariance, axis1=1, axis2=2))[score.found]
    error = np.hstack([score.position, score.turn, score.strain])
    shared = entry["common"] = common_modes(found, error, sigma, len(grains))
    apart = error.copy()
    apart[:, 6:9] -= shared["dilation"]["error"]
    apart[:, 2] -= shared["height_um"]["error"]
    for name, (low, high) in CLASSES.items():
        there = (size >= low) & (size < high)
        mine = there[score.true]
        entry["classes"][name] = {
            "grains": int(there.sum()),
            "recall": float(np.isin(np.flatnonzero(there), score.true).mean()),
            **errors_of(error[mine]),
            "intervals": intervals(apart[mine], sigma[mine]),
        }
    large = size[score.true] >= 25.0
    entry |= errors_of(error[large])
    return entry


def common_modes(
    found: GrainCalibration, error: FloatArray, sigma: FloatArray, grains: int
) -> dict[str, dict[str, float]]:
    """Mean error of all grains in dilation and height, weighted, and what is stated of it."""
    calibrated = found.calibration
    distance = float(calibrated.instrument.panels[0].origin[0])
    weight = 1.0 / sigma**2
    mean = np.sum(weight * error, axis=0) / np.sum(weight, axis=0)
    return {
        "dilation": {
            "error": float(np.mean(mean[6:9])),
            "sigma": calibrated.sigma("distance") / distance,
        },
        # the middle of the beam is taken to be that of the grains in it
        "height_um": {"error": float(mean[2]), "sigma": HEIGHT / np.sqrt(12.0 * max(grains, 1))},
    }


def errors_of(error: FloatArray) -> dict[str, Any]:
    """Root mean squares: distance from the true place, um; each coordinate; deg; strain."""
    if not len(error):
        return {"position_um": np.nan, "strain": np.nan}
    return {
        "position_um": float(np.sqrt(np.mean(np.sum(error[:, :3] ** 2, axis=1)))),
        "xyz_um": np.sqrt(np.mean(error[:, :3] ** 2, axis=0)).tolist(),
        "mean_xyz_um": np.mean(error[:, :3], axis=0).tolist(),
        "angle_deg": float(np.degrees(np.sqrt(np.mean(np.sum(error[:, 3:6] ** 2, axis=1))))),
        "strain": float(np.sqrt(np.mean(error[:, 6:] ** 2))),
        "mean_strain": np.mean(error[:, 6:], axis=0).tolist(),
    }


def intervals(error: FloatArray, sigma: FloatArray) -> dict[str, dict[str, float]]:
    """Share inside one standard error, and median stated over measured error."""
    found = {}
    for name, part in QUANTITIES.items():
        e, s = error[:, part], sigma[:, part]
        found[name] = {
            "covered": float(np.mean(np.abs(e) < s)) if len(e) else np.nan,
            "width": float(np.median(s) / np.sqrt(np.mean(e**2))) if len(e) else np.nan,
        }
    return found


def calibration_errors(scene: Scene, found: GrainCalibration) -> dict[str, Any]:
    """Calibrated minus true: tilt of the panel and wedge (deg), distance and centre (um)."""
    true = instrument_of(scene.frames.station)
    ours = found.calibration.instrument
    turn = ours.panels[0].rotation @ true.panels[0].rotation.T
    tilt = 0.5 * (turn - turn.T)[[2, 0, 1], [1, 2, 0]]
    off = ours.panels[0].origin - true.panels[0].origin
    believed = instrument_of(scene.believed)
    start = believed.panels[0].origin - true.panels[0].origin
    return {
        "tilt_deg": np.degrees(tilt).tolist(),
        "wedge_deg": float(np.degrees(ours.goniometer.wedge - true.goniometer.wedge)),
        "origin_um": off.tolist(),
        "origin_before_um": start.tolist(),
        "scatter": found.calibration.scatter,
        "stated": {n: found.calibration.sigma(n) for n in found.calibration.name},
    }


def meets(entry: dict[str, Any], *, fewest: int) -> bool:
    """Whether the bar holds."""
    good = entry["grains"] >= fewest and entry["false"] <= FALSE
    good &= entry["position_um"] <= POSITION and entry["strain"] <= STRAIN
    good &= all(abs(one["error"]) <= 3.0 * one["sigma"] for one in entry["common"].values())
    for name, recall in RECALL.items():
        one = entry["classes"][name]
        good &= one["recall"] >= recall
        for each in one["intervals"].values():
            good &= COVERED[0] <= each["covered"] <= COVERED[1] and each["width"] <= WIDTH
    return bool(good)


def show(draw: str, entry: dict[str, Any], good: bool) -> None:
    """Print one draw."""
    at = entry["calibration"]
    print(
        f"{draw}: {entry['spots']} spots, {entry['grains']} lit parts, {entry['found']} found, "
        f"{entry['false']:.2%} false; calibration off by "
        f"{', '.join(f'{v:.4f}' for v in at['tilt_deg'])} deg (tilts), {at['wedge_deg']:.5f} deg "
        f"(wedge), {', '.join(f'{v:.1f}' for v in at['origin_um'])} um (distance, centre), "
        f"before {', '.join(f'{v:.0f}' for v in at['origin_before_um'])} um; "
        f"scale of stated errors {entry['error_scale'][0]:.2f}, {entry['error_scale'][1]:.2f}; "
        f"{entry['search_seconds']:.0f} s for frames and search, "
        f"{entry['analysis_cpu_seconds']:.0f} CPU-s from spots to grains: "
        f"{'met' if good else 'NOT met'}"
    )
    for name, one in entry["common"].items():
        print(f"  common {name}: off by {one['error']:.2e}, stated {one['sigma']:.2e}")
    for name, one in entry["classes"].items():
        if not one["grains"] or "xyz_um" not in one:
            continue
        x, y, z = one["xyz_um"]
        print(
            f"  {name:12s} {one['recall']:7.2%} of {one['grains']:5d}; {x:.2f}, {y:.2f}, {z:.2f} "
            f"um, {one['angle_deg']:.4f} deg, {one['strain']:.2e}; one sigma covers "
            + ", ".join(
                f"{each['covered']:.1%} (width {each['width']:.2f}) {what}"
                for what, each in one["intervals"].items()
            ),
            flush=True,
        )


def closing(result: dict[str, Any]) -> str:
    """The line that ends the run."""
    told = []
    for draw in DRAWS:
        if draw in result:
            entry = result[draw]
            recall = [entry["classes"][name]["recall"] for name in RECALL]
            told.append(
                f"{draw} {recall[0]:.2%} and {recall[1]:.2%} found, {entry['false']:.2%} false, "
                f"{entry['position_um']:.2f} um, {entry['strain']:.2e}"
            )
    return f"hedm frames: {'; '.join(told)}: {'met' if result['met'] else 'NOT met'}"


if __name__ == "__main__":
    sys.exit(main())
