"""Candidates of a search, built by a pool of workers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WorkerError
from mobilebench.targets.processes.worker_pool import WorkerPool

BUILDER = "mobilebench.schedules.tuning.candidate_builder"
"""The module whose functions build; it imports TVM."""


class Builders:
    """Builds the candidates of a batch at once, as many as the pool has workers.

    MetaSchedule's own builder starts new processes for every batch, each of which imports TVM for
    seconds before it builds for a tenth of one. A pool's workers stay; one that hangs is replaced.
    """

    def __init__(
        self,
        open_pool: Callable[[], WorkerPool],
        time_limit_s: float,
        toolchain: str,
        directory: Path,
    ) -> None:
        """Open the pool; libraries go to a directory."""
        self._pool = open_pool()
        self._threads = ThreadPoolExecutor(self._pool.max_workers)
        self._limit_s = time_limit_s
        self._toolchain = toolchain
        self._directory = directory
        self._built = 0

    def build(self, modules: list[str], target: str) -> list[Path | BenchError]:
        """Build modules, each TVM's JSON, for a target of TVM's; a failure says why."""
        numbers = range(self._built, self._built + len(modules))
        self._built += len(modules)

        def build(module: str, number: int) -> Path | BenchError:
            try:
                content: bytes = self._pool.call(
                    BUILDER,
                    "build_library",
                    module,
                    target,
                    self._toolchain,
                    timeout_s=self._limit_s,
                )
            except (BenchError, WorkerError) as error:
                return BenchError(str(error))
            library = self._directory / f"{number}.so"
            library.write_bytes(content)
            return library

        return list(self._threads.map(build, modules, numbers))

    def close(self) -> None:
        """End the pool."""
        self._threads.shutdown()
        self._pool.close()
