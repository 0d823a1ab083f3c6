"""A full pellet, 30,000 grains x 5 states, from MIDAS files to the report.

Bar: under 90 s and under 2.5 GB (the largest sum over all processes at one moment) on two cores.
The virtual files are made once, untimed, and kept outside the checkout, in
~/.cache/mesolith-virtual or below the folder that MESOLITH_VIRTUAL names; store and result are
new in every run. Needs psutil.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from _harness import ROOT, calibration_seconds, write_result

from mesolith.io.midas import read_midas
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking
from mesolith.virtual.demo import write_demo
from mesolith.workflow import open_cell

SECONDS, GIGABYTES, CORES = 90.0, 2.5, 2
SEED = 30_000
RUN = """
import sys
from pathlib import Path
from mesolith.workflow import run
run(Path(sys.argv[1]), store=Path(sys.argv[2]), result=Path(sys.argv[3]), workers=2)
"""


def virtual_files(preset: str) -> Path:
    """Folder with the virtual cell's files; made anew when the code that makes them changes."""
    digest = hashlib.sha256(f"{preset} {SEED}".encode())
    source = ROOT / "src" / "mesolith"
    makers = [*(source / "virtual").glob("*.py"), *(source / "io").glob("*_write.py")]
    for file in sorted([*makers, source / "io" / "zplot.py"]):
        digest.update(file.read_bytes())
    kept = os.environ.get("MESOLITH_VIRTUAL") or Path.home() / ".cache" / "mesolith-virtual"
    folder = Path(kept) / f"{preset}-{digest.hexdigest()[:16]}"
    if not (folder / "complete").is_file():
        print(f"making the virtual cell {preset} in {folder}", flush=True)
        for old in Path(kept).glob(f"{preset}-*"):
            shutil.rmtree(old)
        start = time.perf_counter()
        write_demo(folder, seed=SEED, preset=preset)
        (folder / "complete").touch()
        print(f"  {time.perf_counter() - start:.0f} s", flush=True)
    return folder


class PeakMemory(threading.Thread):
    """Largest resident memory of a process and all its children together, bytes."""

    def __init__(self, process: psutil.Process, *, every: float = 0.05) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.every = every
        self.peak = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(self.every):
            total = 0
            try:
                family = [self.process, *self.process.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for member in family:
                try:
                    total += member.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, total)


def timed_run(cell: Path, work: Path) -> tuple[float, float]:
    """Seconds and peak gigabytes of one run in processes of its own, on two cores."""
    environment = dict(os.environ, MPLBACKEND="Agg")
    command = [sys.executable, "-c", RUN, str(cell), str(work / "store"), str(work / "result")]
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=work, env=environment) as child:
        watched = psutil.Process(child.pid)
        if hasattr(watched, "cpu_affinity"):
            watched.cpu_affinity(watched.cpu_affinity()[:CORES])
        watch = PeakMemory(watched)
        watch.start()
        code = child.wait()
        seconds = time.perf_counter() - start
        watch.ended.set()
        watch.join()
    if code != 0:
        raise SystemExit(f"the run ended with exit code {code}")
    return seconds, watch.peak / 1e9


def finished_work(result: Path) -> dict[str, list[int]]:
    """Grains with stress by state and tracked pairs by transition: nothing may be left out."""
    if not (result / "report.html").is_file():
        raise SystemExit("the run left no report.html")
    cell = open_cell(result)
    pairs = [cell.pair(k, Tracking) for k in range(len(cell.states) - 1)]
    return {
        "stressed": [
            0 if state[GrainMap].stress is None else len(state[GrainMap]) for state in cell.states
        ],
        "tracked": [0 if pair is None else len(pair.before) for pair in pairs],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the demo's cell instead")
    preset = "demo" if parser.parse_args().quick else "pellet-30000"
    folder = virtual_files(preset)
    lists = sorted((folder / "raw").glob("*/Grains.csv"))
    grains = [len(read_midas(file).grain_map) for file in lists]
    with tempfile.TemporaryDirectory(prefix="mesolith-pellet-") as temporary:
        seconds, gigabytes = timed_run(folder / "cell.toml", Path(temporary))
        work = finished_work(Path(temporary) / "result")
        megabytes = (Path(temporary) / "result" / "report.html").stat().st_size / 1e6
    whole = work["stressed"] == grains and min(work["tracked"]) > 0.8 * min(grains)
    met = whole and seconds < SECONDS and gigabytes < GIGABYTES
    calibration = calibration_seconds()
    write_result(
        "full_pellet" if preset == "pellet-30000" else "full_pellet_quick",
        {
            "grains": grains,
            **work,
            "seconds": seconds,
            "peak_gigabytes": gigabytes,
            "report_megabytes": megabytes,
            "calibration_seconds": calibration,
            "met": met,
        },
    )
    print(f"grains by state: {', '.join(str(count) for count in grains)}")
    print(f"with stress: {', '.join(str(count) for count in work['stressed'])}")
    print(f"tracked pairs: {', '.join(str(count) for count in work['tracked'])}")
    print(f"report.html: {megabytes:.1f} MB; speed reference {calibration:.2f} s")
    print(
        f"full pellet: {seconds:.1f} s (bar {SECONDS:.0f} s), {gigabytes:.2f} GB "
        f"(bar {GIGABYTES} GB): {'met' if met else 'not met'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
