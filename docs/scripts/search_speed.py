"""How many candidates a second are built and measured, here and by MetaSchedule's own workers.

    python docs/scripts/search_speed.py

Both take the same candidates of one kernel on this machine: all tiles of a pointwise convolution.
"""

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import tvm
from tvm import te
from tvm.s_tir import meta_schedule as ms

from mobilebench.bench.cache import cache_directory
from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.pointwise import compute
from mobilebench.schedules.templates.cpu.pointwise import pack
from mobilebench.schedules.templates.space import design_space
from mobilebench.schedules.templates.task import task_of
from mobilebench.schedules.tuning.candidates import BUILDER
from mobilebench.schedules.tuning.search_settings import SearchSettings
from mobilebench.schedules.tuning.tuner import Tuner
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.processes.worker import WITHOUT_TORCH
from mobilebench.targets.processes.worker_pool import LocalWorkerPool

HEIGHT, WIDTH, INPUTS, OUTPUTS = 14, 14, 96, 576


def main() -> None:
    """Print both rates and their ratio."""
    packed = pack(np.zeros((INPUTS, OUTPUTS), np.float32), Machine(16, 32))
    data = te.placeholder((1, HEIGHT, WIDTH, INPUTS), "float32", name="data")
    weight = te.placeholder(packed.shape, "float32", name="weight")
    function = te.create_prim_func([data, weight, compute(data, weight, OUTPUTS)])
    module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    with tempfile.TemporaryDirectory() as directory:
        settings = SearchSettings(
            find_target("native"), 1, "float32", cache_directory(), Path(directory), 300
        )
        tuner = Tuner(settings, partial(LocalWorkerPool, 2, {BUILDER: WITHOUT_TORCH}))
        target = tuner._tvm_target
        spaces = design_space(
            task_of(function, tuner.machine()), tuner.machine()
        ).generate_design_space(module)
        arguments = ms.arg_info.ArgInfo.from_entry_func(module, remove_preproc=False)
        candidates = [ms.MeasureCandidate(space, arguments) for space in spaces]
        tuner._measure(candidates[:2], tuner._runner())  # workers are up
        start = time.perf_counter()
        good = sum(times is not None for times in tuner._measure(candidates, tuner._runner()))
        ours = good / (time.perf_counter() - start)
        tuner.close()
        print(f"kept workers: {good} of {len(candidates)} candidates, {ours:.2f} a second")

    builder = ms.builder.LocalBuilder(max_workers=2, timeout_sec=300)
    runner = ms.runner.LocalRunner(timeout_sec=300)
    start = time.perf_counter()
    built = builder.build([ms.builder.BuilderInput(one.sch.mod, target) for one in candidates])
    inputs = [
        ms.runner.RunnerInput(one.artifact_path, "cpu", arguments)
        for one in built
        if one.error_msg is None
    ]
    measured = [one.result() for one in runner.run(inputs)]
    good = sum(one.run_secs is not None for one in measured)
    theirs = good / (time.perf_counter() - start)
    for one in (*built, *measured):
        if one.error_msg is not None:
            print(one.error_msg.strip().splitlines()[-1])
            break
    print(f"LocalBuilder and LocalRunner: {good} of {len(candidates)}, {theirs:.2f} a second")
    print(f"ratio: {ours / theirs if theirs else float('inf'):.1f}")


if __name__ == "__main__":
    main()
