"""Nine layers of a whole pellet: spots to one map of 30,000 grains, those cut by borders joined.

Each layer is a spot list of the parts that a box beam of 100 um lights: their centres, strains and
volumes come from a virtual pellet of space-filling grains in elastic equilibrium, which shares no
formula with the analysis. Two worker processes index the layers; one stitches them.

Bar: under 120 s on two cores and under 4 GB (the largest sum over all processes at one moment) from
spot lists on disk to the grain map on disk; number of grains within 2 % of the truth; at most 1 %
of the joins wrong, at most 2 % of the cut grains left split. Stated errors of joined grains hold
(promise 9), and parts tell how true the errors are. Control: the same layers with every other one
turned by a quarter about z, in which nothing goes on from layer to layer. The bar holds on the
nominal and the wide draw; the misspecified one is printed. Needs psutil.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _harness import HERE, ROOT, calibration_seconds, fresh_seed, write_result
from _hedm_scores import Score, score_grains
from _virtual_layer import LATTICE, drawn_value, pellet_layers
from full_pellet import CORES, PeakMemory

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.indexed import grain_map_from_indexed, index_spots
from mesolith.hedm.layer_finds import Layer
from mesolith.hedm.phase_rings import phase_rings
from mesolith.hedm.stitch import Stitched, stitch_layers
from mesolith.io.record_file import read_record, write_record
from mesolith.records.indexed import IndexedGrains
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.spots import Spots
from mesolith.virtual.hedm.fragments import Fragments
from mesolith.virtual.hedm.reflections import FIRST_RINGS
from mesolith.virtual.hedm.station import Station

sys.path.insert(0, str(ROOT))

from tests.hedm.virtual_station import instrument_of

SECONDS, GIGABYTES = 120.0, 4.0
NUMBER, WRONG, SPLIT = 0.02, 0.01, 0.02
COVERED, WIDTH = (0.60, 0.76), 1.3
HEIGHT, RADIUS = 100.0, 800.0
CUBIC = np.array([LATTICE, LATTICE, LATTICE, *[np.pi / 2.0] * 3])
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Pellet:
    """Heights of the layers and what the beam lit in each, from below."""

    middles: list[float]
    lit: list[Fragments]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", choices=("nominal", "wide", "misspecified"), default="nominal")
    parser.add_argument("--family", type=int, help="seeds to develop on, not those of the commit")
    parser.add_argument("--quick", action="store_true", help="a pellet of 400 um and three layers")
    parser.add_argument("--keep", type=Path, help="folder for the spot lists, used again if there")
    parser.add_argument("--reduce", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.reduce is not None:
        return reduce_pellet(given.reduce)
    family = fresh_seed("hedm_pellet") if given.family is None else given.family
    seed = int(np.random.SeedSequence(family).generate_state(1, np.uint32)[0])
    size = {"diameter_um": 400.0, "thickness_um": 300.0} if given.quick else {}
    with tempfile.TemporaryDirectory(prefix="mesolith-pellet-") as temporary:
        folder = Path(temporary) if given.keep is None else given.keep
        pellet = prepare(folder, seed, given.draw, size)
        used = timed_reduction(folder)
        result = judged(pellet, folder)
    met = all(good for _, good in result["bars"].values())
    if not given.quick:
        met &= used["seconds"] < SECONDS and used["gigabytes"] < GIGABYTES
    result |= {"draw": given.draw, "seed": family, **used, "met": met}
    result["speed"] = calibration_seconds()
    if not given.quick:
        write_result(f"hedm_pellet_{given.draw}", result)
    show(result)
    return 0 if met or given.draw == "misspecified" else 1


def prepare(folder: Path, seed: int, draw: str, size: dict[str, float]) -> Pellet:
    """Spot lists of all layers as files, and the truth; kept in the folder once made."""
    kept = folder / "truth.pickle"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        cell, plan = drawn_plan(draw, seed)
        middles, lit, radius = [], [], 0.5 * size.get("diameter_um", 2.0 * RADIUS)
        layers = pellet_layers(seed, cell=cell | size, **plan)
        for k, (middle, layer, fragments) in enumerate(layers):
            write_record(folder / f"spots-{k}.h5", layer.spots)
            middles.append(middle)
            lit.append(fragments)
            counts = f"{len(fragments):,} parts, {len(layer.spots):,} spots"
            print(f"layer {k + 1} at {middle:g} um: {counts}", flush=True)
        (folder / "layers.json").write_text(json.dumps({"middles": middles, "radius": radius}))
        with kept.open("wb") as file:
            pickle.dump(Pellet(middles, lit), file)
    with kept.open("rb") as file:
        found: Pellet = pickle.load(file)
    return found


def drawn_plan(draw: str, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """Values of the cell and of the spot plan, drawn from the priors of one draw."""
    if draw == "nominal":
        return {}, {}
    priors = tomllib.loads((HERE / "priors.toml").read_text(encoding="utf-8"))["hedm_pellet"][draw]
    rng = np.random.default_rng([seed, 0x1A7EC])
    cell = {name: drawn_value(rng, prior) for name, prior in sorted(priors.pop("cell").items())}
    plan = {name: drawn_value(rng, prior) for name, prior in sorted(priors.items())}
    for name in ("sigma_omega", "merge_omega"):
        plan[name] = float(np.radians(plan.pop(f"{name}_deg")))
    return cell, plan


def timed_reduction(folder: Path) -> dict[str, float]:
    """Seconds, CPU seconds and peak gigabytes of all processes from spot lists to grain map."""
    environment = dict(os.environ) | dict.fromkeys(THREADS, "1")
    command = [sys.executable, str(Path(__file__).resolve()), "--reduce", str(folder)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    with subprocess.Popen(command, env=environment) as child:
        watched = psutil.Process(child.pid)
        if hasattr(watched, "cpu_affinity"):
            watched.cpu_affinity(watched.cpu_affinity()[:CORES])
        watch = PeakMemory(watched, every=0.25)
        watch.start()
        code = child.wait()
        seconds = time.perf_counter() - start
        watch.ended.set()
        watch.join()
    if code != 0:
        raise SystemExit(f"the reduction ended with exit code {code}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu, "gigabytes": watch.peak / 1e9}


def reduce_pellet(folder: Path) -> int:
    """From spot lists on disk to a grain map on disk, with two worker processes."""
    told = json.loads((folder / "layers.json").read_text())
    middles, radius = told["middles"], told["radius"]
    area = np.pi * radius**2
    jobs = [(str(folder), k, radius) for k in range(len(middles))]
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        list(pool.map(index_layer, jobs))
    start = time.process_time()
    layers = [
        Layer(z, HEIGHT, area * HEIGHT, read_record(folder / f"grains-{k}.h5", IndexedGrains))
        for k, z in enumerate(middles)
    ]
    stitched = stitch_layers(layers)
    grain_map = grain_map_from_indexed(stitched.grains, volume=stitched.finds.grain_volume)
    write_record(folder / "map.h5", grain_map)
    write_record(folder / "stitched.h5", stitched.grains)
    write_record(folder / "finds.h5", stitched.finds)
    print(f"stitched in {time.process_time() - start:.1f} CPU-s", flush=True)
    return 0


def index_layer(job: tuple[str, int, float]) -> None:
    """Grains of one layer, from file to file."""
    folder, number, radius = Path(job[0]), job[1], job[2]
    start = time.process_time()
    spots = read_record(folder / f"spots-{number}.h5", Spots)
    phase = phase_rings("LLZO", 220, CUBIC, families=list(FIRST_RINGS))
    settings = IndexSettings(sample_radius=radius, height=HEIGHT)
    found = index_spots(spots, instrument_of(Station(), height=HEIGHT), (phase,), settings)
    write_record(folder / f"grains-{number}.h5", found.grains)
    seconds = time.process_time() - start
    print(f"layer {number + 1}: {len(found.grains):,} grains, {seconds:.1f} CPU-s", flush=True)


def judged(pellet: Pellet, folder: Path) -> dict[str, Any]:
    """Grains and joins beside the truth; every bar as (what was seen, whether it is met)."""
    sources = [
        read_record(folder / f"grains-{k}.h5", IndexedGrains) for k in range(len(pellet.middles))
    ]
    area = float(np.pi * json.loads((folder / "layers.json").read_text())["radius"] ** 2)
    finds = read_record(folder / "finds.h5", LayerFinds)
    grains = read_record(folder / "stitched.h5", IndexedGrains)
    scores = [
        score_grains(found.lattice_vectors, found.position, lit.crystals(LATTICE))
        for found, lit in zip(sources, pellet.lit, strict=True)
    ]
    owner = owners(scores, pellet.lit)
    true = len(np.unique(np.concatenate([lit.grain for lit in pellet.lit])))
    wrong = int(np.sum((owner[finds.lower] != owner[finds.upper]) | (owner[finds.lower] < 0)))
    cut, split = cut_and_split(owner, finds.grain_id)
    mixed = mixed_grains(owner, finds.grain_id)
    rates = {
        "number": len(grains) / true - 1.0,
        "wrong": wrong / max(len(finds.lower), 1),
        "split": split / max(cut, 1),
    }
    covered = whole_grains(pellet, finds, owner, grains)
    honest = all(
        COVERED[0] <= low and high <= COVERED[1] and width <= WIDTH
        for low, high, width in covered["intervals"].values()
    )
    return {
        "true": true,
        "finds": len(finds),
        "false_finds": int((owner < 0).sum()),
        "found_parts": sum(len(score.true) for score in scores) / sum(map(len, pellet.lit)),
        "unique": len(grains),
        "joins": len(finds.lower),
        "cut": cut,
        "mixed_grains": mixed,
        "expected_wrong": finds.expected_wrong,
        "expected_missed": finds.expected_missed,
        "cut_alone": finds.cut_alone,
        **covered,
        "repeatability": repeatability(finds, scores, sources),
        "control_joins": control(pellet, sources, area),
        "bars": {
            "number": (rates["number"], abs(rates["number"]) <= NUMBER),
            "wrong": (rates["wrong"], rates["wrong"] <= WRONG),
            "split": (rates["split"], rates["split"] <= SPLIT),
            "intervals": (0.0, honest),
        },
    }


def owners(scores: list[Score], lit: list[Fragments]) -> IntArray:
    """True grain of each find, layer after layer; -1 for one that is none."""
    found = []
    for score, fragments in zip(scores, lit, strict=True):
        one = np.full(score.count_found, -1)
        one[score.found] = fragments.grain[score.true]
        found.append(one)
    return np.concatenate(found)


def cut_and_split(owner: IntArray, grain_id: IntArray) -> tuple[int, int]:
    """True grains found in several layers, and those of them that are several grains."""
    real = owner >= 0
    pairs = np.unique(np.column_stack([owner[real], grain_id[real]]), axis=0)
    finds = np.bincount(owner[real])
    grains = np.bincount(pairs[:, 0], minlength=len(finds))
    return int((finds > 1).sum()), int((grains > 1).sum())


def mixed_grains(owner: IntArray, grain_id: IntArray) -> int:
    """Stitched grains that hold parts of several true ones."""
    pairs = np.unique(np.column_stack([grain_id, owner]), axis=0)
    return int((np.bincount(pairs[:, 0]) > 1).sum())


def whole_grains(
    pellet: Pellet, finds: LayerFinds, owner: IntArray, grains: IndexedGrains
) -> dict[str, Any]:
    """Errors of grains that are whole, and how often their stated errors hold."""
    truth, parts = whole_truth(pellet)
    first = np.unique(finds.grain_id, return_index=True)[1]
    found_parts = np.bincount(finds.grain_id)
    rows = np.flatnonzero((owner[first] >= 0) & (found_parts == parts[owner[first]]))
    true = owner[first][rows]
    index = np.searchsorted(truth.grain, true)
    here = grains.lattice_vectors[rows]
    score = score_grains(here, grains.position[rows], truth.take(index).crystals(LATTICE))
    rows = rows[score.found]
    sigma = np.sqrt(np.diagonal(grains.covariance[rows], axis1=1, axis2=2))
    off = np.column_stack([score.position, score.turn, score.strain])
    several = found_parts[rows] > 1
    volume = grains.volume_share[rows] * finds.grain_volume
    size = np.cbrt(6.0 / np.pi * volume)
    thirds = np.digitize(size, np.quantile(size, [1 / 3, 2 / 3]))
    groups = {"cut": several, "small": thirds == 0, "middle": thirds == 1, "large": thirds == 2}
    intervals = {}
    for name, some in groups.items():
        inside = [np.mean(np.abs(off[some, c]) < sigma[some, c]) for c in parts_of_vector()]
        root = [np.sqrt(np.mean(off[some, c] ** 2)) for c in parts_of_vector()]
        stated = [np.median(sigma[some, c]) for c in parts_of_vector()]
        width = float(np.max(np.array(stated) / root))
        intervals[name] = (float(min(inside)), float(max(inside)), width)
    ratio = np.log(volume / truth.volume[np.searchsorted(truth.grain, true[score.found])])
    return {
        "whole": len(rows),
        "errors": score.errors(),
        "errors_of_cut": replace(
            score,
            position=score.position[several],
            turn=score.turn[several],
            strain=score.strain[several],
        ).errors(),
        "volume_scatter": float(np.std(ratio)),
        "intervals": intervals,
    }


def parts_of_vector() -> list[slice | int]:
    """Place by component, turn and strain over all components."""
    return [0, 1, 2, slice(3, 6), slice(6, 12)]


def whole_truth(pellet: Pellet) -> tuple[Fragments, IntArray]:
    """Whole grains, and in how many layers each was lit; index it by the number of the grain."""
    every = [
        replace(lit, position=lit.position + middle * np.array([0.0, 0.0, 1.0]))
        for middle, lit in zip(pellet.middles, pellet.lit, strict=True)
    ]
    names = ("grain", "position", "volume", "orientation", "strain")
    grain, position, volume, orientation, strain = (
        np.concatenate([getattr(lit, name) for lit in every]) for name in names
    )
    number, first, label = np.unique(grain, return_index=True, return_inverse=True)

    def mean(values: FloatArray) -> FloatArray:
        total = np.zeros((len(number), *values.shape[1:]))
        np.add.at(total, label, volume.reshape(-1, *[1] * (values.ndim - 1)) * values)
        whole = np.bincount(label, volume)
        return total / whole.reshape(-1, *[1] * (values.ndim - 1))

    truth = replace(
        every[0],
        grain=number,
        position=mean(position),
        volume=np.bincount(label, volume),
        shape=np.zeros((len(number), 3, 3)),
        cut=np.zeros(len(number), dtype=bool),
        orientation=orientation[first],
        strain=mean(strain),
        phase=np.zeros(len(number), dtype=np.int64),
    )
    return truth, np.bincount(grain)


def repeatability(
    finds: LayerFinds, scores: list[Score], sources: list[IndexedGrains]
) -> dict[str, tuple[float, float, float]]:
    """True over stated errors as parts tell them, with error, and as the truth tells them."""
    turn, strain = [], []
    for score, grains in zip(scores, sources, strict=True):
        sigma = np.sqrt(np.diagonal(grains.covariance[score.found], axis1=1, axis2=2))
        turn.append(score.turn / sigma[:, 3:6])
        strain.append(score.strain / sigma[:, 6:])
    told = {}
    for name, ratios in (("turn", turn), ("strain", strain)):
        middle = float(np.median(np.abs(np.concatenate(ratios)))) / 0.6745
        told[name] = (
            getattr(finds, f"{name}_scale"),
            getattr(finds, f"{name}_scale_se"),
            middle,
        )
    return told


def control(pellet: Pellet, sources: list[IndexedGrains], area: float) -> int:
    """Joins among layers of which every other one is turned by a quarter about z."""
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    # 30 deg beside it, since a quarter is a symmetry of the lattice, though not of the sample
    angle = np.radians(30.0)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = quarter @ np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    layers = []
    for k, (middle, grains) in enumerate(zip(pellet.middles, sources, strict=True)):
        turned = grains
        if k % 2:
            turned = replace(
                grains,
                position=grains.position @ turn.T,
                lattice_vectors=turn @ grains.lattice_vectors,
            )
        layers.append(Layer(middle, HEIGHT, area * HEIGHT, turned))
    stitched: Stitched = stitch_layers(layers)
    return len(stitched.finds.lower)


def show(result: dict[str, Any]) -> None:
    def verdict(good: bool) -> str:
        return "met" if good else "NOT met"

    bars = result["bars"]
    print(
        f"{result['finds']:,} finds ({result['found_parts']:.2%} of the parts, "
        f"{result['false_finds']} false) are {result['unique']:,} grains, of {result['true']:,}: "
        f"{bars['number'][0]:+.2%}: {verdict(bars['number'][1])}"
    )
    print(
        f"{result['joins']:,} joins, {bars['wrong'][0]:.3%} wrong: {verdict(bars['wrong'][1])}; "
        f"of {result['cut']:,} grains found in several layers {bars['split'][0]:.3%} split: "
        f"{verdict(bars['split'][1])} (expected by the joins' own odds: "
        f"{result['expected_wrong']:.2f} wrong, {result['expected_missed']:.2f} missed); "
        f"control: {result['control_joins']} joins where nothing goes on"
    )
    for name, errors in (("whole", result["errors"]), ("cut", result["errors_of_cut"])):
        x, y, z = errors["xyz_um"]
        print(
            f"{name} grains: {x:.2f}, {y:.2f}, {z:.2f} um, {errors['angle_deg']:.4f} deg, "
            f"{errors['strain']:.2e}"
        )
    for name, (low, high, width) in result["intervals"].items():
        print(f"  {name:6s} one sigma covers {low:.1%} to {high:.1%}, width {width:.2f}")
    print(f"  {verdict(bars['intervals'][1])}; volumes within {result['volume_scatter']:.1%}")
    for name, (scale, error, true) in result["repeatability"].items():
        print(
            f"repeatability: {name} errors of most parts are at most {scale:.3f} +- {error:.3f} "
            f"times the stated ones, in truth {true:.3f}"
        )
    print(
        f"hedm pellet, {result['draw']}: {result['seconds']:.1f} s (bar {SECONDS:.0f} s; "
        f"{result['cpu_seconds'] / CORES:.1f} s on two idle cores, speed {result['speed']:.3f} s), "
        f"{result['gigabytes']:.2f} GB (bar {GIGABYTES:g}): {verdict(result['met'])}"
    )


if __name__ == "__main__":
    sys.exit(main())
