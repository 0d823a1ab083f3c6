"""Any Dask cluster as an executor. The only place where Dask is imported.

Dask gives the part of a killed worker to another one. Where the last worker has gone and none
takes its place, it would wait for ever: the executor waits some minutes and says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from mesolith.errors import MesolithError, MissingExtraError
from mesolith.pipeline.executors import WorkerDied

P = ParamSpec("P")
T = TypeVar("T")


class DaskExecutor(Executor):
    """Workers of a running Dask cluster; they must see the store and the raw files.

    ``patience_seconds`` is how long it waits for a new worker once all have gone; for the first
    one it waits without end, as queues of clusters ask for.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    MesolithError
        No scheduler answers at that address.
    """

    def __init__(
        self, address: str, *, timeout_seconds: float = 30.0, patience_seconds: float = 300.0
    ) -> None:
        try:
            from distributed import Client
            from distributed.scheduler import KilledWorker
        except ImportError as error:
            raise MissingExtraError(
                "--scheduler needs Dask, which is not installed",
                remedy='Install it with: python -m pip install "mesolith[cluster]"',
            ) from error
        self._lost = KilledWorker
        try:
            self._client = Client(address, timeout=timeout_seconds, set_as_default=False)
        except (OSError, ValueError) as error:
            raise MesolithError(
                f"no Dask scheduler answers ({error})",
                where=address,
                remedy="Check the address, and that the scheduler runs.",
            ) from error
        self._executor = self._client.get_executor(pure=False, retries=0)
        threads = self._client.nthreads()
        self.slots = max(1, sum(threads.values()))
        self._address, self._patience = address, patience_seconds
        self._waiting: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._watch = threading.Thread(
            target=self._look_for_workers, args=(bool(threads),), daemon=True
        )
        self._watch.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call; its future raises `WorkerDied` where Dask gives up on its worker."""
        inner = self._executor.submit(fn, *args, **kwargs)
        outer: Future[T] = Future()
        outer.set_running_or_notify_cancel()
        with self._lock:
            self._waiting.add(outer)
        inner.add_done_callback(lambda done: self._pass_on(done, outer))
        return outer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster; it goes on for others."""
        self._left.set()
        with self._lock:
            wait = wait and bool(self._waiting)  # of none left to come there is nothing to wait for
        self._executor.shutdown(wait=wait and not cancel_futures)  # without waiting it cancels
        self._client.close()

    def kill(self) -> None:
        """Give up what is queued or in work, and leave."""
        self.shutdown(wait=False, cancel_futures=True)

    def _pass_on(self, done: Future[Any], outer: Future[Any]) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = done.result()
        except self._lost as lost:
            error = WorkerDied(f"Dask lost its worker ({lost})", None)
        except BaseException as other:
            error = other
        self._settle(outer, result, error)

    def _settle(self, outer: Future[Any], result: Any, error: BaseException | None) -> None:
        with self._lock:
            if outer not in self._waiting:
                return
            self._waiting.remove(outer)
        if error is None:
            outer.set_result(result)
        else:
            outer.set_exception(error)

    def _look_for_workers(self, seen: bool) -> None:
        """Give up what is in work once there were workers and none has come back for long."""
        last = time.monotonic()
        while not self._left.wait(min(5.0, self._patience / 4.0)):
            try:
                there = bool(self._client.nthreads())
            except Exception:  # no answer from the scheduler is no worker either
                there = False
            seen = seen or there
            if there or not seen:
                last = time.monotonic()
            elif time.monotonic() - last > self._patience:
                self._give_up()
                return

    def _give_up(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
        for outer in waiting:
            error = MesolithError(
                f"the Dask cluster has had no worker for {self._patience:g} s",
                where=self._address,
                remedy="Start workers and run the same line again: it goes on from there.",
            )
            self._settle(outer, None, error)
