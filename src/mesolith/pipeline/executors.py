"""The local executor: spawned processes with the interface of `concurrent.futures`.

Each worker is a process of its own behind two pipes; no port is opened. A worker that dies costs
the part it was on, and a new one takes its place.
"""

from __future__ import annotations

import os
import pickle
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import IO, Any, ParamSpec, TypeVar

from mesolith.errors import MesolithError
from mesolith.pipeline.memory import default_workers, peak_memory_bytes

P = ParamSpec("P")
T = TypeVar("T")

_THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
_LOOK_SECONDS = 0.2
_TAIL_BYTES = 2000


class WorkerDied(Exception):  # noqa: N818 - what happened, not a mistake of the caller
    """The process that computed a task is gone.

    ``peak_memory_bytes`` is the most that was seen of it, or None; ``last_words`` is the end of
    what it wrote to its standard error.
    """

    def __init__(self, how: str, peak_memory_bytes: int | None, last_words: str = "") -> None:
        super().__init__(how)
        self.how = how
        self.peak_memory_bytes = peak_memory_bytes
        self.last_words = last_words


class LocalExecutor(Executor):
    """A number of worker processes on this machine, one thread each.

    Functions are sent by name, so they must be importable; a script needs no ``__main__`` guard.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.slots = max(1, workers if workers is not None else default_workers())
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._workers = [_Worker() for _ in range(self.slots)]
        self._threads = [
            threading.Thread(target=self._serve, args=(worker,), daemon=True)
            for worker in self._workers
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call.

        Its future raises `WorkerDied` where the process ends meanwhile, and `MesolithError` where
        none can be started.
        """
        data = pickle.dumps(pickle.dumps((fn, args, kwargs)))
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the executor is shut down")
            self._tasks.put(_Task(data, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; queued ones still run unless cancelled."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if cancel_futures:
                    self._drop_queued()
                for _ in self._threads:
                    self._tasks.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def kill(self) -> None:
        """End now: queued tasks are cancelled, workers are killed with what they are on."""
        self.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.kill()
        for thread in self._threads:
            thread.join()

    def _drop_queued(self) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return
            if task is not None:
                task.future.cancel()

    def _serve(self, worker: _Worker) -> None:
        while (task := self._tasks.get()) is not None:
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                succeeded, value = worker.call(task.data)
            except BaseException as error:
                task.future.set_exception(error)
                continue
            if succeeded:
                task.future.set_result(value)
            else:
                task.future.set_exception(value)
        worker.end()


class _Task:
    __slots__ = ("data", "future")

    def __init__(self, data: bytes, future: Future[Any]) -> None:
        self.data = data
        self.future = future


class _Worker:
    """One process; started again for the next call after it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._inherited_peak = 0
        self._killed = False
        self._lock = threading.Lock()

    def start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._killed or self._process is not None:
                return self._process
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _bury
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "mesolith.pipeline.worker_process"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._errors,
                    env=_environment(),
                )
            except OSError as error:
                self._close_errors()
                raise MesolithError(
                    f"no worker process can be started ({error.strerror or error})",
                    where=sys.executable,
                    remedy="Check the limits on processes and memory (ulimit -a), and that this "
                    "Python may be run.",
                ) from error
            # after the start: the parent may still have grown before the child was its own
            self._inherited_peak = peak_memory_bytes() or 0
            return self._process

    def call(self, data: bytes) -> tuple[bool, Any]:
        process = self.start()
        if process is None:
            raise WorkerDied("the run was stopped", None)
        assert process.stdin is not None
        assert process.stdout is not None
        seen = None
        try:
            process.stdin.write(data)
            process.stdin.flush()
            if os.name == "posix":
                while not select.select([process.stdout], [], [], _LOOK_SECONDS)[0]:
                    seen = peak_memory_bytes(process.pid) or seen
            answer: tuple[bool, Any] = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._bury(process, seen) from None
        return answer

    def end(self) -> None:
        """Close the way in; the process ends by itself."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            _close(process)
            process.wait()
            self._close_errors()

    def kill(self) -> None:
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def _bury(self, process: subprocess.Popen[bytes], seen: int | None) -> WorkerDied:
        with self._lock:
            self._process = None
        _close(process)
        peak = max(filter(None, (seen, self._last_peak(process))), default=None)
        code = process.wait()
        words = ""
        if self._errors is not None:
            size = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, size - _TAIL_BYTES))
            words = self._errors.read().decode("utf-8", "replace").strip()
        self._close_errors()
        return WorkerDied(_how(code), peak, words)

    def _last_peak(self, process: subprocess.Popen[bytes]) -> int | None:
        """Peak that the kernel reports at the end of a child.

        It begins at the parent's own peak, so only a larger one says something.
        """
        if not hasattr(os, "wait4"):
            return None
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except ChildProcessError:
            return None
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return peak if peak > self._inherited_peak else None

    def _close_errors(self) -> None:
        if self._errors is not None:
            self._errors.close()
            self._errors = None


def _environment() -> dict[str, str]:
    """One thread a worker, one order of sets, and the parent's modules."""
    paths = [path or os.getcwd() for path in sys.path]
    return (
        dict(os.environ)
        | dict.fromkeys(_THREAD_LIMITS, "1")
        | {"PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    )


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:  # unsent bytes of a dead process
                continue


def _how(code: int) -> str:
    if code >= 0:
        return f"it ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"it was ended by {name}{hint}"
