"""A Dask cluster as a worker pool: builds on several machines with the code of this one."""

import multiprocessing
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from mobilebench.bench.cache import cache_directory
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.path_pickle import pack, unpack
from mobilebench.targets.processes.worker import (
    WITHOUT_TORCH,
    WorkerCrashedError,
    WorkerError,
    WorkerTimedOutError,
)
from mobilebench.targets.processes.worker_pool import LocalWorkerPool

_CONNECT_LIMIT_S = 30.0
_SAME = ("mobilebench", "apache-tvm", "apache-tvm-ffi")  # distributions


class Cluster:
    """The workers of a Dask scheduler.

    A call is sent with the files that it names, and its result comes back with the files that it
    made. The cluster's worker computes it in a separate process, as on this machine.
    """

    def __init__(self, address: str, cache_dir: Path) -> None:
        """Connect; raises BenchError if there is no scheduler or a worker has other versions."""
        self._cache_dir = cache_dir
        self._address = address
        self._client = _connect(address)
        try:
            self._max_workers = self._check()
        except BaseException:
            self._client.close()
            raise

    def _check(self) -> int:
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise BenchError(
                f"scheduler {self._address}: it has no workers; start some with `dask worker "
                f"{self._address}` where mobilebench is installed"
            )
        here = _versions()
        try:
            there = self._client.run(_versions, on_error="return")
        except Exception as error:
            raise BenchError(f"scheduler {self._address}: {error}") from error
        for worker, found in there.items():
            if isinstance(found, BaseException):
                raise BenchError(
                    f"scheduler {self._address}: worker {worker} cannot build ({found}); install "
                    "mobilebench there"
                )
            for name in _SAME:
                if found[name] != here[name]:
                    raise BenchError(
                        f"scheduler {self._address}: worker {worker} has {name} "
                        f"{found[name]}, this is {here[name]}; install the same there"
                    )
        return sum(worker["nthreads"] for worker in workers.values())

    @property
    def max_workers(self) -> int:
        """How many calls are computed at once: the workers' threads at the time of connecting."""
        return self._max_workers

    def call(self, factory: str, method: str, *args: Any, timeout_s: float) -> Any:
        """Return what the method of the factory's object returns there; see WorkerPool."""
        pickled = pack((factory, method, args, timeout_s), self._cache_dir)
        future = self._client.submit(compute, pickled, pure=False, retries=1)
        try:
            outcome, result = future.result()
        except Exception as error:  # a worker died twice, the scheduler went away
            raise WorkerCrashedError(f"scheduler {self._address}: {error}") from error
        finally:
            future.release()
        if outcome != "done":
            raise _ERRORS[outcome](result)
        return unpack(result, self._cache_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        self.close(at_once=kind is not None)

    def close(self, *, at_once: bool = False) -> None:
        """Disconnect from the cluster; it continues the calls of other clients."""
        self._client.close(*([0] if at_once else []))


_ERRORS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (BenchError, WorkerError, WorkerCrashedError, WorkerTimedOutError)
}


def compute(pickled: bytes) -> tuple[str, Any]:
    """Compute a packed call in a process of this machine; Dask's workers call this."""
    cache_dir = cache_directory()
    factory, method, args, timeout_s = unpack(pickled, cache_dir)
    try:
        result = _worker_pool(factory).call(factory, method, *args, timeout_s=timeout_s)
    except (BenchError, WorkerError) as error:
        return type(error).__name__, str(error)
    return "done", pack(result, cache_dir)


@cache
def _worker_pool(factory: str) -> LocalWorkerPool:
    # Dask marks its processes as unable to have children; ours end with their parent.
    multiprocessing.current_process().daemon = False
    threads = import_module("distributed").get_worker().state.nthreads
    return LocalWorkerPool(threads, {factory: WITHOUT_TORCH})


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _SAME}


def _connect(address: str) -> Any:
    try:
        client_class: Any = import_module("distributed").Client
    except ModuleNotFoundError as error:
        raise BenchError(
            "--scheduler: Dask is not installed; pip install 'mobilebench[cluster]'"
        ) from error
    try:
        return client_class(address, timeout=_CONNECT_LIMIT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise BenchError(
            f"scheduler {address}: no scheduler answers; start `dask scheduler`, or give its "
            "address as tcp://HOST:8786"
        ) from error
