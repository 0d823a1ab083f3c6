"""Runs inside the environment of LaueTools: reads patterns.npz, writes LaueTools.npz.

The route of its batch (indexing_batch.index_refine, one list at a time): angles between the
brightest peaks in a table of angles, each orientation scored by its matching rate, the best one
refined in orientation and strain over three tolerances; its peaks are taken and the next grain is
looked for. CPU-seconds of one process. The table of angles of the material is made once and is
not in them.

Its settings are its defaults but for those that served it better here: the whole band, since its
default counts matches up to 19 keV of 24, and the number of matches that ends a search, ``enough``
(its default of 40 stops at false ones in a lattice this large). Body-centred is the nearest of its
rules of extinction; 7 % more reflections pass it than the space group has.
"""

import contextlib
import io
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import LaueTools.CrystalParameters
import LaueTools.indexing_batch
import LaueTools.IOLaueTools
import LaueTools.LaueGeometry
import numpy as np

KEY = "LLZO"


def main(folder: Path) -> None:
    given = np.load(folder / "patterns.npz")
    lattice = [float(given["lattice"])] * 3 + [90.0] * 3
    settings = dict(LaueTools.indexing_batch.DEFAULT_CONFIG["indexing"]["dict_indexrefine"])
    # as its reader of settings turns a number into spots
    settings["central spots indices"] = list(range(settings["central spots indices"]))
    reciprocal, seconds, pattern = [], [], []
    with contextlib.redirect_stdout(io.StringIO()):
        parameters = LaueTools.indexing_batch.IndexRefineParams(
            key_material=KEY,
            e_min=5,
            e_max=24,
            e_max_MR=24,
            nbGrainstoFind=1,
            dict_indexrefine=settings,
            MatchingRate_List=[2] * len(settings["list matching tol angles"]),
            fit_folder=str(folder),
            mymaterials={KEY: [KEY, lattice, "bcc"]},
            crudeMReval=True,
            stop_Nb_Matches=int(given["enough"]),
            writefitfile=False,
        ).build_LUT()
        base = LaueTools.CrystalParameters.calc_B_RR(lattice)
    for k in range(int(given["patterns"])):
        listed = corfile_of(folder, k, given)
        parameters.nbGrainstoFind = int(given["grains"][k])
        start = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            answer = LaueTools.indexing_batch.index_refine(listed, parameters)
        seconds.append(time.process_time() - start)
        found = [matrix for _, matrix in answer[1] if matrix is not None]
        for matrix in found:
            reciprocal.append(np.asarray(matrix, dtype=float) @ base)
            pattern.append(k)
        print(f"LaueTools: pattern {k}, {len(found)} grains, {seconds[-1]:.1f} s", flush=True)
    np.savez(
        folder / "LaueTools.npz",
        reciprocal=np.array(reciprocal).reshape(-1, 3, 3),
        pattern=np.array(pattern, dtype=int),
        seconds=seconds,
    )


def corfile_of(folder: Path, number: int, given: dict) -> Path:
    """Its own list of one pattern, with the angles as it computes them."""
    fast, slow, intensity = given[f"peaks_{number}"].T
    detector = [float(value) for value in given[f"detector_{number}"]]
    pixel = float(given["pixel"])
    two_theta, chi = LaueTools.LaueGeometry.calc_uflab(fast, slow, detector, pixelsize=pixel)
    name = f"llzo_{number:04d}"
    names = ("dd", "xcen", "ycen", "xbet", "xgam")
    param = dict(zip(names, detector, strict=True)) | {
        **dict.fromkeys(("pixelsize", "xpixelsize", "ypixelsize"), pixel),
        "CCDLabel": "MARCCD165",
        "framedim": (2048, 2048),
        "kf_direction": "Z>0",
    }
    LaueTools.IOLaueTools.writefile_cor(
        name, two_theta, chi, fast, slow, intensity, param=param, dirname_output=str(folder)
    )
    return folder / f"{name}.cor"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
