"""Outputs that are too far from the reference's in 8 bits, and layers that agree or do not."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.config.effort import find_effort
from mobilebench.bench.measure.attempt import Attempt
from mobilebench.bench.measure.cell import CellInputs, _CellMeasurement
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.layers import LayerCheck
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.outputs import Reference
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.bench.runtimes.runtime import TVM, Workload
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.errors import BenchError

TINY = parse_variant("mobilenet_v2_0.35_32")
NATIVE = find_target("native")
SHIFT = np.ones((2, 3, 4, 4), np.float32)


class Device:
    """Answers as the process of TVM does, with outputs twice as large as the reference's."""

    def __init__(self) -> None:
        self.loaded: list[Path | None] = []

    def call(self, runtime: str, method: str, *arguments: Any) -> Any:
        assert runtime == TVM
        if method == "load":
            self.loaded.append(arguments[0].library)
            return None
        return (2 * np.ones((len(arguments[0]), 10), np.float32),)


def compared(layers: Any) -> tuple[Attempt, Device]:
    """Return what is said of a network in 8 bits that a device has computed."""
    float_outputs = (np.ones((2, 10), np.float32),)
    workload = Workload(TINY, Weights(), Path(), library=Path("own.so"), precision="int8")
    inputs = CellInputs(
        (TVM,), workload, Reference(SHIFT, float_outputs), float_outputs, layers=layers
    )
    config = MeasurementConfig(NATIVE, 1, 9.0, Path(), None, find_effort("quick"))
    device = Device()
    processes: Any = device
    cell = _CellMeasurement(config, inputs, processes)
    cell._compare(cell.attempts[0])
    return cell.attempts[0], device


def answering(layer: str) -> Any:
    def disagreement(image: Any, infer: Any) -> str:
        assert image.shape == (1, 3, 4, 4)
        watched: Any = SimpleNamespace(library=Path("watched.so"), params_path=None)
        assert infer(watched, image)[0].shape == (1, 10)
        return layer

    return SimpleNamespace(disagreement=disagreement)


def test_outputs_that_are_too_far_are_right_if_every_layer_agrees() -> None:
    attempt, device = compared(answering(""))
    assert (attempt.status, attempt.error) == ("ok", "")
    assert "relative L2 error 1 against PyTorch is above 0.2, but each layer" in attempt.remarks[0]
    assert device.loaded == [Path("watched.so"), Path("own.so")]


def test_a_layer_that_differs_is_named() -> None:
    attempt, _ = compared(answering("conv_7"))
    assert attempt.status == "wrong"
    assert attempt.error.endswith("is above 0.2; the first layer that differs is conv_7")


def test_layers_that_cannot_be_built_leave_the_network_wrong() -> None:
    def disagreement(*_all: Any) -> str:
        raise BenchError("no compiler")

    attempt, _ = compared(SimpleNamespace(disagreement=disagreement))
    assert attempt.status == "wrong"
    assert attempt.remarks == ["layers were not compared: no compiler"]
    assert compared(None)[0].status == "wrong"


@pytest.mark.slow
def test_the_layers_of_a_network_that_is_compiled_agree(cache_dir: Path) -> None:
    weights = Weights()
    with BuildService(cache_dir, 600.0) as service:
        model: OnnxModel = service.network(TINY, weights, "int8", Calibration())
        check = LayerCheck(service, model, BuildOptions(NATIVE, precision="int8"))
        config = MeasurementConfig(NATIVE, 1, 600.0, cache_dir, None, find_effort("quick"))
        workload = Workload(TINY, weights, model.onnx_path, precision="int8")

        def infer(artifact: Any, image: Any) -> Any:
            from mobilebench.bench.measure.sessions import open_device

            device, _ = open_device(config)
            with device:
                own = replace(workload, library=artifact.library)
                device.call("load", own, 1, timeout_s=600)
                return device.call("infer", image, timeout_s=600)

        image = model.reference()[0][:1]
        assert check.disagreement(image, infer) == ""
        assert check.disagreement(image, lambda one, it: infer(one, -it)) != ""
