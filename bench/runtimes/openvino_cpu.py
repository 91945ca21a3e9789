"""OpenVINO's CPU plug-in on the same ONNX file, at int8 on the faster of two graphs."""

import json
import os
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import openvino

from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.in_process import InProcessRuntime
from mobilebench.bench.runtimes.model_files import NARROW_NOTE
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.bench.runtimes.saturation import write_narrow

QDQ, NNCF = "the quantized ONNX file", "NNCF's graph"
_NNCF_FILE, _CHOICE = "nncf.xml", "choice.json"
_ROUNDS, _WARM_UP_S, _SAMPLES = 5, 0.5, 20


def quantize(workload: Workload, directory: Path, cache_dir: Path) -> None:
    """Write which graph is the faster one in 8 bits, measured once on one thread.

    Either what every runtime is given, with weights of 7 bits where those of 8 would saturate, or,
    where NNCF is installed, what it makes of the float32 network with the same calibration.
    """
    graphs = {QDQ: workload.onnx_path}
    if workload.saturates:
        graphs[QDQ] = write_narrow(workload, directory, cache_dir)
    if _has_nncf():
        _quantize_with_nncf(workload, directory / _NNCF_FILE)
        graphs[NNCF] = directory / _NNCF_FILE
    latencies_ms = _race(graphs, workload) if len(graphs) > 1 else {QDQ: 0.0}
    (directory / _CHOICE).write_text(json.dumps(latencies_ms))


def _race(graphs: dict[str, Path], workload: Workload) -> dict[str, float]:
    """Return the median latency of each graph in milliseconds, measured in turns."""
    timed = {name: _Timed(path, workload) for name, path in graphs.items()}
    for one in timed.values():
        one.warm_up(_WARM_UP_S)
    rounds = [
        {name: median(one.time(_SAMPLES)) for name, one in timed.items()} for _ in range(_ROUNDS)
    ]
    return {name: median(one[name] for one in rounds) for name in graphs}


def _has_nncf() -> bool:
    try:
        version("nncf")
    except PackageNotFoundError:
        return False
    return True


def _quantize_with_nncf(workload: Workload, path: Path) -> None:
    os.environ["NNCF_CI"] = "1"  # before it is imported: it reports its use otherwise
    import nncf

    assert workload.float_onnx_path
    inputs = list(workload.calibration_inputs())
    model = openvino.Core().read_model(str(workload.float_onnx_path))
    fix = nncf.OverflowFix.ENABLE if workload.saturates else nncf.OverflowFix.FIRST_LAYER
    quantized = nncf.quantize(
        model,
        nncf.Dataset(inputs),
        subset_size=len(inputs),
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=fix),
    )
    openvino.save_model(quantized, str(path))


def _compile(path: Path, threads: int) -> Any:
    """Compile a model for this CPU, tuned for latency: one stream.

    What is not quantized stays in float32 even where the CPU has bfloat16, in which the plug-in
    would compute by itself.
    """
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    return openvino.Core().compile_model(str(path), "CPU", options)


class OpenVino(InProcessRuntime):
    """The compiled model, at int8 of the graph that `quantize` has found to be faster."""

    def prepare(self, workload: Workload, threads: int) -> None:
        """Compile the model for this CPU."""
        path, self._graph = workload.onnx_path, ""
        if workload.converted:
            latencies_ms = json.loads((workload.converted / _CHOICE).read_text())
            chosen = min(latencies_ms, key=latencies_ms.__getitem__)
            narrow = workload.files.narrow_path
            path = workload.converted / _NNCF_FILE if chosen == NNCF else narrow or path
            self._graph = _in_words(chosen, latencies_ms)
            if narrow:
                self._graph += f"; {NARROW_NOTE}"
        self._open(path, workload, threads)

    def _open(self, path: Path, workload: Workload, threads: int) -> None:
        self._batch = workload.batch
        self._compiled = _compile(path, threads)
        self._request = self._compiled.create_infer_request()
        self._input = np.zeros(workload.input_shape, np.float32)
        self._request.set_input_tensor(openvino.Tensor(self._input, shared_memory=True))

    def set_input(self, image: Floats) -> None:
        """Put one input of shape (1, 3, H, W) in place."""
        self._input[:] = image

    def run(self) -> Outputs:
        """Run one inference."""
        self._request.infer()
        return tuple(tensor.data for tensor in self._request.output_tensors)

    def notes(self) -> str:
        """Tell which graph was chosen, and which of the plug-in's kernels run it."""
        operators = self._compiled.get_runtime_model().get_ops()
        named = Counter(str(op.get_rt_info()["primitiveType"].value) for op in operators)
        kernels = [
            f"{count} {name}" for name, count in named.most_common() if not name.startswith("unkn")
        ]
        return "; ".join(filter(None, (self._graph, f"kernels: {', '.join(kernels)}")))


class _Timed(OpenVino):
    """A graph whose latency is compared."""

    def __init__(self, path: Path, workload: Workload) -> None:
        super().__init__()
        self._graph = ""
        self._open(path, workload, threads=1)


def _in_words(chosen: str, latencies_ms: dict[str, float]) -> str:
    if len(latencies_ms) == 1:
        return f"from {chosen}; NNCF is not installed"
    times = " and ".join(f"{ms:.2f} ms from {name}" for name, ms in latencies_ms.items())
    return f"from {chosen}: measured once, {times}"
