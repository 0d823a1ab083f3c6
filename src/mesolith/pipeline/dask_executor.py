"""Any Dask cluster as an executor. The only place where Dask is imported."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from mesolith.errors import MesolithError, MissingExtraError
from mesolith.pipeline.executors import WorkerDied

P = ParamSpec("P")
T = TypeVar("T")


class DaskExecutor(Executor):
    """Workers of a running Dask cluster; they must see the store and the raw files.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    MesolithError
        No scheduler answers at that address.
    """

    def __init__(self, address: str, *, timeout_seconds: float = 30.0) -> None:
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
        self.slots = max(1, sum(self._client.nthreads().values()))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call; its future raises `WorkerDied` where Dask gives up on its worker."""
        inner = self._executor.submit(fn, *args, **kwargs)
        outer: Future[T] = Future()
        outer.set_running_or_notify_cancel()
        inner.add_done_callback(lambda done: self._pass_on(done, outer))
        return outer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster; it goes on for others."""
        self._executor.shutdown(wait=wait and not cancel_futures)  # without waiting it cancels
        self._client.close()

    def kill(self) -> None:
        """Give up what is queued or in work, and leave."""
        self.shutdown(wait=False, cancel_futures=True)

    def _pass_on(self, done: Future[Any], outer: Future[Any]) -> None:
        try:
            result = done.result()
        except self._lost as error:
            outer.set_exception(WorkerDied(f"Dask lost its worker ({error})", None))
        except BaseException as error:
            outer.set_exception(error)
        else:
            outer.set_result(result)
