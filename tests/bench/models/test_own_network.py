"""An ONNX file of one's own: what is made of it, and what it is compared with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from mobilebench.bench.accuracy import classification
from mobilebench.bench.models.find_weights import assumed_of, check_takes_images, own_weights
from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.onnx_network import NHWC, OTHER, OnnxNetwork
from mobilebench.bench.models.outputs import top_class
from mobilebench.bench.models.own_network import read_network
from mobilebench.bench.models.size import size_of
from mobilebench.bench.models.variant import CLASSIFY, SEGMENT, parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.bench.models.own_files import channels_last, classifier, convolution, write

TINY = "mobilenet_v2_0.35_32"


def in_onnx_runtime(path: Path, inputs: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (name,) = (one.name for one in session.get_inputs())
    found = [session.run(None, {name: one[None]}) for one in inputs]
    return [np.concatenate(each) for each in zip(*found, strict=True)]


def assert_made(path: Path, network: OnnxNetwork, cache_dir: Path) -> None:
    """The reference is what the user's file computes, and so is what is compiled."""
    model = to_onnx(network, own_weights(network), cache_dir)
    inputs, outputs = model.reference()
    assert inputs.shape[1:] == network.input_shape[1:]
    assert [one.shape[1:] for one in outputs] == [shape[1:] for _, shape in network.outputs]
    for computed in (in_onnx_runtime(path, inputs), in_onnx_runtime(model.onnx_path, inputs)):
        for one, expected in zip(computed, outputs, strict=True):
            np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-5)


def test_a_classifier_says_what_it_is(tmp_path: Path) -> None:
    path = classifier(tmp_path / "my net.onnx")
    network = read_network(path, None, tmp_path)
    assert network.name == "my_net"
    assert (network.task, network.layout) == (CLASSIFY, "NCHW")
    assert (network.height, network.width, network.channels) == (16, 16, 3)
    assert outputs_of(network) == {"out": (1, 10)}
    assert network.labels == 10
    size = size_of(network)
    assert size.macs == 8 * 8 * 8 * 27 + 80
    assert size.params_count == 8 * 27 + 80
    assert size.largest_tensor_bytes == 4 * 3 * 16 * 16
    assert_made(path, network, tmp_path)
    assert own_weights(network).label == f"my net.onnx@{network.sha256[:12]}"


def test_channels_may_be_last_and_the_batch_open(tmp_path: Path) -> None:
    path = channels_last(tmp_path / "net.onnx")
    network = read_network(path, None, tmp_path)
    assert (network.input_shape, network.layout) == ((1, 16, 16, 3), NHWC)
    assert (network.height, network.width, network.channels) == (16, 16, 3)
    assert network.outputs == (("Identity_0", (1, 8)),)  # as a file may be called
    assert network.probabilities
    assert_made(path, network, tmp_path)


def test_a_size_that_is_given_is_part_of_the_name(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx", shape=("n", 3, "h", "w"))
    small, large = (read_network(path, (1, 3, side, 24), tmp_path) for side in (16, 32))
    assert (small.name, large.name) == ("net_1x3x16x24", "net_1x3x32x24")
    assert small.sha256 == large.sha256
    assert large.macs > small.macs
    assert_made(path, large, tmp_path)


def test_a_file_of_the_same_name_with_other_weights_is_another_network(tmp_path: Path) -> None:
    first = read_network(classifier(tmp_path / "net.onnx"), None, tmp_path)
    model = onnx.load(tmp_path / "net.onnx")
    data = bytearray(model.graph.initializer[0].raw_data)
    data[2] ^= 0x40
    model.graph.initializer[0].raw_data = bytes(data)
    onnx.save(model, tmp_path / "net.onnx")
    second = read_network(tmp_path / "net.onnx", None, tmp_path)
    assert first.name == second.name
    assert own_weights(first).label != own_weights(second).label
    assert own_weights(first).fits(first)
    assert not own_weights(first).fits(second)
    with pytest.raises(BenchError, match="has changed since the run began"):
        to_onnx(first, own_weights(first), tmp_path / "another cache")


def test_several_outputs_whole_numbers_and_an_output_called_input(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["input"], pads=[1, 1, 1, 1]),
        helper.make_node("ArgMax", ["input"], ["best"], axis=1, keepdims=0),
    ]
    path = write(tmp_path / "net.onnx", nodes, {"weight": convolution()}, outputs=["input", "best"])
    model = onnx.load(path)
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(model, path)
    network = read_network(path, None, tmp_path)
    assert network.task == OTHER
    assert [shape for _, shape in network.outputs] == [(1, 8, 16, 16), (1, 16, 16)]
    assert network.outputs[0][0] != "input"
    assert_made(path, network, tmp_path)


