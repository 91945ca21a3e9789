"""How often a device is asked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mobilebench.bench.config.effort import find_effort
from mobilebench.bench.measure.timing import time_kernels
from mobilebench.bench.runtimes.runtime import Workload


class Device:
    """Answers as a worker does whose network takes a microsecond."""

    def __init__(self) -> None:
        self.inferences: list[int] = []

    def call(self, method: str, *arguments: Any, timeout_s: float) -> Any:
        assert timeout_s > 0
        if method == "kernel_seconds":
            kernels, inferences = arguments
            self.inferences.append(inferences)
            return [[1e-6 * number for number in range(kernels)]] * inferences
        return 1e-3 if method == "warm_up" else None


def test_kernels_of_a_very_fast_network_are_timed_in_few_inferences() -> None:
    artifact: Any = SimpleNamespace(
        library=Path("net.so"), manifest=SimpleNamespace(kernels=[{}, {}, {}])
    )
    config: Any = SimpleNamespace(effort=find_effort("quick"), threads=1, time_limit_s=9.0)
    device: Any = Device()
    workload: Any = Workload(None, None, Path("net.onnx"))  # type: ignore[arg-type]
    assert time_kernels(device, config, workload, [artifact]) == [[0.0, 1.0, 2.0]]
    assert device.inferences == [1000] * 5
