"""The search for the best tile of every kernel of a grid of networks on one target."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import onnx
import tvm
from tvm.relax.frontend.onnx import from_onnx
from tvm.s_tir import meta_schedule as ms

from mobilebench.schedules import pipeline
from mobilebench.schedules.databases.database import Entry
from mobilebench.schedules.machine import Processor, machine_of
from mobilebench.schedules.templates.space import design_space, tile_number, tiles
from mobilebench.schedules.templates.task import Task, kernel_calls, task_of
from mobilebench.schedules.tuning.candidate_runner import InterleavedRunner, median_seconds
from mobilebench.schedules.tuning.candidates import Builders
from mobilebench.schedules.tuning.progress import SearchStep
from mobilebench.schedules.tuning.search_settings import SearchSettings
from mobilebench.schedules.tuning.search_strategy import InOrder
from mobilebench.targets.catalog.tvm_target import resolve
from mobilebench.targets.devices.connection import Connection, Connector
from mobilebench.targets.devices.device import Device, cool_down
from mobilebench.targets.devices.probe import build_probe
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker_pool import WorkerPool
from mobilebench.targets.toolchains.toolchain import find_toolchain

BATCH = 8
_FAILED = 1e9  # seconds, in the history, of a candidate that could not be measured


@dataclass
class _Search:
    """One task's state."""

    task: Task
    weight: int = 0  # calls in all networks together
    context: Any = None
    batches: int = 0
    exhausted: bool = False
    seconds: dict[int, float] = field(default_factory=dict)  # by number of tile; median

    def stake(self) -> tuple[bool, float]:
        """Say how much a further batch may bring: what was never measured comes first."""
        best = min(self.seconds.values(), default=0.0)
        weighed = self.weight * (best or self.task.macs)
        return (not self.seconds, weighed / (1 + self.batches))

    def good(self) -> bool:
        """Whether the default tile could be measured; what is better than it is then known."""
        return self.seconds.get(0, _FAILED) < _FAILED

    def entry(self, threads: int, machine: Processor) -> Entry:
        """Return the best tile, with its time by itself and that of the default."""
        best = min(self.seconds, key=lambda number: self.seconds[number])
        return Entry(
            kernel=self.task.key,
            threads=threads,
            tile=asdict(tiles(self.task, machine)[best]) if best else None,
            microseconds=self.seconds[best] * 1e6,
            default_microseconds=self.seconds[0] * 1e6,
            trials=len(self.seconds),
        )