def test_classes_of_each_pixel_make_a_segmenter(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "weight"], ["out"], pads=[1, 1, 1, 1])
    path = write(tmp_path / "net.onnx", [node], {"weight": convolution()})
    assert read_network(path, None, tmp_path).task == SEGMENT


def test_old_opsets_are_brought_up(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMean", ["c"], ["m"], axes=[2, 3], keepdims=1),
        helper.make_node("Squeeze", ["m"], ["s"], axes=[2, 3]),
        helper.make_node("Softmax", ["s"], ["out"], axis=1),
    ]
    path = write(tmp_path / "net.onnx", nodes, {"weight": convolution()}, opset=11)
    assert_made(path, read_network(path, None, tmp_path), tmp_path)


def test_a_batch_norm_becomes_part_of_its_convolution(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    four = {
        name: generator.uniform(0.5, 1.5, 8).astype(np.float32)
        for name in ("scale", "shift", "mean", "variance")
    }
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", *four], ["out"]),
    ]
    path = write(tmp_path / "net.onnx", nodes, {"weight": convolution(), **four})
    network = read_network(path, None, tmp_path)
    made = onnx.load(to_onnx(network, own_weights(network), tmp_path).onnx_path)
    assert [node.op_type for node in made.graph.node] == ["Conv"]
    assert_made(path, network, tmp_path)


def test_what_pytorch_has_no_form_of_is_compared_with_onnx_runtime(tmp_path: Path) -> None:
    grid = np.zeros((1, 16, 16, 2), np.float32)
    node = helper.make_node("GridSample", ["x", "grid"], ["out"])
    path = write(tmp_path / "net.onnx", [node], {"grid": grid}, opset=16)
    network = read_network(path, None, tmp_path)
    assert network.missing == "GridSample"
    assert_made(path, network, tmp_path)


@pytest.mark.parametrize(
    ("nodes", "kind"),
    [
        ([helper.make_node("Log", ["x"], ["out"])], "PyTorch itself puts out NaN values (out)"),
        ([helper.make_node("Exp", ["big"], ["out"])], "PyTorch itself puts out infinite values"),
        (
            [
                helper.make_node("GridSample", ["big", "grid"], ["g"]),
                helper.make_node("Sqrt", ["g"], ["out"]),
            ],
            "ONNX Runtime itself puts out NaN values (out)",
        ),
    ],
)
def test_a_network_whose_own_answers_are_not_finite_is_told_so(
    nodes: list[onnx.NodeProto], kind: str, tmp_path: Path
) -> None:
    scaled = helper.make_node("Mul", ["x", "scale"], ["big"])
    grid = np.zeros((1, 16, 16, 2), np.float32)
    weights = {"scale": np.array(1e6, np.float32), "grid": grid}
    path = write(tmp_path / "net.onnx", [scaled, *nodes], weights, opset=16)
    with pytest.raises(BenchError, match=r"model .*net\.onnx: ") as refused:
        read_network(path, None, tmp_path)
    assert kind in str(refused.value)


def test_numbers_that_only_float64_holds_on_the_way_are_not_finite(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "large"], ["up"]),
        helper.make_node("Mul", ["up", "large"], ["higher"]),
        helper.make_node("Mul", ["higher", "small"], ["down"]),
        helper.make_node("Mul", ["down", "small"], ["out"]),
    ]
    weights = {"large": np.array(1e30, np.float32), "small": np.array(1e-30, np.float32)}
    path = write(tmp_path / "net.onnx", nodes, weights)
    with pytest.raises(BenchError, match="PyTorch itself puts out infinite values"):
        read_network(path, None, tmp_path)


def as_padding_is_exported(mode: str) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Return what PyTorch's exporter before 2.5 makes of padding by 1, 2, 3 and 1."""
    node = helper.make_node
    last = np.iinfo(np.int64).min + 1
    weights = {"own": np.array([1, 2, 3, 1]), "rest": np.array([4]), "pairs": np.array([-1, 2])}
    weights |= {"zero": np.array([0]), "minus": np.array([-1]), "last": np.array([last])}
    nodes = [
        node("ConstantOfShape", ["rest"], ["zeros"], value=helper.make_tensor("", 7, [1], [0])),
        node("Concat", ["own", "zeros"], ["all"], axis=0),
        node("Reshape", ["all", "pairs"], ["pairwise"]),
        node("Slice", ["pairwise", "minus", "last", "zero", "minus"], ["reversed"]),
        node("Transpose", ["reversed"], ["turned"], perm=[1, 0]),
        node("Reshape", ["turned", "minus"], ["pads"]),
        node("Pad", ["x", "pads"], ["out"], mode=mode),
    ]
    return nodes, weights


