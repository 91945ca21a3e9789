"""ONNX files in double precision."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mobilebench.bench.models.onnx_file import read_model
from mobilebench.bench.models.own_network import read_network
from tests.bench.models.own_files import convolution, write

KERNEL = convolution().astype(np.float64)
DOUBLE, FLOAT = TensorProto.DOUBLE, TensorProto.FLOAT
CONV = helper.make_node("Conv", ["d", "kernel"], ["c"], pads=[1, 1, 1, 1])


def cast(source: str, result: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], to=to)


@pytest.mark.parametrize("kinds", [(DOUBLE, DOUBLE), (FLOAT, FLOAT), (FLOAT, DOUBLE)])
def test_double_precision_becomes_float32(kinds: tuple[int, int], tmp_path: Path) -> None:
    import torch

    nodes = [cast("x", "d", DOUBLE), CONV, cast("c", "out", kinds[1])]
    path = write(tmp_path / "net.onnx", nodes, {"kernel": KERNEL}, kinds=kinds)
    model, _ = read_model(path)
    assert "DOUBLE" not in str(model)
    assert {one.data_type for one in model.graph.initializer} == {FLOAT}
    network = read_network(path, None, tmp_path)
    assert network.missing == ""
    (directory,) = (tmp_path / "onnx").iterdir()
    with np.load(directory / "reference.npz") as arrays:
        inputs, answers = (arrays[name] for name in arrays.files)
    data, kernel = torch.from_numpy(inputs.astype(np.float64)), torch.from_numpy(KERNEL)
    assert np.allclose(answers, torch.conv2d(data, kernel, padding=1).numpy(), atol=1e-5)


def test_numbers_beyond_float32_become_its_largest(tmp_path: Path) -> None:
    least = np.array([-1.7e308, -np.inf, 2.5])
    nodes = [cast("x", "d", DOUBLE), helper.make_node("Max", ["d", "least"], ["m"])]
    nodes.append(cast("m", "out", FLOAT))
    path = write(tmp_path / "net.onnx", nodes, {"least": least}, shape=(1, 3))
    model, _ = read_model(path)
    found = onnx.numpy_helper.to_array(model.graph.initializer[0])
    assert found.tolist() == [float(np.finfo(np.float32).min), -np.inf, 2.5]
