"""Runs inside the environment of LaueTools: reads job.json, writes NAME-SETTING.npy and said.json.

The peak search of LaueTools in full, from the file to its list: background taken off for the
search of maxima, a Gaussian with constant background fitted to the image in a box about each. The
settings are those that come with the images of GaN on silicon (maxima of 70 above the
background, boxes of 21 px, largest move 15 px). "converged" asks its fit for 1e-8 instead of the
1e-3 of these settings, with which it ends before the ellipse has turned; "small boxes" has boxes
of 13 px besides. CPU-seconds, one thread.
"""

import contextlib
import io
import json
import sys
import time
from pathlib import Path

import LaueTools
import numpy as np
from LaueTools import readmccd

GIVEN = {
    "IntensityThreshold": 70,
    "boxsize": 10,
    "FitPixelDev": 15,
    "PixelNearRadius": 20,
    "removeedge": 2,
    "local_maxima_search_method": 0,
    "position_definition": 0,
    "fit_peaks_gaussian": 1,
    "xtol": 1e-3,
    "return_histo": 0,
    "MinIntensity": 0,
    "PeakSizeRange": (0.65, 200),
    "Data_for_localMaxima": "auto_background",
    "Fit_with_Data_for_localMaxima": False,
    "reject_negative_baseline": True,
    "formulaexpression": "A-1.1*B",
    "NumberMaxofFits": 3000,
    "npixels": 0,
}
SETTINGS = {
    "as given": GIVEN,
    "converged": {**GIVEN, "xtol": 1e-8},
    "small boxes": {**GIVEN, "xtol": 1e-8, "boxsize": 6},
}


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    said = {"version": getattr(LaueTools, "__version__", "3.2.19"), "seconds": {}}
    for name, file in job.items():
        for setting, values in SETTINGS.items():
            start = time.process_time()
            with contextlib.redirect_stdout(io.StringIO()):
                found = readmccd.PeakSearch(
                    file,
                    CCDLabel="sCMOS",
                    Saturation_value=65535,
                    Saturation_value_flatpeak=65535,
                    **values,
                )
            said["seconds"][f"{name}-{setting}"] = time.process_time() - start
            np.save(folder / f"{name}-{setting}.npy", found[0])
    (folder / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
