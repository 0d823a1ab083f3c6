"""What the benchmarks share: peers' environments, results with their commit, a speed reference."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def peer_python(name: str) -> Path:
    """Python of the environment that holds a peer, made on first use.

    ``peers/NAME.txt`` is the complete list of pinned packages, installed without resolving
    dependencies. The environment lies outside the checkout, in ~/.cache/mesolith-peers/NAME or
    below the folder that MESOLITH_PEERS names; it is made anew when the list changes.
    """
    listed = HERE / "peers" / f"{name}.txt"
    place = Path(os.environ.get("MESOLITH_PEERS") or Path.home() / ".cache" / "mesolith-peers")
    folder = place / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "made-from.sha256"
    wanted = hashlib.sha256(listed.read_bytes()).hexdigest()
    if not (stamp.is_file() and stamp.read_text() == wanted):
        print(f"making the environment of {name} in {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(listed)]
        subprocess.run(install, check=True)
        stamp.write_text(wanted)
    return python


def commit_hash() -> str:
    """Hash of the commit that is checked out; "+changes" is added where the tree differs."""
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks/*.py")
    return f"{head}+changes" if changed else head


def fresh_seed(family: str) -> int:
    """Seed that nobody tuned on: from the commit's hash and the name of the family."""
    text = f"{family}:{_git('rev-parse', 'HEAD')}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write ``results/NAME.json`` with the commit's hash and the machine's speed reference."""
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    entry = {"benchmark": name, "commit": commit_hash(), **result}
    path.write_text(json.dumps(entry, indent=1, sort_keys=False, default=float) + "\n")
    return path


def kept_answers(
    pool: Executor,
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    *,
    benchmark: str,
    part: str,
    chunk: int = 10,
) -> NDArray[np.float64]:
    """Answers to all jobs, arrays of one shape, in their order; shape (jobs, ...).

    They are kept below results/_trials every half minute. A run that was interrupted goes on
    behind the last answer that it kept; so does one that asks for more jobs. What is kept
    belongs to the commit, to the changes on top of it, and to the first job of the part.
    """
    key = key_of_code(repr(jobs[0]))
    file = HERE / "results" / "_trials" / benchmark / f"{part.replace(' ', '-')}-{key}.npy"
    kept = [np.load(file)] if file.is_file() else []
    done = sum(len(answers) for answers in kept)
    if done:
        print(f"{part}: {done} of {len(jobs)} were kept from an earlier run", flush=True)
    fresh, saved = [], time.monotonic()
    for answer in pool.map(function, jobs[done:], chunksize=chunk):
        fresh.append(answer)
        if time.monotonic() - saved > 30.0 or done + len(fresh) == len(jobs):
            saved = time.monotonic()
            kept = [np.concatenate([*kept, np.array(fresh)])]
            done, fresh = len(kept[0]), []
            file.parent.mkdir(parents=True, exist_ok=True)
            beside = file.with_suffix(".tmp.npy")
            np.save(beside, kept[0])
            beside.replace(file)
    return np.asarray(kept[0][: len(jobs)])


def key_of_code(job: str) -> str:
    """Key of what is kept of a job: it hangs on the commit and on the changes on top of it."""
    changes = _git("diff", "HEAD", "--", "src", "benchmarks/*.py", "benchmarks/*.toml")
    told = f"{_git('rev-parse', 'HEAD')}\n{changes}\n{job}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def calibration_seconds() -> float:
    """Seconds that a fixed piece of single-threaded work takes here, best of three.

    Divide a time by it to compare machines, or the same machine on a busy day.
    """
    values = np.random.default_rng(0).random(400_000)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        total = 0.0
        for k in range(12):
            total += float(np.sort(np.sin(values * (k + 1)))[k])
        for k in range(2_000_000):
            total += k & 7
        best = min(best, time.perf_counter() - start)
    return best


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
