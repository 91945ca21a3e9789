from pathlib import Path

import numpy as np
import onnx
import pytest

from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.quantization.input_bytes import bytes_of, input_scale, numbers_of
from mobilebench.bench.quantization.reference import infer


def test_bytes_of_an_input_say_all_that_the_network_sees(quantized: OnnxModel) -> None:
    scale = input_scale(quantized.onnx_path)
    assert scale
    inputs, (answers,) = quantized.reference()
    seen = numbers_of(bytes_of(inputs, *scale), *scale)
    assert np.abs(seen - inputs).max() > 0
    np.testing.assert_array_equal(bytes_of(seen, *scale), bytes_of(inputs, *scale))
    np.testing.assert_array_equal(infer(quantized.onnx_path, seen)[0], answers)


def test_numbers_beyond_the_bytes_are_the_nearest() -> None:
    found = bytes_of(np.array([-9, -0.5, 0, 0.24, 0.26, 200], np.float32), 0.5, 3)
    assert found.tolist() == [0, 2, 3, 3, 4, 255]


@pytest.mark.parametrize("spoil", ["another user", "signed", "floats"])
def test_an_input_that_is_not_only_bytes_has_no_scale(
    quantized: OnnxModel, tmp_path: Path, spoil: str
) -> None:
    model = onnx.load(quantized.onnx_path)
    name = model.graph.input[0].name
    (first,) = (node for node in model.graph.node if name in node.input)
    if spoil == "another user":
        model.graph.node.append(onnx.helper.make_node("Relu", [name], ["other"]))
    elif spoil == "signed":
        (zero,) = (one for one in model.graph.initializer if one.name == first.input[2])
        zero.CopyFrom(onnx.numpy_helper.from_array(np.int8(0), zero.name))
    else:
        first.op_type = "Relu"
    onnx.save(model, tmp_path / "model.onnx")
    assert input_scale(tmp_path / "model.onnx") is None
