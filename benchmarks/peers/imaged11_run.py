"""Runs inside the environment of ImageD11: reads spots.npz, writes ImageD11.npz.

Its Friedel route as its notebook 1_index_friedel goes: pairs by a tree in omega, eta, two theta
and intensity, pairs' scattering vectors free of position, indexing from pairs of rings, each
grain's position and lattice refined on the peaks of its pairs. CPU-seconds; one thread, but for
the refinement, which takes a process for each core.

Its settings are those that served it best, tried on other seeds: a tree as narrow as these spots
allow (a wider one, as in the notebook, brings false pairs and many times the time to index);
orientations from {400} and {220} alone, scored on {420} too; one hkl tolerance, 0.01 as the first
of the notebook: with 0.02, its second, chance fills the scored rings of every fourth orientation.
Refinement starts with a tolerance that lets in the pairs of a grain at the rim (they lie 0.05
off) and with steps as long as the way to it, and narrows both: with 0.02 from the start a third
of the grains stay far off, after the first round alone four in ten; a third round or the
notebook's first step of 0.1 um takes longer and betters nothing. Its last step, makemap on all
peaks, is left out; it would add passes over all peaks for each grain.
"""

import contextlib
import io
import multiprocessing
import os
import sys
import time
from pathlib import Path

import ImageD11.cImageD11
import ImageD11.columnfile
import ImageD11.grain
import ImageD11.grid_index_parallel
import ImageD11.indexing
import ImageD11.parameters
import ImageD11.unitcell
import numpy as np
import scipy.spatial

# of the tree: one over the largest difference of mates; its notebook has 1.0, 1.0, 1.5, 0.5
WEIGHTS = {"omega": 3.0, "eta": 0.7, "tth": 5.0, "intensity": 8.0}
HKL_TOLERANCES = (0.01,)
FRACTIONS = (0.7,)
REFINING = ((0.1, 100.0), (0.01, 10.0))  # hkl tolerance, first step in um
SPACING_TOLERANCE, RING_TOLERANCE = 0.001, 0.0008
COSINE_TOLERANCE = float(np.cos(np.radians(90.0 - 0.1)))
MOST_GRAINS = 20_000
GIVEN = {}  # to the forked processes


def main(folder: Path) -> None:
    given = np.load(folder / "spots.npz")
    ImageD11.cImageD11.cimaged11_omp_set_num_threads(1)
    start = time.process_time()
    peaks = columnfile_of(given)
    pairs = friedel_pairs(peaks)
    paired = time.process_time()
    cell = ImageD11.unitcell.unitcell([float(given["lattice"])] * 3 + [90.0] * 3, "I")
    cell.makerings(1.02 * float(given["scored"].max()))
    made, scored = (rings_at(cell, given[name]) for name in ("made", "scored"))
    with contextlib.redirect_stdout(io.StringIO()):
        _, indexer = ImageD11.indexing.do_index(
            cf=pairs,
            dstol=SPACING_TOLERANCE,
            forgen=made,
            foridx=scored,
            hkl_tols=HKL_TOLERANCES,
            fracs=FRACTIONS,
            cosine_tol=COSINE_TOLERANCE,
            max_grains=MOST_GRAINS,
            unitcell=cell,
        )
    indexed = time.process_time()
    count = len(indexer.ubis)
    print(f"ImageD11: {pairs.nrows} rows of pairs, {count} orientations", flush=True)
    wanted = min(count, int(given["refine"]))
    grains, seconds = refined(indexer, peaks.parameters, wanted)
    np.savez(
        folder / "ImageD11.npz",
        version=ImageD11.__version__,
        pairs=pairs.nrows,
        found=count,
        refined=wanted,
        seconds=[paired - start, indexed - paired, seconds],
        lattice_vectors=np.array([g.ubi.T for g in grains]).reshape(-1, 3, 3),
        position=np.array([g.translation for g in grains]).reshape(-1, 3),
    )


def rings_at(cell, spacings):
    return [int(np.argmin(np.abs(np.array(cell.ringds) - ds))) for ds in spacings]


def columnfile_of(given):
    peaks = ImageD11.columnfile.colfile_from_dict(
        {
            "sc": given["slow"],
            "fc": given["fast"],
            "omega": given["omega_deg"],
            "sum_intensity": given["intensity"],
            "Number_of_pixels": np.full(len(given["fast"]), 30.0),
        }
    )
    values = {
        "distance": float(given["distance"]),
        "wavelength": float(given["wavelength"]),
        "y_center": float(given["centre"][0]),
        "z_center": float(given["centre"][1]),
        "y_size": float(given["pitch"]),
        "z_size": float(given["pitch"]),
        "omegasign": 1.0,
        "fit_tolerance": 0.05,
        "cell__a": float(given["lattice"]),
        "cell__b": float(given["lattice"]),
        "cell__c": float(given["lattice"]),
        "cell_alpha": 90.0,
        "cell_beta": 90.0,
        "cell_gamma": 90.0,
        "cell_lattice_[P,A,B,C,I,F,R]": "I",
        "o11": 1,
        "o12": 0,
        "o21": 0,
        "o22": -1,
    }
    for name in ("t_x", "t_y", "t_z", "tilt_x", "tilt_y", "tilt_z", "wedge", "chi"):
        values[name] = 0.0
    peaks.parameters = ImageD11.parameters.parameters(**values)
    peaks.updateGeometry()
    return peaks


