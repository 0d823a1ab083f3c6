"""Parts without science, importable by workers."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

from mesolith.errors import InvalidValueError
from mesolith.pipeline.work import Work

OUTPUT = "out.txt"


def join(work: Work) -> None:
    """The inputs one after the other, then the settings."""
    texts = [_text(source.path) for name in sorted(work.inputs) for source in work.inputs[name]]
    texts.append(json.dumps([work.label, dict(work.settings), dict(work.selector)]))
    (work.folder / OUTPUT).write_text("\n".join(texts) + "\n")


def slow(work: Work) -> None:
    """As `join`, after some seconds."""
    time.sleep(work.settings["seconds"])
    join(work)


def noise(work: Work) -> None:
    """Random bytes from the part's seed, in files at two depths."""
    numbers = random.Random(work.seed)
    (work.folder / "deep" / "er").mkdir(parents=True)
    (work.folder / "deep" / "er" / "noise.bin").write_bytes(numbers.randbytes(3000))
    (work.folder / OUTPUT).write_text(numbers.randbytes(100).hex())


def of_the_moment(work: Work) -> None:
    """Another result each time: what a part must not do."""
    (work.folder / OUTPUT).write_text(f"{time.perf_counter_ns()}")


def surroundings(work: Work) -> None:
    """What the worker is allowed to use."""
    limits = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
    (work.folder / OUTPUT).write_text(json.dumps({"cores": work.cores} | limits))


def fail(work: Work) -> None:
    """A fault of the program."""
    raise ZeroDivisionError(f"nothing to divide in {work.label}")


def refuse(work: Work) -> None:
    """A fault of the input, with a place."""
    raise InvalidValueError("three grains are too few", where="Grains.csv", remedy="Add some.")


def spend_and_die(work: Work) -> None:
    """Use memory, then end as the system ends a process that used too much."""
    held = bytearray(os.urandom(1024)) * (work.settings["megabytes"] * 1024)
    held[0] = 1
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(work: Work) -> None:
    """Die on the first try; the second one waits for nobody and succeeds."""
    marker = Path(work.settings["marker"])
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    join(work)


def linger_once(work: Work) -> None:
    """As `join`; on the first try it leaves its process number and waits to be killed.

    The place for the number stands in the environment, so that the part's key does not hang on it.
    """
    place = os.environ.get("MESOLITH_TEST_LINGER")
    if place is not None and not Path(place).exists():
        (work.folder / "half.txt").write_text("half of a result")
        whole = Path(f"{place}.{os.getpid()}")
        whole.write_text(str(os.getpid()))
        whole.rename(place)
        time.sleep(60.0)
    join(work)


def timed(work: Work) -> None:
    """Note when this part began and ended."""
    began = time.monotonic()
    time.sleep(0.05)
    with open(work.settings["log"], "a") as file:
        file.write(json.dumps([work.label, began, time.monotonic()]) + "\n")
    join(work)


def many_bytes(work: Work) -> None:
    """A file of a size that may be too large for the disk."""
    with open(work.folder / "many.bin", "wb") as file:
        for _ in range(work.settings["megabytes"]):
            file.write(bytes(2**20))


def many_numbers(work: Work) -> None:
    """As `many_bytes`, through HDF5."""
    import h5py
    import numpy as np

    with h5py.File(work.folder / "record.h5", "w") as file:
        file["numbers"] = np.zeros(work.settings["megabytes"] * 2**17)


def rewrite_raw(work: Work) -> None:
    """Change the input behind the engine's back, as another program might."""
    source = work.source("raw")
    source.path.write_text("something else entirely")
    join(work)


def link_out(work: Work) -> None:
    """Leave a link instead of a file."""
    (work.folder / OUTPUT).symlink_to(work.source("raw").path)


def meet(mine: Path, other: Path) -> int:
    """Come, and wait until the other has come: no part of a graph, a task by itself."""
    mine.touch()
    end = time.monotonic() + 20.0
    while not other.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{other.name} did not come")
        time.sleep(0.01)
    return os.getpid()


def _text(path: Path) -> str:
    return (path / OUTPUT if path.is_dir() else path).read_text()
