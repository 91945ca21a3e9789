"""Builds on a real Dask cluster: a scheduler and workers with caches of their own, on loopback."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Self

import pytest

from mobilebench.bench.build import cluster as cluster_module
from mobilebench.bench.build.artifact import find_artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.build.cluster import Cluster
from mobilebench.bench.cache import CACHE_VARIABLE
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.schedules.databases.database import directories
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import (
    WorkerCrashedError,
    WorkerError,
    WorkerTimedOutError,
)
from tests.farm import free_port, start
from tests.waiting import HANG_S, wait_until

VARIANT = "mobilenet_v2_0.35_32_t1"


@dataclass
class RealCluster:
    """A scheduler; workers come when they are asked for, and all end with it."""

    directory: Path
    address: str = field(default_factory=lambda: f"tcp://127.0.0.1:{free_port()}")
    _processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def add_worker(self, cache_dir: Path) -> None:
        self._start("worker", self.address, "--nthreads", "1", "--no-dashboard",
                    cache=cache_dir)  # fmt: skip

    def _start(self, *arguments: str, cache: Path) -> None:
        log = self.directory / f"dask-{len(self._processes)}.log"
        command = [sys.executable, "-m", "dask", *arguments]
        self._processes.append(start(command, log, {CACHE_VARIABLE: str(cache)}))

    def listens(self) -> bool:
        host, port = self.address.removeprefix("tcp://").split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    def __enter__(self) -> Self:
        port = self.address.rpartition(":")[2]
        self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard",
                    cache=self.directory)  # fmt: skip
        wait_until(self.listens, "the scheduler to listen")
        return self

    def __exit__(self, *_exception: object) -> None:
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with RealCluster(tmp_path_factory.mktemp("dask")) as real:
        yield real


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the worker's cache."""
    return tmp_path_factory.mktemp("there")


@pytest.fixture(scope="module")
def cluster(scheduler: RealCluster, there: Path, cache_dir: Path) -> Iterator[Cluster]:
    with pytest.raises(BenchError, match=r"it has no workers; start some with `dask worker"):
        Cluster(scheduler.address, cache_dir)
    scheduler.add_worker(there)
    found: list[Cluster] = []

    def ready() -> bool:
        try:
            found.append(Cluster(scheduler.address, cache_dir))
        except BenchError:
            return False
        return True

    wait_until(ready, "the cluster to have a worker")
    with found[0] as made:
        yield made


@pytest.mark.slow
def test_a_build_comes_back_with_its_files(
    cluster: Cluster, cache_dir: Path, there: Path, tmp_path: Path
) -> None:
    variant = parse_variant(VARIANT)
    options = BuildOptions(find_target("x86-64-v3"), databases=directories())
    with BuildService(cache_dir, HANG_S, builders=cluster) as service:
        exported = service.to_onnx(variant, Weights())
        built = service.build(exported, options)
    assert built.directory.is_relative_to(cache_dir)
    assert find_artifact(built.key, there), "it was not built over there"
    with BuildService(tmp_path, HANG_S) as service:
        here = service.build(exported, options)
    assert here.key == built.key
    assert here.manifest.database_hits == built.manifest.database_hits > 0
    assert here.manifest.kernels == built.manifest.kernels


def test_errors_on_the_cluster_are_raised_as_local_ones(cluster: Cluster) -> None:
    call = cluster.call
    with pytest.raises(BenchError, match="unknown variant"):
        call("mobilebench.bench.models.variant", "parse_variant", "resnet_50", timeout_s=HANG_S)
    with pytest.raises(WorkerError, match="ValueError"):
        call("math", "sqrt", -1, timeout_s=HANG_S)
    with pytest.raises(WorkerCrashedError):
        call("os", "abort", timeout_s=HANG_S)
    with pytest.raises(WorkerTimedOutError):
        call("time", "sleep", 60, timeout_s=0.2)
    assert call("math", "sqrt", 4, timeout_s=HANG_S) == 2


def test_another_version_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (*cluster_module._SAME, "pytest")
    here = {name: version(name) for name in names}
    found: dict[str, dict[str, str]] = {"tcp://a": dict(here), "tcp://b": here | {"pytest": "1.0"}}
    monkeypatch.setattr(cluster_module, "_SAME", names)
    monkeypatch.setattr(cluster._client, "run", lambda *_args, **_options: found)
    with pytest.raises(BenchError, match=r"worker tcp://b has pytest 1.0, this is .*; install the"):
        cluster._check()


def test_a_worker_that_cannot_import_the_program_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ModuleNotFoundError("No module named 'bench'")
    monkeypatch.setattr(cluster._client, "run", lambda *_args, **_options: {"tcp://a": error})
    with pytest.raises(BenchError, match=r"worker tcp://a cannot build \(No module"):
        cluster._check()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", ""])
def test_a_missing_scheduler_is_reported_in_one_line(
    address: str, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_LIMIT_S", 1.0)
    with pytest.raises(BenchError, match=r"^scheduler .*: no scheduler answers; ") as refusal:
        Cluster(address, cache_dir)
    assert "\n" not in str(refusal.value)
