"""A run on simulated boards: how busy they are kept, and what the controller costs.

    python docs/scripts/farm_scale.py BOARDS JOBS        # e.g. 50 2000

Boards are TVM's own RPC servers on loopback, behind its own tracker, and the run is the one of
`mobilebench run`: scheduling, sessions, validation, measurement, store. Two things are simulated. A
job's library answers without computing, after a set time (it sleeps: so fifty boards fit on one
machine), and is built once for all jobs.
"""

import logging
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import fields
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console

SLEEP_S = 0.2  # an inference
KEY = "simulated"
_SOURCE = """
#include <time.h>
#include <tvm/ffi/c_api.h>
extern "C" __attribute__((visibility("default"))) int __tvm_ffi_hold(
    void*, const TVMFFIAny* args, int32_t, TVMFFIAny*) {
  timespec pause{0, SLEEP_NS};
  nanosleep(&pause, nullptr);
  DLTensor* output = args[1].type_index == kTVMFFITensor
      ? TVMFFITensorGetDLTensorPtr(args[1].v_obj) : (DLTensor*)args[1].v_ptr;
  float* data = (float*)((char*)output->data + output->byte_offset);
  for (int i = 0; i < 1000; ++i) data[i] = 1;
  return 0;
}
"""


def main() -> None:
    """Print the row of a table."""
    boards, jobs = int(sys.argv[1]), int(sys.argv[2])
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        tracker, started = _start_farm(boards, directory)
        try:
            _run(tracker, boards, jobs, directory)
        finally:
            for process in started:
                process.kill()
                process.wait()


def _run(tracker: str, boards: int, jobs: int, directory: Path) -> None:
    from mobilebench.bench.cli.events import EventLog
    from mobilebench.bench.cli.progress import RunDisplay
    from mobilebench.bench.config.suite import make_suite
    from mobilebench.bench.measure import runner
    from mobilebench.bench.measure.run_context import RunContext
    from mobilebench.bench.models.weights import Weights
    from mobilebench.reports.records.store import Run, Store

    target = directory / "simulated.toml"
    target.write_text(
        'description = "a simulated board"\ndevice_type = "cpu"\n'
        f'tracker_key = "{KEY}"\ntoolchain = "host"\n'
        '[tvm]\nkind = "llvm"\nmcpu = "x86-64-v3"\n'
    )
    names = [f"mobilenet_v2_0.35_{32 + n // 64}x{32 + n % 64}_t1" for n in range(jobs)]
    suite = make_suite(
        {"variants": tuple(names), "targets": (str(target),), "tracker": tracker, "wait_s": 600}
    )
    cache = directory / "cache"
    cache.mkdir()
    context = RunContext(Run("scale", "2026-01-01T00:00:00+00:00", suite.to_table()), suite,
                      (Weights(),), cache)  # fmt: skip
    runner.BuildService = lambda *_args: Simulated(cache)  # type: ignore[assignment,misc]
    usage = Usage(skip=2 * boards)
    with (
        Store(str(directory / "store.sqlite")) as store,
        EventLog(None) as events,
        RunDisplay(Console(quiet=True), events) as progress,
    ):
        done = progress.done
        progress.done = lambda record: (done(record), usage.note())  # type: ignore
        start = time.time()
        runner.run_suite(context, store, progress, None)
        wall_s = time.time() - start
        rows = store.records(["scale"])
    good = sum(record.status == "ok" for record in rows)
    sessions = {path: _sessions(path) for path in directory.glob("sessions-*")}
    print(
        f"| {boards} | {len(rows)} ({good} ok) | {wall_s:.0f} | {_busy_percent(sessions):.1f} "
        f"| {_median_gap_ms(sessions):.0f} | {usage.told()} |",
        flush=True,
    )


def _sessions(path: Path) -> list[tuple[float, float]]:
    """Return when a board's sessions began and ended, in seconds."""
    lines = path.read_text().splitlines()
    return [(float(begin), float(end)) for begin, end in map(str.split, lines)]


def _busy_percent(sessions: dict[Path, list[tuple[float, float]]]) -> float:
    """Return the share of time that boards had a session, from the first to the last of all."""
    both = [one for each in sessions.values() for one in each]
    whole = max(end for _, end in both) - min(begin for begin, _ in both)
    return 100 * sum(end - begin for begin, end in both) / (whole * len(sessions))


def _median_gap_ms(sessions: dict[Path, list[tuple[float, float]]]) -> float:
    """Return how long a board waited from the end of a session to the next."""
    pairs = [pair for each in sessions.values() for pair in pairwise(sorted(each))]
    return 1000 * statistics.median(after[0] - before[1] for before, after in pairs)


