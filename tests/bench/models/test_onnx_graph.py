from pathlib import Path

import numpy as np
import pytest

from mobilebench.bench.models.onnx_graph import CONVOLUTION, DEPTHWISE, POINTWISE, read_graph
from mobilebench.targets.errors import BenchError
from tests.bench.networks import Network


def test_kinds_of_convolutions_are_distinguished(tmp_path: Path) -> None:
    network = Network(4, 8, 8)
    wide = network.convolution("input", 4, 16, taps=3)
    filtered = network.convolution(wide, 16, 16, taps=3, groups=16)
    narrow = network.convolution(filtered, 16, 4)
    one = network.convolution(narrow, 4, 1)
    grouped = network.convolution(network.convolution(one, 1, 8), 8, 8, taps=3, groups=2)
    graph = read_graph(network.save(tmp_path / "model.onnx", grouped))
    kinds = [operator.kind for operator in graph.operators]
    assert kinds == [CONVOLUTION, DEPTHWISE, POINTWISE, POINTWISE, POINTWISE, CONVOLUTION]


def test_an_activation_is_part_of_the_convolution_before_it(tmp_path: Path) -> None:
    network = Network(4, 8, 8)
    activated = network.relu6(network.convolution("input", 4, 16))
    last = network.convolution(activated, 16, 4)
    graph = read_graph(network.save(tmp_path / "model.onnx", last))
    assert [(one.kind, one.activated) for one in graph.operators] == [
        (POINTWISE, True),
        (POINTWISE, False),
    ]
    assert set(graph.tensors) == {"input", activated, last}


def test_an_activation_is_not_fused_if_its_input_is_read_again(tmp_path: Path) -> None:
    network = Network(4, 8, 8)
    linear = network.convolution("input", 4, 4)
    total = network.layer("Add", [linear, network.relu6(linear)])
    graph = read_graph(network.save(tmp_path / "model.onnx", total))
    assert [one.kind for one in graph.operators] == [POINTWISE, "Clip", "Add"]
    assert graph.tensors[linear].readers == (1, 2)


def test_an_activation_is_not_fused_if_its_input_is_an_output(tmp_path: Path) -> None:
    network = Network(4, 8, 8)
    linear = network.convolution("input", 4, 4)
    activated = network.relu6(linear)
    graph = read_graph(network.save(tmp_path / "model.onnx", linear, activated))
    assert [one.kind for one in graph.operators] == [POINTWISE, "Clip"]
    assert graph.tensors[linear].is_output
    assert graph.tensors[activated].is_output


def test_a_tensor_knows_who_writes_and_reads_it(tmp_path: Path) -> None:
    network = Network(4, 8, 6)
    first = network.convolution("input", 4, 16)
    second = network.convolution(first, 16, 16)
    total = network.layer("Add", [first, second])
    tensors = read_graph(network.save(tmp_path / "model.onnx", total)).tensors
    assert (tensors["input"].writer, tensors["input"].readers) == (None, (0,))
    assert (tensors[first].writer, tensors[first].readers) == (0, (1, 2))
    assert [name for name, one in tensors.items() if one.is_inside] == [first, second]
    assert (tensors[first].grid, tensors[first].elements) == ((8, 6), 16 * 8 * 6)


def test_other_shapes_of_the_same_memory_are_one_tensor(tmp_path: Path) -> None:
    network = Network(4, 8, 8)
    predicted = network.convolution("input", 4, 12)
    nhwc = network.layer("Transpose", [predicted], perm=[0, 2, 3, 1])
    shape = network.weight(np.array([1, -1, 4], np.int64))
    boxes = network.layer("Reshape", [nhwc, shape])
    both = network.layer("Concat", [boxes, boxes], axis=1)
    graph = read_graph(network.save(tmp_path / "model.onnx", both))
    assert [one.kind for one in graph.operators] == [POINTWISE, "Concat"]
    assert graph.operators[1].reads == (predicted, predicted)
    assert graph.tensors[predicted].readers == (1,)
    assert graph.tensors[both].grid is None


def test_other_transposes_are_operators(tmp_path: Path) -> None:
    network = Network(4, 8, 8)
    turned = network.layer("Transpose", ["input"], perm=[0, 1, 3, 2])
    graph = read_graph(network.save(tmp_path / "model.onnx", turned))
    assert [one.kind for one in graph.operators] == ["Transpose"]


def test_tensors_computed_from_weights_alone_are_weights(tmp_path: Path) -> None:
    network = Network(4, 8, 8)
    scale = network.layer("Exp", [network.weight(np.ones((1, 4, 1, 1), np.float32))])
    scaled = network.layer("Mul", ["input", scale])
    graph = read_graph(network.save(tmp_path / "model.onnx", scaled))
    assert [(one.kind, one.reads) for one in graph.operators] == [("Mul", ("input",))]


def test_shapes_that_depend_on_the_data_are_refused(tmp_path: Path) -> None:
    network = Network(4, 8, 8)
    found = network.layer("NonZero", ["input"])
    path = network.save(tmp_path / "model.onnx", network.layer("Cast", [found], to=1))
    with pytest.raises(BenchError, match=r"model\.onnx: the shape of 'nonzero0' is not known"):
        read_graph(path)


def test_a_file_that_is_no_network_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(BenchError, match=r"ONNX file .*model\.onnx") as refusal:
        read_graph(path)
    assert "\n" not in str(refusal.value)
