from typing import Any

import numpy as np
import pytest
import torch

from tests.schedules.passes.run_pass import run_pass


class Joined(torch.nn.Module):
    """A pointwise convolution of two maps, and of what is the same everywhere."""

    def __init__(self, kernel: int = 1) -> None:
        super().__init__()
        self.left = torch.nn.Conv2d(4, 6, 3, padding=1)
        self.right = torch.nn.Conv2d(4, 5, 3, padding=1)
        self.join = torch.nn.Conv2d(15, 8, kernel, padding=kernel // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = x.mean([2, 3], keepdim=True).expand(-1, -1, *x.shape[2:])
        return self.join(torch.cat([pooled, self.left(x), self.right(x)], 1))


def imported(model: torch.nn.Module, tmp_path: Any) -> Any:
    import onnx
    from tvm.relax.frontend.onnx import from_onnx

    path = tmp_path / "model.onnx"
    torch.onnx.export(model.eval(), (torch.zeros(1, 4, 7, 9),), path, dynamo=True, verbose=False)
    return from_onnx(onnx.load(path), keep_params_in_input=False)


def infer(module: Any, x: np.ndarray) -> np.ndarray:
    import tvm
    from tvm.runtime import vm

    machine = vm.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    found: np.ndarray = machine["main"](tvm.runtime.tensor(x)).numpy()
    return found


def shapes(module: Any, operator: str) -> list[tuple[int, ...]]:
    """Return the shapes of what an operator makes, in order."""
    from tvm import relax
    from tvm.ir import Op

    found = []

    def visit(expression: Any) -> None:
        if isinstance(expression, relax.Call) and expression.op == Op.get(operator):
            found.append(tuple(int(size) for size in expression.ty.shape))

    relax.analysis.post_order_visit(module["main"], visit)
    return found


def test_concatenated_parts_are_convolved_separately_and_broadcast_ones_once(tmp_path: Any) -> None:
    from mobilebench.schedules.passes.split_concat import SplitConcat

    module = imported(Joined(), tmp_path)
    split = run_pass(SplitConcat(), module)
    assert shapes(split, "relax.concat") == []
    of_parts = [shape for shape in shapes(split, "relax.nn.conv2d") if shape[1] == 8]
    assert sorted(of_parts) == [(1, 8, 1, 1), (1, 8, 7, 9), (1, 8, 7, 9)]
    x = np.random.default_rng(0).standard_normal((1, 4, 7, 9), np.float32)
    np.testing.assert_allclose(infer(split, x), infer(module, x), rtol=1e-4, atol=1e-5)


def test_a_larger_window_over_concatenated_channels_is_left_alone(tmp_path: Any) -> None:
    from mobilebench.schedules.passes.split_concat import SplitConcat

    assert len(shapes(run_pass(SplitConcat(), imported(Joined(3), tmp_path)), "relax.concat")) == 1


@pytest.mark.parametrize("size", [33, pytest.param(65, marks=pytest.mark.slow)])
def test_deeplab_head_has_no_concatenation_left(cache_dir: Any, size: int) -> None:
    import onnx
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.bench.models.onnx_export import to_onnx
    from mobilebench.bench.models.variant import parse_variant
    from mobilebench.bench.models.weights import Weights
    from mobilebench.schedules.passes.split_concat import SplitConcat

    variant = parse_variant(f"deeplabv3_mobilenet_v2_0.35_{size}")
    model = onnx.load(to_onnx(variant, Weights(), cache_dir).onnx_path)
    module = run_pass(SplitConcat(), from_onnx(model, keep_params_in_input=False))
    assert shapes(module, "relax.concat") == []
