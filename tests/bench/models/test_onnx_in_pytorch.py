"""ONNX operators in PyTorch compute what ONNX's own reference implementation does."""

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mobilebench.bench.models.onnx_in_pytorch.network import Network, unknown_operators
from mobilebench.targets.errors import BenchError

IMAGE = (1, 4, 7, 9)
HALVED = np.array([1, 1, 0.5, 0.5], np.float32)
Case = tuple[str, list[Any], dict[str, Any]]


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


CASES: list[Case] = [
    *((kind, [], {}) for kind in ("Relu", "HardSwish", "Sigmoid", "Softplus", "Erf", "Neg")),
    ("HardSigmoid", [], {"alpha": 0.25, "beta": 0.4}),
    ("LeakyRelu", [], {"alpha": 0.2}),
    ("Elu", [], {"alpha": 0.7}),
    ("Clip", [np.float32(-0.5), np.float32(0.25)], {}),
    ("PRelu", [numbers(4, 1, 1)], {}),
    ("Pow", [np.float32(2)], {}),
    ("Div", [numbers(4, 1, 1)], {}),
    ("Gelu", [], {}),
    ("Conv", [numbers(6, 2, 3, 3)], {"group": 2, "pads": [0, 1, 2, 1], "strides": [2, 1]}),
    ("Conv", [numbers(6, 4, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Conv", [numbers(6, 4, 3, 3)], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("Conv", [numbers(4, 1, 3, 3), numbers(4)], {"group": 4, "dilations": [2, 2]}),
    ("ConvTranspose", [numbers(4, 3, 3, 3)], {"strides": [2, 2], "pads": [1, 1, 0, 1]}),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1}),
    ("GlobalAveragePool", [], {}),
    ("GlobalMaxPool", [], {}),
    ("BatchNormalization", [numbers(4), numbers(4), numbers(4), abs(numbers(4))], {}),
    ("LayerNormalization", [numbers(7, 9), numbers(7, 9)], {"axis": 2}),
    ("ReduceMean", [whole(2, 3)], {"keepdims": 0}),
    ("ReduceMax", [whole(1)], {}),
    ("ReduceSum", [], {}),
    ("Softmax", [], {"axis": 1}),
    ("LogSoftmax", [], {"axis": -1}),
    ("ArgMax", [], {"axis": 1, "keepdims": 0}),
    ("Flatten", [], {"axis": 2}),
    ("Reshape", [whole(0, -1, 3)], {}),
    ("Transpose", [], {"perm": [0, 2, 3, 1]}),
    ("Transpose", [], {}),
    ("Squeeze", [whole(0)], {}),
    ("Unsqueeze", [whole(0, -1)], {}),
    ("Slice", [whole(1, -1), whole(3, -9), whole(1, 3), whole(1, -2)], {}),
    ("Gather", [whole(2, -1)], {"axis": 2}),
    ("Gather", [np.array(-2)], {"axis": 2}),
    ("Pad", [whole(0, 0, 1, 2, 0, 0, 0, 1), np.float32(1.5)], {}),
    ("Pad", [whole(0, 0, 1, 2, 0, 0, 0, 1)], {"mode": "reflect"}),
    ("Tile", [whole(1, 2, 1, 1)], {}),
    ("Expand", [whole(2, 4, 7, 9)], {}),
    ("SpaceToDepth", [], {"blocksize": 1}),
    ("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"}),
    ("DepthToSpace", [], {"blocksize": 2}),
    ("Resize", ["", "", whole(1, 4, 14, 20)], {"mode": "linear"}),
    (
        "Resize",
        ["", np.array([1, 1, 2, 2], np.float32)],
        {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        },
    ),
    ("Resize", ["", np.array([1, 1, 1.37, 2.2], np.float32)], {"mode": "linear"}),
    ("QuantizeLinear", [np.float32(0.1), np.uint8(128)], {}),
    ("Identity", [], {}),
    ("Cast", [], {"to": TensorProto.INT32}),
]


def model_of(case: Case, opset: int) -> onnx.ModelProto:
    kind, others, attributes = case
    weights = {f"w{at}": one for at, one in enumerate(others) if not isinstance(one, str)}
    names = [one if isinstance(one, str) else f"w{at}" for at, one in enumerate(others)]
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", *names], ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, IMAGE)],
        [helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)],
        [numpy_helper.from_array(np.asarray(one), name) for name, one in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {sorted(case[2])}")
def test_operators_compute_what_onnx_says(case: Case) -> None:
    data = numbers(*IMAGE, seed=0)
    model = model_of(case, 20)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": data})
    (found,) = Network(model.graph, 20, torch.float32)(torch.from_numpy(data))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_softmax_before_opset_13_is_over_all_that_follows() -> None:
    data = numbers(*IMAGE, seed=0)
    model = model_of(("Softmax", [], {"axis": 1}), 11)
    (found,) = Network(model.graph, 11, torch.float32)(torch.from_numpy(data))
    assert found.sum().item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (("GridSample", [], {}), "operator GridSample is not known"),
        (("Resize", ["", HALVED], {"mode": "nearest"}), "Resize nearest, half_pixel is not known"),
        (("Resize", ["", HALVED], {"mode": "linear", "antialias": 1}), "Resize linear, half_pixel"),
        (("Resize", ["", HALVED], {"mode": "cubic", "exclude_outside": 1}), "Resize cubic, half_"),
        (
            (
                "Resize",
                ["", "", whole(1, 4, 14, 14)],
                {"mode": "linear", "keep_aspect_ratio_policy": "not_larger"},
            ),
            "Resize linear, half_pixel is not known",
        ),
        (("Resize", ["", HALVED[::-1].copy()], {"mode": "linear"}), "Resize linear, half_pixel"),
        (
            (
                "Resize",
                ["", "", whole(1, 4, 1, 3)],
                {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
            ),
            "Resize to one pixel is not known",
        ),
        (("Resize", [], {"mode": "linear"}), "Resize has neither sizes nor scales"),
        (("Conv", [numbers(6, 3, 3, 3)], {}), "this kind of Conv is not known"),
        (("DequantizeLinear", [numbers(1, 4, 7, 3)], {"block_size": 3}), "by blocks is not known"),
        (("QuantizeLinear", [np.float32(1)], {"output_dtype": 3}), "output_dtype is not known"),
        (("Add", [np.zeros(3, ml_dtypes.int4)], {}), "the type int4 is not known"),
        (("ArgMax", [], {"select_last_index": 1}), "of the last of equal ones is not known"),
    ],
)
def test_what_is_not_known_is_named(case: Case, reason: str) -> None:
    model = model_of(case, 20)
    with pytest.raises(BenchError, match=reason):
        Network(model.graph, 20, torch.float32)(torch.zeros(IMAGE))


def test_a_second_output_that_is_read_is_not_known() -> None:
    node = helper.make_node("MaxPool", ["x"], ["y", "at"], kernel_shape=[2, 2])
    outputs = [helper.make_tensor_value_info(one, TensorProto.FLOAT, None) for one in ("y", "at")]
    assert unknown_operators(helper.make_graph([node], "g", [], outputs[:1])) == []
    assert unknown_operators(helper.make_graph([node], "g", [], outputs)) == [
        "MaxPool with 2 outputs"
    ]
