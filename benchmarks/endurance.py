"""The demo's run killed, damaged, starved and doubled: the result is always the same bytes.

What is compared: every file of every part in the store, the tables, cell.nxs, and report.html
without its provenance block (which names the day). One process group in two is killed whole, of
the others only the first process, so that its workers must end by themselves.

    python benchmarks/endurance.py [--quick]

``--quick`` kills 6 times instead of 30 and damages one file in ten; it never meets the bar.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _harness import ROOT, fresh_seed, write_result
from _processes import PortWatch, as_nobody, descendants, wait_for_the_end, watch_sees_a_port

from mesolith.errors import StoreFullError, StorePermissionError
from mesolith.pipeline.journal import read_journal
from mesolith.pipeline.publish import CONTENTS_FILE
from mesolith.pipeline.store import Store
from mesolith.report.page import without_provenance

KILLS = 30
DEMO_KILLS = 4
WORKERS = 2
OTHER_WORKERS = (1, 3)
Digest = dict[str, str]


@dataclass
class Findings:
    """What was seen, and what is wrong with it."""

    figures: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def expect(self, holds: bool, fault: str) -> None:
        """Note a fault, at once visible, where something does not hold."""
        if not holds:
            self.faults.append(fault[:300])
            print(f"   FAULT: {fault}", flush=True)


def main() -> int:
    """Run all trials; 0 where every promise held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    findings = Findings()
    chance = random.Random(fresh_seed("endurance"))
    source = bytes_below(ROOT / "src", "*.py")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mesolith-endurance-") as name:
        os.chmod(name, 0o755)
        place = Path(name)
        data = make_data(place)
        whole, seconds = run_whole(place, data, findings)
        run_with_other_workers(place, data, whole, findings)
        run_killed(place, data, whole, seconds, 6 if quick else KILLS, chance, findings)
        kill_demo(place, data, whole, 1 if quick else DEMO_KILLS, chance, findings)
        flip_bits(place, data, whole, 10 if quick else 1, chance, findings)
        fill_disk(place, data, whole, findings)
        forbid(place, data, findings)
        run_twice(place, data, whole, findings)
    changed = difference(source, bytes_below(ROOT / "src", "*.py"))
    findings.expect(not changed, f"the package itself changed meanwhile: {changed}")
    findings.figures["seconds"] = round(time.perf_counter() - started, 1)
    met = not findings.faults and not quick
    findings.figures |= {"met": met, "faults": findings.faults}
    write_result("endurance", findings.figures)
    for key, value in findings.figures.items():
        print(f"{key}: {value}")
    print("endurance: " + ("met" if met else "NOT met"))
    return 0 if met else 1


# The demo's data and what a run makes of it


def command(folder: Path, workers: int = WORKERS) -> list[str]:
    """The line that a user types."""
    words = [sys.executable, "-m", "mesolith", "run", str(folder), "--workers", str(workers)]
    return [*words, "--quiet"]


