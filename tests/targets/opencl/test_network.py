from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.measure.fidelity import compare
from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from tests.targets.opencl.kernels import TARGET


@pytest.mark.slow
def test_a_whole_network_computes_what_pytorch_computes(
    session: Any, device: Any, cache_dir: Path, tmp_path: Path
) -> None:
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    exported = to_onnx(parse_variant("mobilenet_v2_0.35_96"), Weights(), cache_dir)
    module = from_onnx(onnx.load(exported.onnx_path), keep_params_in_input=False)
    tvm.compile(module, target=TARGET).export_library(str(tmp_path / "network.so"))
    session.upload(str(tmp_path / "network.so"))
    machine = relax.VirtualMachine(session.load_module("network.so"), device)
    inputs, reference = exported.reference()
    outputs = []
    for one in inputs:
        machine.set_input("main", tvm.runtime.tensor(one[None], device))
        machine.invoke_stateful("main")
        outputs.append(machine.get_outputs("main").numpy())
    fidelity = compare((np.concatenate(outputs),), reference)
    assert fidelity.relative_l2_error < 1e-5
    assert fidelity.top1_agreement == 1.0
