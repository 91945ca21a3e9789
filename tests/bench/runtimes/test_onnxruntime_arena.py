from pathlib import Path

import pytest

from mobilebench.bench.memory.activations import activations_of
from mobilebench.targets.processes.worker import Worker
from tests.bench.networks import Network
from tests.waiting import HANG_S

onnxruntime = pytest.importorskip("onnxruntime")


def chain(path: Path, height: int) -> Path:
    network = Network(16, height, 32)
    last = "input"
    for _ in range(6):
        last = network.relu6(network.convolution(last, 16, 16, taps=3))
    return network.save(path, last)


def measure(path: Path, height: int) -> tuple[int, int]:
    with Worker("mobilebench.bench.runtimes.onnxruntime_arena") as worker:
        use = worker.call("measure", path, (1, 16, height, 32), 1, timeout_s=HANG_S)
    return use.pattern_bytes, use.arena_bytes


def test_the_pattern_holds_the_working_set_and_not_every_tensor(tmp_path: Path) -> None:
    path = chain(tmp_path / "model.onnx", 32)
    needs = activations_of(path, "float32")
    pattern, arena = measure(path, 32)
    assert needs.working_set_bytes <= pattern < needs.total_bytes
    assert arena >= pattern


def test_twice_the_pixels_take_twice_the_block(tmp_path: Path) -> None:
    small, _ = measure(chain(tmp_path / "small.onnx", 32), 32)
    large, _ = measure(chain(tmp_path / "large.onnx", 64), 64)
    assert large == 2 * small