def run(folder: Path, workers: int = WORKERS) -> None:
    """Run a cell to its end."""
    subprocess.run(command(folder, workers), check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


def demo_command(folder: Path) -> list[str]:
    """The demo from nothing: the virtual cell's files, then the run."""
    return [sys.executable, "-m", "mesolith", "demo", str(folder), "--quiet"]


def make_data(place: Path) -> Path:
    """Raw files and cell.toml of the demo; the demo itself compiles kernels on the way."""
    folder = place / "demo"
    subprocess.run(demo_command(folder), check=True, cwd=ROOT)
    shutil.rmtree(folder / ".mesolith")
    shutil.rmtree(folder / "result")
    return folder


def copy_of(data: Path, folder: Path) -> Path:
    """The demo's data in another folder, without store and result."""
    shutil.copytree(data, folder)
    return folder


def digest_of(folder: Path) -> Digest:
    """Checksums of all that must not differ between two runs of the same cell."""
    found = {}
    for root, prefix in ((folder / ".mesolith" / "results", "parts"), (folder / "result", "")):
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            data = path.read_bytes()
            if path.name == "report.html" and root.name == "result":
                data = without_provenance(data.decode("utf-8")).encode("utf-8")
            elif path.name == CONTENTS_FILE:  # checksums, that of the page with its day included
                listed = {k: v for k, v in json.loads(data).items() if k != "report.html"}
                data = json.dumps(listed).encode("utf-8")
            name = f"{prefix}/{path.relative_to(root).as_posix()}"
            found[name] = hashlib.sha256(data).hexdigest()
    return found


def difference(one: Digest, other: Digest) -> str:
    """Names that differ, at most five; empty where nothing does."""
    names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def same(one: Digest, folder: Path, what: str, findings: Findings) -> None:
    """Expect the bytes of a folder to be those of the uninterrupted run."""
    differing = difference(one, digest_of(folder))
    findings.expect(not differing, f"{what}: other bytes in {differing}")


# Uninterrupted, on one worker and on many, and watched for ports


def run_whole(place: Path, data: Path, findings: Findings) -> tuple[Digest, float]:
    """The run that all others are compared with; no process of it may listen."""
    print("one run to the end", flush=True)
    folder = copy_of(data, place / "whole")
    started = time.perf_counter()
    with subprocess.Popen(command(folder), cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        watch = PortWatch(process.pid)
        code = process.wait()
        seconds = time.perf_counter() - started
        watch.stop()
    whole = digest_of(folder)
    findings.expect(code == 0, f"the run ended with {code}")
    findings.expect(not watch.ports, f"ports were opened: {sorted(watch.ports)}")
    findings.expect(len(watch.seen) > WORKERS, "the watch saw no workers")
    findings.expect(watch_sees_a_port(), "the watch does not see a port that is open")
    parts = len({name.split("/")[2] for name in whole if name.startswith("parts/")})
    findings.figures |= {
        "parts": parts,
        "files": len(whole),
        "processes watched": len(watch.seen),
        "ports opened": len(watch.ports),
        "uninterrupted seconds": round(seconds, 1),
    }
    print(f"   {parts} parts, {len(whole)} files, {seconds:.1f} s", flush=True)
    return whole, seconds


def run_with_other_workers(place: Path, data: Path, whole: Digest, findings: Findings) -> None:
    """Another number of workers gives the same bytes."""
    for workers in OTHER_WORKERS:
        print(f"{workers} workers", flush=True)
        folder = copy_of(data, place / f"workers{workers}")
        run(folder, workers)
        same(whole, folder, f"{workers} workers", findings)
        shutil.rmtree(folder)
    findings.figures["worker counts compared"] = [WORKERS, *OTHER_WORKERS]


# Killed


def run_killed(
    place: Path,
    data: Path,
    whole: Digest,
    seconds: float,
    kills: int,
    chance: random.Random,
    findings: Findings,
) -> None:
    """Kill at random moments until there are enough kills; a finished cell begins anew."""
    print(f"{kills} kills", flush=True)
    folder = copy_of(data, place / "killed")
    done, rounds, most, repeats = 0, 0, 0, 0
    moments = []
    while done < kills:
        moment = chance.uniform(0.0, seconds)
        if killed_after(command(folder), moment, group=done % 2 == 0):
            done += 1
            moments.append(moment)
            check_results(folder, f"after kill {done}", findings)
            print(f"   kill {done} after {moment:.2f} s", flush=True)
            continue
        most, repeats, rounds = finish_round(folder, whole, findings, most, repeats, rounds)
    run(folder)
    most, repeats, rounds = finish_round(folder, whole, findings, most, repeats, rounds)
    findings.expect(most <= WORKERS, f"{most} parts were repeated after one kill")
    findings.figures |= {
        "kills": done,
        "latest kill at seconds": round(max(moments), 2),
        "cells finished between kills": rounds,
        "parts repeated": repeats,
        "most repeated after one kill": most,
    }


def killed_after(words: list[str], moment: float, *, group: bool) -> bool:
    """Kill a run after some seconds; false where it ended by itself before."""
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            code = process.wait(moment)
        except subprocess.TimeoutExpired:
            family = descendants(process.pid)
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                os.kill(process.pid, signal.SIGKILL)
        else:
            if code != 0:
                raise RuntimeError(f"the run ended with {code}")
            return False
    wait_for_the_end(family)
    return True


def kill_demo(
    place: Path,
    data: Path,
    whole: Digest,
    kills: int,
    chance: random.Random,
    findings: Findings,
) -> None:
    """Kill the demo itself while it writes raw files; then let it end."""
    print(f"{kills} kills of the demo as it makes its files", flush=True)
    folder = place / "demo-killed"
    for number in range(kills):
        killed_after(demo_command(folder), chance.uniform(0.5, 6.0), group=number % 2 == 0)
    subprocess.run(demo_command(folder), check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
    same(whole, folder, "demo killed", findings)
    for name in ("raw", "truth"):
        differing = difference(bytes_below(data / name), bytes_below(folder / name))
        findings.expect(not differing, f"demo killed: other bytes in {differing}")
    findings.figures["kills of the demo itself"] = kills
    shutil.rmtree(folder)


def bytes_below(folder: Path, pattern: str = "*") -> Digest:
    """Checksums of all files of that name below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob(pattern))
        if path.is_file()
    }


def check_results(folder: Path, when: str, findings: Findings) -> None:
    """Whatever is in the store is whole, and what lies in result/ too."""
    if (folder / ".mesolith" / "store.json").exists():
        store = Store.open(folder / ".mesolith", create=False)
        damaged = [key for key in store.all_keys() if store.lookup(key) is None]
        findings.expect(not damaged, f"{when}: {len(damaged)} results are damaged")
    names = {path.name for path in (folder / "result").glob("*")}
    whole = not names or {"report.html", "cell.nxs", "tables"} <= names
    findings.expect(whole, f"{when}: result/ holds only {sorted(names)}")


def finish_round(
    folder: Path, whole: Digest, findings: Findings, most: int, repeats: int, rounds: int
) -> tuple[int, int, int]:
    """Compare a finished cell, count what was repeated, and clear it for the next round."""
    same(whole, folder, "killed", findings)
    rubbish = [p.name for p in folder.iterdir() if p.name.startswith(".result")]
    rubbish += [p.name for p in (folder / ".mesolith" / "tmp").iterdir()]
    findings.expect(not rubbish, f"left behind: {rubbish}")
    again = repeated_parts(folder / ".mesolith" / "journal.jsonl")
    shutil.rmtree(folder / ".mesolith")
    shutil.rmtree(folder / "result")
    return max([most, *again.values()]), repeats + sum(again.values()), rounds + 1


def repeated_parts(journal: Path) -> Counter[str]:
    """How many parts each run had started in vain: a later run started them again."""
    last: dict[str, str] = {}
    found: Counter[str] = Counter()
    for event in read_journal(journal):
        if event["event"] == "part started":
            if event["key"] in last:
                found[last[event["key"]]] += 1
            last[event["key"]] = event["run"]
    return found


# Damaged


def flip_bits(
    place: Path,
    data: Path,
    whole: Digest,
    every: int,
    chance: random.Random,
    findings: Findings,
) -> None:
    """Flip one bit of each file of the store in turn, and run again."""
    from mesolith.workflow import run_cell

    folder = copy_of(data, place / "flipped")
    run(folder)
    root = folder / ".mesolith"
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.stat().st_size)[::every]
    print(f"a bit flipped in each of {len(files)} files", flush=True)
    recomputed = 0
    for number, file in enumerate(files, 1):
        flip_bit(file, chance)
        finished = run_cell(folder, workers=WORKERS)
        computed = {part.key for part in finished.outcome.computed}
        owner = file.relative_to(root).parts
        due = {owner[2]} if owner[0] == "results" else set()
        allowed = due | {part.key for part in finished.plan.graph.all_dependents(due)}
        name = file.relative_to(root).as_posix()
        findings.expect(finished.outcome.complete, f"{name}: the run failed")
        findings.expect(due <= computed, f"{name}: the flipped bit was not noticed")
        findings.expect(computed <= allowed, f"{name}: {len(computed)} parts computed again")
        same(whole, folder, f"a bit flipped in {name}", findings)
        recomputed += len(computed)
        if number % 20 == 0:
            print(f"   {number} files", flush=True)
    findings.figures |= {"files with a flipped bit": len(files), "parts for them": recomputed}
    shutil.rmtree(folder)


def flip_bit(file: Path, chance: random.Random) -> None:
    """Flip one bit somewhere in a file."""
    mode = file.stat().st_mode
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    os.chmod(file, mode | 0o200)
    file.write_bytes(content)
    os.chmod(file, mode)


# Full, forbidden, shared


def fill_disk(place: Path, data: Path, whole: Digest, findings: Findings) -> None:
    """Files may not grow beyond a size that some results need: a clear error, then resumed."""
    import resource

    folder = copy_of(data, place / "full")
    store = place / "whole" / ".mesolith" / "results"
    sizes = sorted(path.stat().st_size for path in store.rglob("*") if path.is_file())
    limits = [sizes[-1] - 1, sizes[len(sizes) * 3 // 4]]
    for limit in limits:
        print(f"no file above {limit} bytes", flush=True)

        def limited(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        refused = attempt(command(folder), preexec=limited)
        expect_error(refused, StoreFullError, f"limit of {limit} bytes", findings)
        check_results(folder, "disk full", findings)
        run(folder)
        same(whole, folder, "after a full disk", findings)
        shutil.rmtree(folder / ".mesolith")
        shutil.rmtree(folder / "result")
    findings.figures["file size limits"] = limits
    shutil.rmtree(folder)


def forbid(place: Path, data: Path, findings: Findings) -> None:
    """Another account runs where it may not write: store, then result folder."""
    print("folders without permission", flush=True)
    folder = copy_of(data, place / "forbidden")
    home = place / "home"
    home.mkdir()
    os.chmod(home, 0o777)
    tried = []
    for forbidden, where in ((".mesolith", "store"), ("result", "folder of the result")):
        for path in (folder / ".mesolith", folder / "result"):
            shutil.rmtree(path, ignore_errors=True)
        (folder / ".mesolith").mkdir()
        os.chmod(folder / ".mesolith", 0o555 if forbidden == ".mesolith" else 0o777)
        os.chmod(folder, 0o555)
        refused = attempt(as_nobody(command(folder)), home=home)
        expect_error(refused, StorePermissionError, f"{where} without permission", findings)
        os.chmod(folder, 0o755)
        tried.append(where)
    findings.figures["without permission"] = tried
    shutil.rmtree(folder)


def run_twice(place: Path, data: Path, whole: Digest, findings: Findings) -> None:
    """Two runs at the same time on one store."""
    print("two runs on one store", flush=True)
    folder = copy_of(data, place / "twice")
    both = [subprocess.Popen(command(folder), cwd=ROOT, stdout=subprocess.DEVNULL) for _ in "ab"]
    codes = [process.wait() for process in both]
    findings.expect(codes == [0, 0], f"two runs on one store ended with {codes}")
    same(whole, folder, "two runs on one store", findings)
    started = Counter(
        event["key"]
        for event in read_journal(folder / ".mesolith" / "journal.jsonl")
        if event["event"] == "part started"
    )
    findings.figures["parts computed by both of two runs"] = sum(started.values()) - len(started)


def attempt(
    words: list[str], *, preexec: Callable[[], None] | None = None, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A run that is expected to fail."""
    told = {} if home is None else {"HOME": str(home), "NUMBA_CACHE_DIR": str(home)}
    return subprocess.run(
        words,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=preexec,
        env=dict(os.environ) | told,
    )


def expect_error(
    refused: subprocess.CompletedProcess[str],
    kind: type[StoreFullError | StorePermissionError],
    what: str,
    findings: Findings,
) -> None:
    """One clear error of that kind, with its exit code, and no traceback."""
    told = refused.stderr
    findings.expect(
        refused.returncode == kind.exit_code, f"{what}: exit code {refused.returncode}: {told}"
    )
    findings.expect(told.count(kind.__name__) == 1, f"{what}: the error reads {told!r}")
    findings.expect("Traceback" not in told, f"{what}: a traceback was printed")


if __name__ == "__main__":
    sys.exit(main())
