"""Candidates of a search, built in processes that are kept."""

from pathlib import Path
from typing import Any

import tvm
from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms
from tvm.support.popen_pool import PopenPoolExecutor, StatusKind

from schedules.machine import machine_of
from schedules.native_code import TEAM, build_object, link_library
from targets.toolchain import Toolchain

_START_LIMIT_S = 120.0


@derived_object
class KeptBuilder(ms.builder.PyBuilder):
    """Builds candidates as shared libraries.

    MetaSchedule's own builder starts new processes for every batch, each of which imports TVM for
    seconds before it builds for a tenth of one. These stay; one that hangs is replaced.
    """

    def __init__(
        self, workers: int, time_limit_s: float, toolchain: Toolchain, directory: Path
    ) -> None:
        """Start the processes; libraries go to a directory."""
        super().__init__()
        self._toolchain = toolchain
        self._directory = directory
        self._built = 0
        self._team = build_object(TEAM, toolchain, directory)
        self._pool = PopenPoolExecutor(workers, timeout=_START_LIMIT_S)
        list(self._pool.map_with_error_catching(_be_ready, range(workers)))
        self._pool._timeout = time_limit_s  # from here on it counts the build alone

    def build(self, build_inputs: list[Any]) -> list[Any]:
        """Build a batch; a failure is a result that says why."""
        jobs = []
        for one in build_inputs:
            library = self._directory / f"{self._built}.so"
            self._built += 1
            jobs.append((one.mod, one.target, self._toolchain, self._team, library))
        return [_result(done) for done in self._pool.map_with_error_catching(_build, jobs)]

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


def _be_ready(_number: int) -> None:
    from schedules import pipeline  # noqa: F401


def _build(job: tuple[tvm.IRModule, Any, Toolchain, Path, Path]) -> str:
    from schedules import pipeline

    module, target, toolchain, team, library = job
    executable = pipeline.build_kernel(module, target)
    beside = [team] if machine_of(target).threads > 1 else []
    link_library(executable, library, toolchain, objects=beside)
    return str(library)


def _result(done: Any) -> ms.builder.BuilderResult:
    if done.status == StatusKind.COMPLETE:
        return ms.builder.BuilderResult(done.value, None)
    lines = str(done.value).strip().splitlines() or [type(done.value).__name__]
    return ms.builder.BuilderResult(None, lines[-1])