class Usage:
    """What the controller takes once it runs: this process, and those that hold sessions."""

    def __init__(self, skip: int) -> None:
        self._self = psutil.Process()
        self._skip = skip  # rows until every holder has started
        self._rows = 0
        self._mb: list[float] = []
        self._before = self._last = (0.0, 0.0)
        self._at = 0  # rows at the last look

    def note(self) -> None:
        """Count a row."""
        self._rows += 1
        if self._rows == self._skip:
            self._before = self._seconds()
        if self._rows > self._skip and self._rows % 20 == 0:
            self._last, self._at = self._seconds(), self._rows
        if self._rows >= self._skip:
            self._mb.append(self._self.memory_info().rss / 1e6)

    def _seconds(self) -> tuple[float, float]:
        children = 0.0
        for child in self._self.children():
            with suppress(psutil.Error):
                if "spawn_main" in " ".join(child.cmdline()):
                    children += sum(child.cpu_times()[:2])
        return sum(self._self.cpu_times()[:2]), children

    def told(self) -> str:
        """Return milliseconds of both for each job, and memory early, halfway and at the end."""
        rows = self._at - self._skip
        own, sessions = (
            1000 * (after - before) / rows
            for before, after in zip(self._before, self._last, strict=True)
        )
        last = len(self._mb) - 1
        memory = " / ".join(f"{self._mb[last * n // 10]:.0f}" for n in (0, 5, 10))
        return f"{own:.1f} | {sessions:.0f} | {memory}"


class Simulated:
    """A workshop that has one library for everybody."""

    max_workers = 1

    def __init__(self, cache: Path) -> None:
        from mobilebench.bench.build.artifact import LIBRARY, Artifact, Manifest
        from mobilebench.bench.models.onnx_export import OnnxModel

        library = cache / "artifact" / LIBRARY
        library.parent.mkdir()
        _build(library)
        reference = cache / "reference.npz"
        np.savez(reference, inputs=np.zeros((1, 3, 32, 32), np.float32),
                 output=np.ones((1, 1000), np.float32))  # fmt: skip
        self._exported = OnnxModel("none", cache / "none.onnx", "", reference, 0.0)
        given = {"variant": "", "target": KEY, "tvm_target": {}, "precision": "float32",
                 "params_storage": "", "databases": [], "kernels": []}  # fmt: skip
        manifest = Manifest(**{field.name: 0 for field in fields(Manifest)} | given)
        self._artifact = Artifact(library.parent, manifest, "simulated")

    def to_onnx(self, *_args: Any) -> Any:
        """Return the answer of every job."""
        return self._exported

    def build(self, *_args: Any, **_options: Any) -> Any:
        """Return the library of every job."""
        return self._artifact

    def check_target(self, *_args: Any) -> list[str]:
        """Refuse nothing."""
        return []

    def __enter__(self) -> "Simulated":
        return self

    def __exit__(self, *_exception: object) -> None:
        """End nothing."""


def _build(library: Path) -> None:
    import tvm
    import tvm_ffi
    from tvm.script import ir as I
    from tvm.script import relax as R

    from mobilebench.targets.toolchains.toolchain import HOST, find_toolchain

    @I.ir_module
    class Network:
        @R.function
        def main(
            image: R.Tensor((1, 3, "h", "w"), "float32"),  # type: ignore
        ) -> R.Tensor((1, 1000), "float32"):  # type: ignore
            with R.dataflow():
                answer = R.call_dps_packed("hold", (image,), R.Tensor((1, 1000), "float32"))
                R.output(answer)
            return answer

    toolchain = find_toolchain(HOST)
    source = library.with_name("hold.cc")
    source.write_text(_SOURCE.replace("SLEEP_NS", str(int(SLEEP_S * 1e9))))
    built = source.with_suffix(".o")
    toolchain.compile_object(built, source, [f"-I{tvm_ffi.libinfo.find_include_path()}"])
    executable = tvm.compile(Network, target="llvm")
    executable.export_library(str(library), fcompile=toolchain.link_with([built]))


def _start_farm(boards: int, directory: Path) -> tuple[str, list[Any]]:
    """Return the tracker's address and the processes to end."""
    script = [sys.executable, __file__, "--farm", str(boards), str(directory)]
    farm = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
    assert farm.stdout is not None
    return farm.stdout.readline().strip(), [farm]


def serve(boards: int, directory: Path) -> None:
    """Be a tracker and boards: processes of their own, forked when TVM is imported."""
    from mobilebench.targets.processes.process import die_with_parent

    sys.modules["torch"] = None  # type: ignore[assignment]
    die_with_parent()
    from tvm.rpc import server as rpc_server
    from tvm.rpc.tracker import PopenTrackerServerState

    fork = multiprocessing.get_context("fork")
    mine, theirs = fork.Pipe()

    def track(pipe: Connection) -> None:
        die_with_parent()
        state = PopenTrackerServerState("127.0.0.1", 9190, 9999, silent=True)
        pipe.send(state.port)
        state.thread.join()

    def board(port: int, number: int) -> None:
        die_with_parent()
        os.environ["TVM_NUM_THREADS"] = "1"
        serving = rpc_server._serving
        log = (directory / f"sessions-{number}").open("a", buffering=1)

        def timed(*args: Any) -> None:
            begin = time.time()
            serving(*args)
            log.write(f"{begin} {time.time()}\n")

        rpc_server._serving = timed
        state = rpc_server.PopenRPCServerState(
            "127.0.0.1", 10000 + number, 20000, tracker_addr=("127.0.0.1", port), key=KEY,
            silent=True,
        )  # fmt: skip
        state.thread.join()

    processes = [fork.Process(target=track, args=(theirs,))]
    processes[0].start()
    port = mine.recv()
    for number in range(boards):
        processes.append(fork.Process(target=board, args=(port, number)))
        processes[-1].start()
    time.sleep(3)
    print(f"127.0.0.1:{port}", flush=True)
    for process in processes:
        process.join()


if __name__ == "__main__":
    if sys.argv[1] == "--farm":
        serve(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
