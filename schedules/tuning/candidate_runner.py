"""Candidates of a search, timed on a device through RPC."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm.ir.utils import derived_object
from tvm.rpc.base import RPC_SESS_MASK
from tvm.s_tir import meta_schedule as ms

from mobilebench.targets.devices.probe import SETTLE

_ROUNDS = 3
_ROUND_S = 0.006  # that a candidate is measured for in each round, about
_FEWEST, _MOST = 4, 60  # samples in a round

Connect = Callable[[], tuple[Any, Any]]
"""Opens a fresh session and returns it with TVM's handle of the processor to use."""


@derived_object
class InterleavedRunner(ms.runner.PyRunner):
    """Times the candidates of a batch in turns, so that a noisy moment meets them all.

    On a CPU the caches are settled before each sample as a network would leave them: the weights
    not near, the input near. Each batch has a session of its own, which takes a crash with it.
    """

    def __init__(self, connect: Connect, entry: str) -> None:
        """Take what opens sessions, and the kernel's name in its library."""
        super().__init__()
        self._entry = entry
        self._connect = connect
        self._random = np.random.default_rng(0)

    def run(self, runner_inputs: list[Any]) -> list[Any]:
        """Time a batch, whose candidates all have the same arguments."""
        paths = [Path(one.artifact_path) for one in runner_inputs]
        arguments = (
            [
                self._random.standard_normal(tuple(one.shape), np.float32).astype(str(one.dtype))
                for one in runner_inputs[0].args_info
            ]
            if runner_inputs
            else []
        )
        return [_Done(result) for result in self._measure(paths, arguments)]

    def _measure(self, paths: list[Path], arrays: list[Any]) -> list[Any]:
        """Return each one's samples, or why there are none; one that crashes spoils only itself."""
        try:
            return [_result(seconds) for seconds in self._in_turns(paths, arrays)]
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
        # Not before the error is gone, which holds the session that it came from.
        if len(paths) == 1:
            return [ms.runner.RunnerResult(None, lines[-1])]
        return [self._measure([path], arrays)[0] for path in paths]

    def _in_turns(self, paths: list[Path], arrays: list[Any]) -> list[list[float]]:
        session, device = self._connect()
        arguments = [tvm.runtime.tensor(array, device) for array in arrays]
        kernels = []
        for path in paths:
            session.upload(str(path))
            kernels.append((session.load_module(path.name), self._entry))
        first = [_time(kernel, device, arguments, 2) for kernel in kernels]
        samples = [int(np.clip(_ROUND_S / min(times), _FEWEST, _MOST)) for times in first]
        found: list[list[float]] = [[] for _ in kernels]
        for _ in range(_ROUNDS):
            for seconds, kernel, count in zip(found, kernels, samples, strict=True):
                seconds.extend(_time(kernel, device, arguments, count))
        return found


@derived_object
class _Done(ms.runner.PyRunnerFuture):
    def __init__(self, result: Any) -> None:
        super().__init__()
        self._result = result

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        return self._result


def median_seconds(run_secs: Any) -> float:
    """Return the median of a record's samples."""
    return statistics.median(float(second) for second in run_secs)


def _time(kernel: tuple[Any, str], device: Any, arguments: list[Any], samples: int) -> list[float]:
    library, entry = kernel
    timer = library.time_evaluator(
        entry, device, number=1, repeat=samples, f_preproc=SETTLE if _is_cpu(device) else ""
    )
    return list(timer(*arguments).results)


def _is_cpu(device: Any) -> bool:
    kind = device.dlpack_device_type() % RPC_SESS_MASK  # what is above is the session
    return bool(kind == tvm.cpu().dlpack_device_type())


def _result(seconds: list[float]) -> ms.runner.RunnerResult:
    return ms.runner.RunnerResult(seconds, None)