class Tuner:
    """Measures candidates of every kernel until the budget is spent.

    The history is kept as a database of MetaSchedule; begun with the same one again, the search
    goes on where it was.
    """

    def __init__(self, settings: SearchSettings, open_pool: Callable[[], WorkerPool]) -> None:
        """Take what is searched for, and what opens the pool of workers that build."""
        target, threads = settings.target, settings.threads
        self._settings = settings
        self._tvm_target = tvm.target.Target(resolve(target, threads))
        self._machine = machine_of(self._tvm_target)
        self._connector = Connector(target, threads, settings.farm, settings.cache_dir)
        self._connection: Connection | None = None
        toolchain = find_toolchain(target.toolchain)
        self._probe = build_probe(toolchain, settings.cache_dir)
        directory = settings.history
        libraries = directory / "libraries"
        libraries.mkdir(parents=True, exist_ok=True)
        self._builder = Builders(open_pool, settings.time_limit_s, target.toolchain, libraries)
        self._history = ms.database.JSONDatabase(
            str(directory / "workloads.json"), str(directory / "records.json")
        )
        self._searches: dict[str, _Search] = {}
        self._budget = 0
        self._trials = 0
        self._measured = False  # anything at all, since begun
        self._reason = ""  # why a candidate failed last

    def machine(self) -> Processor:
        """Return the machine that the templates see."""
        return self._machine

    def add(self, onnx_path: Path) -> int:
        """Add the kernels of a network; returns how many different ones there are by now."""
        imported = from_onnx(onnx.load(onnx_path), keep_params_in_input=False)
        settings = self._settings
        fused = pipeline.fuse(imported, settings.target, self._tvm_target, settings.precision)
        for name, calls in kernel_calls(fused["main"]).items():
            task = task_of(fused[name], self._machine)
            if task is not None:
                self._searches.setdefault(task.key, _Search(task)).weight += calls
        return len(self._searches)

    def begin(self, trials: int) -> int:
        """Set the budget to so many trials a kernel; returns how many were made before."""
        for search in self._searches.values():
            self._recall(search)
        self._trials = sum(len(search.seconds) for search in self._searches.values())
        choices = sum(
            min(trials, len(tiles(search.task, self._machine)))
            for search in self._searches.values()
        )
        self._budget = max(choices, self._trials)
        self._per_task = trials
        return self._trials

    def step(self) -> SearchStep | None:
        """Measure a batch; None when the budget is spent."""
        waiting = [one for one in self._searches.values() if not one.exhausted]
        if self._trials < self._budget and waiting:
            return self._search(max(waiting, key=_Search.stake))
        return None

    def entries(self) -> list[Entry]:
        """Return the best tile of every kernel whose default tile could be measured."""
        return [
            one.entry(self._settings.threads, self._machine)
            for one in self._searches.values()
            if one.good()
        ]

    def close(self) -> None:
        """End the processes that were started."""
        self._builder.close()
        if self._connection:
            self._connection.close()
        self._connector.close()

    def _recall(self, search: _Search) -> None:
        """Read a task's former measurements from the history."""
        module = _module(search.task)
        if self._history.has_workload(module):
            workload = self._history.commit_workload(module)
            for record in self._history.get_top_k(workload, 10**6):
                search.seconds[tile_number(record.trace)] = median_seconds(record.run_secs)

    def _search(self, search: _Search) -> SearchStep:
        if search.context is None:
            search.context = self._context(search.task)
            search.context.pre_tuning(self._per_task, BATCH, database=self._history)
        context = search.context
        candidates = context.generate_measure_candidates()
        search.batches += 1
        if candidates is None:
            search.exhausted = True
            context.post_tuning()
        else:
            measured = self._measure(candidates, self._runner())
            self._measured = self._measured or any(measured)
            if not self._measured:
                raise BenchError(f"nothing can be measured; {search.task.title}: {self._reason}")
            workload = self._history.commit_workload(context.mod)
            for candidate, seconds in zip(candidates, measured, strict=True):
                record = ms.database.TuningRecord(
                    candidate.sch.trace,
                    workload,
                    seconds or [_FAILED],
                    self._tvm_target,
                    candidate.args_info,
                )
                self._history.commit_tuning_record(record)
                search.seconds[tile_number(candidate.sch.trace)] = median_seconds(record.run_secs)
            self._trials += len(candidates)
        return self._progress(search)

    def _context(self, task: Task) -> ms.TuneContext:
        return ms.TuneContext(
            _module(task),
            target=self._tvm_target,
            space_generator=design_space(task, self._machine),
            search_strategy=InOrder(),
            task_name=task.title,
        )

    def _measure(self, candidates: list[Any], runner: Any) -> list[list[float] | None]:
        """Build and time candidates of one task; None for one that failed."""
        modules = [tvm.ir.save_json(one.sch.mod) for one in candidates]
        built = self._builder.build(modules, tvm.ir.save_json(self._tvm_target))
        self._reason = next((str(one) for one in built if isinstance(one, Exception)), self._reason)
        good = {number: one for number, one in enumerate(built) if isinstance(one, Path)}
        inputs = [
            ms.runner.RunnerInput(str(library), "llvm", list(candidates[number].args_info))
            for number, library in good.items()
        ]
        times: list[list[float] | None] = [None] * len(candidates)
        for number, future in zip(good, runner.run(inputs) if inputs else [], strict=True):
            seconds = future.result().run_secs
            self._reason = future.result().error_msg or self._reason
            times[number] = None if seconds is None else [float(second) for second in seconds]
        for library in good.values():
            library.unlink()
        return times

    def _runner(self) -> Any:
        return InterleavedRunner(self._connect, pipeline.kernel_entry(self._machine))

    def _connect(self) -> tuple[Any, Any]:
        """Open a session in place of the last one, and wait until the device is cool."""
        if self._connection:
            self._connection.close()
            self._connection = None
        self._connector.wait()
        self._connection = self._connector.connect()
        device = Device(self._connection, self._probe)
        device.set_threads(self._settings.threads, self._settings.target.cores)
        cool_down(self._settings.target, device.temperature_c)
        return device.session, device.tvm_device(self._settings.target)

    def _progress(self, search: _Search) -> SearchStep:
        best = min(search.seconds.values(), default=None)
        default = search.seconds.get(0)
        return SearchStep(
            search.task.title,
            self._trials,
            self._budget,
            best * 1e6 if best is not None else None,
            default * 1e6 if default is not None else None,
        )


def _module(task: Task) -> tvm.IRModule:
    return tvm.IRModule({"main": task.function.with_attr("global_symbol", "main")})