def sizes_in_parts() -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Return a Reshape by the sizes of the input, taken apart and joined."""
    node = helper.make_node
    nodes = [
        node("Shape", ["x"], ["sizes"]),
        node("Split", ["sizes", "ones"], ["n", "c", "h", "w"], axis=0),
        node("Mul", ["h", "w"], ["pixels"]),
        node("Concat", ["n", "c", "pixels"], ["rows"], axis=0),
        node("Reshape", ["x", "rows"], ["out"]),
    ]
    return nodes, {"ones": np.array([1, 1, 1, 1])}


def some_columns() -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Return a choice of columns by a mask that is constant."""
    node = helper.make_node
    nodes = [
        node("NonZero", ["mask"], ["found"]),
        node("Squeeze", ["found", "zero"], ["columns"]),
        node("Gather", ["x", "columns"], ["out"], axis=3),
    ]
    return nodes, {"mask": np.arange(16) % 3 == 0, "zero": np.array([0])}


def ramp() -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Return a product with numbers up to the width, which is taken out of the sizes alone."""
    node = helper.make_node
    nodes = [
        node("Shape", ["x"], ["sizes"]),
        node("Gather", ["sizes", "last"], ["width"]),
        node("Range", ["zero", "width", "one"], ["numbers"]),
        node("Cast", ["numbers"], ["ramp"], to=TensorProto.FLOAT),
        node("Mul", ["x", "ramp"], ["out"]),
    ]
    return nodes, {"last": np.array(3), "zero": np.array(0), "one": np.array(1)}


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (as_padding_is_exported("reflect"), (1, 3, 20, 19)),
        (as_padding_is_exported("edge"), (1, 3, 20, 19)),
        (sizes_in_parts(), (1, 3, 256)),
        (some_columns(), (1, 3, 16, 6)),
        (ramp(), (1, 3, 16, 16)),
    ],
)
def test_shapes_that_are_computed_from_constants_and_sizes_are_known(
    made: tuple[list[onnx.NodeProto], dict[str, np.ndarray]],
    shape: tuple[int, ...],
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "net.onnx", *made, shape=("n", 3, "h", "w"))
    network = read_network(path, (1, 3, 16, 16), tmp_path)
    assert network.outputs == (("out", shape),)
    assert_made(path, network, tmp_path)


def test_shapes_that_depend_on_values_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("NonZero", ["x"], ["out"])
    path = write(tmp_path / "net.onnx", [node], {}, kinds=(TensorProto.FLOAT, TensorProto.INT64))
    with pytest.raises(BenchError, match=r"'out' is not known \(from its operator NonZero"):
        read_network(path, None, tmp_path)


@pytest.mark.parametrize(
    ("nodes", "outputs", "reason"),
    [
        ([helper.make_node("Relu", ["x"], ["out"])], ["out", "x"], "output 'x' is not computed"),
        (
            [helper.make_node("Relu", ["x"], ["out"])],
            ["out", "one"],
            "'one' is not computed",
        ),
        ([helper.make_node("Relu", ["one"], ["out"])], ["out"], "'out' is the same for every inp"),
        ([helper.make_node("ReduceMean", ["x"], ["out"], keepdims=0)], ["out"], "a single number"),
        (
            [helper.make_node("Conv", ["x", "narrow"], ["out"])],
            ["out"],
            "cannot be computed; PyTorch has no form of this kind of Conv, and ONNX Runtime says: ",
        ),
    ],
)
def test_what_has_nothing_to_compare_is_told(
    nodes: list[onnx.NodeProto], outputs: list[str], reason: str, tmp_path: Path
) -> None:
    weights = {"one": np.ones(1, np.float32), "narrow": convolution(inputs=2)}
    path = write(tmp_path / "net.onnx", nodes, weights, outputs=outputs)
    with pytest.raises(BenchError, match=r"model .*net\.onnx: ") as refused:
        read_network(path, None, tmp_path)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_number_of_the_best_class_is_no_logit(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("ArgMax", ["f"], ["out"], axis=1),
    ]
    kinds = (TensorProto.FLOAT, TensorProto.INT64)
    path = write(tmp_path / "net.onnx", nodes, {}, kinds=kinds)
    network = read_network(path, None, tmp_path)
    assert (network.task, network.outputs) == (OTHER, (("out", (1, 1)),))


def ending(path: Path, *kinds: str) -> Path:
    """Write a classifier of one class, with operators after its logit."""
    linear = np.random.default_rng(1).standard_normal((3, 1), np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "linear"], ["after 0"]),
    ]
    for at, kind in enumerate(kinds):
        quantized = ["step"] if kind.endswith("Linear") else []
        read = [f"after {at}", *quantized]
        nodes.append(helper.make_node(kind, read, [f"after {at + 1}"]))
    weights = {"linear": linear, "step": np.array(0.01, np.float32)}
    return write(path, nodes, weights, outputs=[f"after {len(kinds)}"])


@pytest.mark.parametrize(
    ("kinds", "made"),
    [
        ((), False),
        (("Tanh",), False),
        (("Sigmoid",), True),
        (("Softmax",), True),
        (("Sigmoid", "QuantizeLinear", "DequantizeLinear"), True),
    ],
)
def test_probabilities_are_known_as_such(
    kinds: tuple[str, ...], made: bool, tmp_path: Path
) -> None:
    network = read_network(ending(tmp_path / "net.onnx", *kinds), None, tmp_path)
    assert network.probabilities == made
    assert network.task == CLASSIFY


def test_a_single_probability_is_class_1_above_a_half(tmp_path: Path) -> None:
    network = read_network(ending(tmp_path / "net.onnx", "Sigmoid"), None, tmp_path)
    shares = np.array([[0.2], [0.7], [0.5]], np.float32)
    answers = classification.answer((shares,), network)
    assert top_class(answers, 1).tolist() == [0, 1, 0]
    logits = read_network(ending(tmp_path / "logit.onnx"), None, tmp_path)
    assert classification.answer((shares,), logits).tolist() == shares.tolist()


def test_a_manifest_beside_the_file_says_how_images_become_its_input(tmp_path: Path) -> None:
    network = read_network(classifier(tmp_path / "net.onnx"), None, tmp_path)
    manifest = tmp_path / "net.toml"
    assert f"if it wants others, say them in {manifest}: mean, std, resize" in assumed_of(network)
    assert assumed_of(replace(network, task=OTHER)) == assumed_of(parse_variant(TINY)) == ""
    manifest.write_text("mean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\nresize = 18\n")
    found = own_weights(network).preprocessing(network)
    assert (found.height, found.width, found.resize, found.mean) == (16, 16, 18, (0.5, 0.5, 0.5))
    assert assumed_of(network) == ""
    check_takes_images(network)
    check_takes_images(replace(network, source=str(manifest.with_suffix(".onnx"))))
    with pytest.raises(BenchError, match="which has no GridSample here; leave out --data"):
        check_takes_images(replace(network, missing="GridSample"))
    with pytest.raises(BenchError, match=r"say in .*other\.toml how images become its input"):
        check_takes_images(replace(network, source=str(tmp_path / "other.onnx")))
    with pytest.raises(BenchError, match="images with labels need an input of three channels"):
        check_takes_images(replace(network, task=OTHER))
    manifest.write_text("width_multiplier = 1.0\n")
    with pytest.raises(BenchError, match="width_multiplier is a checkpoint's"):
        own_weights(network)


def test_a_mobilenet_is_the_same_file_as_by_its_name(cache_dir: Path) -> None:
    """So is its library, whose key is the file's hash."""
    by_name = to_onnx(parse_variant("mobilenet_v2_0.35_32"), Weights(), cache_dir)
    network = read_network(by_name.onnx_path, None, cache_dir)
    assert to_onnx(network, own_weights(network), cache_dir).onnx_sha256 == by_name.onnx_sha256


def test_a_network_that_answers_every_input_alike_is_told_so(tmp_path: Path) -> None:
    network = read_network(classifier(tmp_path / "net.onnx"), None, tmp_path)
    assert own_weights(network).remarks == ()
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Mul", ["p", "nothing"], ["n"]),
        helper.make_node("Softmax", ["n"], ["out"], axis=1),
    ]
    weights = {"nothing": np.array(1e-9, np.float32)}  # as activations vanish
    vanished = read_network(write(tmp_path / "vanished.onnx", nodes, weights), None, tmp_path)
    assert vanished.constant
    (remark,) = own_weights(vanished).remarks
    assert "answers every input alike" in remark
