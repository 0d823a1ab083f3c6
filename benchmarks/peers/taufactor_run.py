"""Runs inside the environment of TauFactor: solves images.npz in its order, writes JSON.

Arguments: folder, number of threads. Each image is solved with the program's own defaults, on the
processor; the time is that of making the solver and solving.
"""

import importlib.metadata
import json
import sys
import time
from pathlib import Path

import numpy as np
import taufactor
import torch


def main(folder: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    found = {"version": importlib.metadata.version("taufactor"), "torch": torch.__version__}
    taufactor.Solver(np.ones((8, 8, 8), np.uint8), device="cpu").solve(verbose=False)
    with np.load(folder / "images.npz") as images:
        for name in images.files:
            image = images[name]
            wall, processor = time.perf_counter(), time.process_time()
            solver = taufactor.Solver(image, device="cpu")
            solver.solve(verbose=False)
            found[name] = {
                "tau": float(np.ravel(solver.tau)[0]),
                "iterations": int(solver.iter),
                "wall_s": time.perf_counter() - wall,
                "processor_s": time.process_time() - processor,
            }
            print(f"TauFactor {name}: {found[name]}", flush=True)
    (folder / "taufactor.json").write_text(json.dumps(found))


main(Path(sys.argv[1]), int(sys.argv[2]))
