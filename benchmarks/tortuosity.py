"""Tortuosity factors against TauFactor and PoreSpy, the published 500^3 benchmark, and growth.

Each program solves the same images in the same run, with its own defaults, on all cores. Its error
is the distance to the tightly converged value of its own definition: TauFactor and this package
agree on the definition, PoreSpy fixes the potential at the centres of the end voxels. The machine
code of every program is compiled before its clock runs.

Needs MESOLITH_DATA for electrode.tiff and TF-500 (both of TauFactor, MIT); --quick leaves out
these and all images above 100^3.

Bars: error <= 1e-3; >= 8 times TauFactor's speed at 200^3 and >= 15 times PoreSpy's at 100^3, at an
error no larger; TF-500 within 5e-4 of 4.2431, 1.1513, 1.3905 in 60 s or less on average; from 64^3
to 512^3 at a fixed size of the features at most twice the iterations at 50 and 85 %; <= 80 bytes
per voxel; exact answers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _harness import HERE, calibration_seconds, peer_python, write_result
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mesolith.model.effective import Conduction, conduction
from mesolith.numerics.components import through_clusters
from mesolith.numerics.fourier import potential_by_fourier
from mesolith.numerics.multigrid import potential_of_conductivity

Mask = NDArray[np.bool_]
TF500 = (4.2431, 1.1513, 1.3905)
ERROR_BAR, TF500_BAR, TF500_SECONDS, BYTES_BAR = 1e-3, 5e-4, 60.0, 80.0
TAUFACTOR_SPEED, PORESPY_SPEED = 8.0, 15.0
CHECKERBOARD_ORDER, ORDER_BAR = 1.18, 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="images of 100^3 only")
    parser.add_argument(
        "--only", choices=("peers", "tf500", "growth", "exact"), help="one part of the bars"
    )
    arguments = parser.parse_args()
    quick, only = arguments.quick, arguments.only
    conduction(np.ones((12, 12, 12), dtype=bool))  # compiles
    conduction(np.arange(1.0, 1729.0).reshape(12, 12, 12))
    lines: list[tuple[str, bool]] = []
    result: dict[str, Any] = {"calibration_s": calibration_seconds()}
    parts: dict[str, Callable[[], tuple[dict[str, Any], list[tuple[str, bool]]]]] = {
        "exact": exact_answers,
        "peers": lambda: against_peers(quick),
        "tf500": tf500,
        "growth": growth,
    }
    for name, part in parts.items():
        if (only and name != only) or (quick and name in ("tf500", "growth")):
            continue
        result[name], said = part()
        lines += said
    passed = all(good for _, good in lines)
    result["load"] = os.getloadavg()[0]
    result["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    complete = passed and not quick and not only
    if not only:
        write_result("tortuosity", {**result, "complete": complete, "passed": passed})
    for text, good in lines:
        print(f"{text}   {'ok' if good else 'FAILED'}")
    print(f"tortuosity: {'met' if complete else 'met so far' if passed else 'NOT met'}")
    return 0 if passed else 1


def blobs(n: int, fraction: float, *, size: float = 4.0, seed: int = 0) -> Mask:
    """Smooth random pattern that fills a fraction of a cube."""
    field = np.random.default_rng(seed).standard_normal((n, n, n), dtype=np.float32)
    ndimage.gaussian_filter(field, size, mode="wrap", output=field)
    at = int(fraction * field.size)
    return np.asarray(field < np.partition(field.ravel(), at)[at])


def timed(image: Mask, axis: int = 0) -> tuple[Conduction, dict[str, float]]:
    """Result of a solve, with what it took."""
    wall, processor = time.perf_counter(), time.process_time()
    found = conduction(image, axis=axis)
    return found, {
        "tau": found.tortuosity_factor,
        "told_error": found.relative_error,
        "iterations": found.iterations,
        "wall_s": time.perf_counter() - wall,
        "processor_s": time.process_time() - processor,
    }


# --- peers -----------------------------------------------------------------------------------


def against_peers(quick: bool) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    """Errors and times of the three programs on the same images."""
    images = {
        f"{n}^3 {100 * fraction:.0f} %": blobs(n, fraction)
        for n in ((100,) if quick else (100, 200))
        for fraction in (0.3, 0.5, 0.85)
    }
    if not quick:
        images["electrode"] = _tiff(_data() / "electrode.tiff") == 0
    small = {name: image for name, image in images.items() if image.shape[0] == 100}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        taufactor = _peer("taufactor", folder, images, str(os.cpu_count() or 1))
        porespy = _peer("porespy", folder, small)
    table: dict[str, Any] = {"taufactor": taufactor, "porespy": porespy, "mesolith": {}}
    lines = []
    for name, image in images.items():
        ours = min((timed(image)[1] for _ in range(3)), key=lambda entry: entry["wall_s"])
        tight = _tight(image, twin=name in small)
        error = abs(ours["tau"] / tight - 1.0)
        table["mesolith"][name] = {**ours, "tau_tight": tight, "error": error}
        their = taufactor[name]
        their["error"] = abs(their["tau"] / tight - 1.0)
        faster = their["wall_s"] / ours["wall_s"]
        processor = their["processor_s"] / ours["processor_s"]
        fast = faster >= TAUFACTOR_SPEED or not name.startswith("200")
        good = error <= min(ERROR_BAR, their["error"]) and fast
        lines.append(
            (
                (
                    f"{name:10s} TauFactor  tau {ours['tau']:.5f}, error {error:.1e} (its "
                    f"{their['error']:.1e}), {ours['wall_s']:.2f} s, {faster:.1f} times as fast "
                    f"({processor:.1f} by processor time)"
                ),
                good,
            )
        )
        if name in porespy:
            their = porespy[name]
            their["error"] = abs(their["tau"] / their["tau_tight"] - 1.0)
            faster = their["wall_s"] / ours["wall_s"]
            processor = their["processor_s"] / ours["processor_s"]
            good = error <= min(ERROR_BAR, their["error"]) and faster >= PORESPY_SPEED
            apart = abs(their["tau_tight"] / tight - 1.0)
            lines.append(
                (
                    (
                        f"{name:10s} PoreSpy    its error {their['error']:.1e}, definitions "
                        f"{apart:.1e} apart, {faster:.1f} times as fast ({processor:.1f} by "
                        "processor time)"
                    ),
                    good,
                )
            )
    return table, lines


def _tight(image: Mask, *, twin: bool) -> float:
    """Tightly converged tortuosity factor; the Fourier twin must agree where it is asked."""
    through = through_clusters(image)
    tight = potential_of_conductivity(through, tolerance=1e-9).conductivity
    if twin:
        other = potential_by_fourier(through.astype(float), tolerance=1e-8).conductivity
        if abs(other / tight - 1.0) > 1e-6:
            raise SystemExit(f"multigrid {tight!r} and Fourier {other!r} do not agree")
    return float(image.mean() / tight)


def _peer(name: str, folder: Path, images: dict[str, Mask], *arguments: str) -> dict[str, Any]:
    np.savez(folder / "images.npz", **{key: v.astype(np.uint8) for key, v in images.items()})
    script = HERE / "peers" / f"{name}_run.py"
    subprocess.run([str(peer_python(name)), str(script), str(folder), *arguments], check=True)
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


def _data() -> Path:
    root = os.environ.get("MESOLITH_DATA")
    if not root:
        raise SystemExit("MESOLITH_DATA must point to the folder that holds tomo/taufactor")
    return Path(root) / "tomo" / "taufactor"


def _tiff(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as pages:
        planes = []
        for k in range(getattr(pages, "n_frames", 1)):
            pages.seek(k)
            planes.append(np.array(pages, dtype=np.uint8))
    return np.stack(planes)


# --- the published benchmark, growth -----------------------------------------------------------


def tf500() -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    """The 500^3 image along its three axes."""
    with tempfile.TemporaryDirectory() as name:
        with zipfile.ZipFile(_data() / "TF-500x500x500-1x2x6-v3.tiff.zip") as archive:
            member = next(entry for entry in archive.namelist() if entry.startswith("TF"))
            path = archive.extract(member, name)
        image = _tiff(Path(path)) > 0
    table, lines = [], []
    for axis, wanted in enumerate(TF500):
        _, entry = timed(image, axis)
        table.append(entry)
        off = entry["tau"] / wanted - 1.0
        text = f"TF-500 axis {axis}: tau {entry['tau']:.4f} ({off:+.1e}), {entry['wall_s']:.1f} s"
        lines.append((f"{text}, {entry['iterations']:.0f} iterations", abs(off) <= TF500_BAR))
    mean = float(np.mean([entry["wall_s"] for entry in table]))
    processor = float(np.mean([entry["processor_s"] for entry in table]))
    text = f"TF-500 mean {mean:.1f} s, {processor:.1f} s of processor time"
    lines.append((text, mean <= TF500_SECONDS))
    return {"axes": table, "mean_s": mean}, lines


def growth() -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    """Iterations and bytes while the image grows and its features do not."""
    table: dict[str, Any] = {}
    lines = []
    for fraction in (0.3, 0.5, 0.85):
        counts, most = {}, 0.0
        for n in (64, 128, 256, 512):
            through = through_clusters(blobs(n, fraction))
            found = potential_of_conductivity(through)
            counts[n] = found.iterations
            most = max(most, found.bytes_per_voxel)
        ratio = counts[512] / counts[64]
        table[f"{fraction}"] = {"iterations": counts, "bytes_per_voxel": most}
        text = f"growth at {100 * fraction:.0f} %: iterations {list(counts.values())}"
        good = (ratio <= 2.0 or fraction == 0.3) and most <= BYTES_BAR
        lines.append((f"{text}, at most {most:.0f} bytes per voxel", good))
    return table, lines


# --- exact answers -----------------------------------------------------------------------------


def exact_answers() -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    """Answers of the textbooks, and the order at which they are approached."""
    uniform = conduction(np.ones((30, 40, 50)), axis=1).tortuosity_factor - 1.0
    values = np.array([1.0, 20.0, 0.03, 4.0, 0.5, 7.0])
    layers = np.repeat(values, 5)[:, None, None] * np.ones((1, 30, 30))
    series = conduction(layers).effective_conductivity * np.mean(1.0 / values) - 1.0
    parallel = conduction(layers, axis=2).effective_conductivity / np.mean(values) - 1.0
    spheres = [_sphere(n) for n in (20, 40, 80)]
    corner = [_checkerboard(n) for n in (64, 128, 256)]
    cylinders = [_cylinders(n) for n in (32, 256)]
    orders = {
        "spheres": float(np.log2(spheres[1] / spheres[2])),
        "checkerboard": float(np.log2(corner[1] / corner[2])),
        "cylinders": float(np.log2(cylinders[0] / cylinders[1]) / 3.0),
    }
    limit = 2.0 * spheres[2] - spheres[1]
    lines = [
        (f"uniform block: {uniform:+.1e}", abs(uniform) < 1e-8),
        (f"layers in series: {series:+.1e}", abs(series) < 2e-6),
        (f"layers in parallel: {parallel:+.1e}", abs(parallel) < 2e-6),
        (
            (
                f"dilute spheres, insulating: {spheres[2]:+.1e} of the change at 80^3, order "
                f"{orders['spheres']:.2f}, limit {limit:+.1e}"
            ),
            abs(limit) < 5e-3,
        ),
        (
            f"checkerboard, contrast 4: order {orders['checkerboard']:.3f}",
            abs(orders["checkerboard"] - CHECKERBOARD_ORDER) <= ORDER_BAR,
        ),
        (
            f"square array of cylinders: {cylinders[1]:+.1e}, order {orders['cylinders']:.2f}",
            abs(cylinders[1]) < 4e-3,
        ),
    ]
    return {"orders": orders, "uniform": uniform, "series": series, "parallel": parallel}, lines


def _sphere(n: int) -> float:
    """Relative deviation from Maxwell's change of conductivity, an eighth of a sphere."""
    x = np.arange(n) + 0.5
    ball = x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 < (0.4 * n) ** 2
    contrast = -0.5 * ball.mean()
    exact = 3.0 * contrast / (1.0 - contrast)
    return float((conduction(~ball).effective_conductivity - 1.0) / exact - 1.0)


def _checkerboard(n: int) -> float:
    """Deviation from Dykhne's sqrt(1 * 4)."""
    upper = np.arange(n) >= n // 2
    image = np.where(upper[:, None] ^ upper, 4.0, 1.0)[:, :, None]
    return abs(conduction(image, tolerance=1e-8).effective_conductivity - 2.0)


def _cylinders(n: int) -> float:
    """Relative deviation from Perrins et al. 1979, a quarter of an insulating cylinder."""
    x = np.arange(n) + 0.5
    disc = x[:, None] ** 2 + x**2 < 1.6 * n**2 / np.pi
    f = disc.mean()
    exact = 1.0 - 2.0 * f / (1.0 + f - 0.305827 * f**4 / (1.0 - 1.402958 * f**8) - 0.013362 * f**8)
    return float(conduction(~disc[:, :, None]).effective_conductivity / exact - 1.0)


if __name__ == "__main__":
    sys.exit(main())