def friedel_pairs(peaks):
    """Peaks that are in a pair, with the pair's own angles and scattering vector."""
    own = np.array(
        [
            WEIGHTS["omega"] * (peaks.omega % 360),
            WEIGHTS["eta"] * (peaks.eta % 360),
            WEIGHTS["tth"] * peaks.tth,
            WEIGHTS["intensity"] * np.log10(peaks.sum_intensity),
        ]
    ).T
    mate = own.copy()
    mate[:, 0] = WEIGHTS["omega"] * ((peaks.omega + 180) % 360)
    mate[:, 1] = WEIGHTS["eta"] * ((180 - peaks.eta) % 360)
    tree, other = scipy.spatial.cKDTree(own), scipy.spatial.cKDTree(mate)
    near = tree.sparse_distance_matrix(other, max_distance=1.0, output_type="coo_matrix")
    one, two = near.row, near.col
    x = peaks.xl[one] + peaks.xl[two]
    y = peaks.yl[one] + peaks.yl[two]
    z = peaks.zl[one] - peaks.zl[two]
    tth = np.degrees(np.arctan2(np.hypot(y, z), x))
    eta = np.degrees(np.arctan2(-y, z))
    spacing = 2.0 * np.sin(np.radians(tth) / 2.0) / peaks.parameters.get("wavelength")
    keep = near_a_ring(spacing, peaks)
    rows = one[keep]
    pairs = peaks.copyrows(rows)
    pairs.parameters = peaks.parameters
    pairs.tth[:], pairs.eta[:], pairs.ds[:] = tth[keep], eta[keep], spacing[keep]
    theta, azimuth = np.radians(tth[keep]) / 2.0, np.radians(eta[keep])
    turn = np.radians(pairs.omega)
    along = -spacing[keep] * np.sin(theta)
    across = -spacing[keep] * np.cos(theta) * np.sin(azimuth)
    pairs.gx[:] = np.cos(turn) * along + np.sin(turn) * across
    pairs.gy[:] = np.cos(turn) * across - np.sin(turn) * along
    pairs.gz[:] = spacing[keep] * np.cos(theta) * np.cos(azimuth)
    return pairs


def near_a_ring(spacing, peaks):
    cell = ImageD11.unitcell.unitcell([peaks.parameters.get("cell__a")] * 3 + [90.0] * 3, "I")
    cell.makerings(1.05 * float(spacing.max()))
    rings = np.sort(np.array(cell.ringds))
    place = np.clip(np.searchsorted(rings, spacing), 1, len(rings) - 1)
    off = np.minimum(np.abs(spacing - rings[place - 1]), np.abs(spacing - rings[place]))
    return off < RING_TOLERANCE


def refined(indexer, parameters, wanted):
    """Grains with position and lattice refined on the peaks of their pairs, and the CPU-seconds."""
    peaks = indexer.colfile.copy()
    peaks.addcolumn(indexer.ga.copy(), "labels")
    peaks.addcolumn(np.zeros(peaks.nrows), "drlv2")
    order = np.argsort(indexer.ga, kind="stable")
    first = np.searchsorted(indexer.ga[order], np.arange(1, len(indexer.ubis) + 2))
    GIVEN["refine"] = indexer, parameters, peaks, order, first
    # forked, so that nothing is copied; every grain is refined by itself
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        done = pool.map(refined_grain, range(wanted), chunksize=10)
    return [grain for grains, _ in done for grain in grains], sum(seconds for _, seconds in done)


def refined_grain(k):
    """One grain, none where too few peaks are left, in a list, and the CPU-seconds."""
    indexer, parameters, peaks, order, first = GIVEN["refine"]
    settings = {
        "DSTOL": 0.004,
        "NUL": True,
        "FITPOS": True,
        "tolangle": 0.25,
        "toldist": 100.0,
        "NTHREAD": 1,
        "NPKS": 25,
        "COSTOL": COSINE_TOLERANCE,
        "NPROC": 1,
        "OMEGAFLOAT": 0.05,
        "SYMMETRY": "cubic",
        "RING1": [0],
        "RING2": [0],
    }
    rows = np.sort(order[first[k] : first[k + 1]])
    own = ImageD11.columnfile.colfile_from_dict({t: peaks[t][rows] for t in peaks.titles})
    grains = [ImageD11.grain.grain(indexer.ubis[k].copy())]
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        for tolerance, step in REFINING:
            if own.nrows == 0 or not grains:
                break
            for axis in "xyz":
                parameters.stepsizes[f"t_{axis}"] = step
            settings["TOLSEQ"] = [tolerance]
            grains = ImageD11.grid_index_parallel.domap(parameters, own, grains, settings)[:1]
    return grains, time.process_time() - started


main(Path(sys.argv[1]))
