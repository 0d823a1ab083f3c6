"""Runs inside the environment of PoreSpy: solves images.npz in its order, writes JSON.

Each image is solved with the program's own defaults, then once more with a residual of 1e-10: the
value that its own definition converges to (potential fixed at the centres of the end voxels).
"""

import importlib.metadata
import json
import logging
import sys
import time
from pathlib import Path

import numpy as np
import porespy


def main(folder: Path) -> None:
    logging.disable(logging.WARNING)
    porespy.simulations.tortuosity_fd(np.ones((8, 8, 8), dtype=bool), 0)
    names = ("porespy", "openpnm", "pyamg")
    found = {name: importlib.metadata.version(name) for name in names}
    with np.load(folder / "images.npz") as images:
        for name in images.files:
            image = images[name].astype(bool)
            wall, processor = time.perf_counter(), time.process_time()
            result = porespy.simulations.tortuosity_fd(image, 0)
            spent = time.perf_counter() - wall, time.process_time() - processor
            tight = porespy.simulations.tortuosity_fd(image, 0, tol=1e-10)
            found[name] = {
                "tau": float(result.tortuosity),
                "tau_tight": float(tight.tortuosity),
                "effective_porosity": float(result.effective_porosity),
                "wall_s": spent[0],
                "processor_s": spent[1],
            }
            print(f"PoreSpy {name}: {found[name]}", flush=True)
    (folder / "porespy.json").write_text(json.dumps(found))


main(Path(sys.argv[1]))
