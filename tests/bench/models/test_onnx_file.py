"""What is no network that can be measured is refused by what it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mobilebench.bench.models.onnx_file import input_shape_of, parse_shape, read_model
from mobilebench.targets.errors import BenchError
from tests.bench.models.own_files import classifier, convolution, write


def cut(path: Path) -> Path:
    content = classifier(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def filled(content: bytes) -> Callable[[Path], Path]:
    def fill(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return fill


def without_data(path: Path) -> Path:
    write_external(path)
    (path.parent / "weights.bin").unlink()
    return path


def write_external(path: Path) -> Path:
    return classifier(path, save_as_external_data=True, location="weights.bin", size_threshold=0)


def foreign(path: Path) -> Path:
    node = helper.make_node("FusedConv", ["x", "weight"], ["out"], domain="com.microsoft")
    graph = helper.make_graph(
        [node],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 16, 16))],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(convolution(), "weight")],
    )
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports), path)
    return path


def unheard_of(path: Path) -> Path:
    return write(path, [helper.make_node("Frobnicate", ["x"], ["out"])], {})


def changed(change: Callable[[onnx.ModelProto], object]) -> Callable[[Path], Path]:
    """Return what writes a classifier after a change."""

    def make(path: Path) -> Path:
        model = onnx.load(classifier(path))
        change(model)
        onnx.save(model, path)
        return path

    return make


def sparse(path: Path) -> Path:
    values, places = np.ones(2, np.float32), np.array([0, 7])
    weight = helper.make_sparse_tensor(
        onnx.numpy_helper.from_array(values, "weight"),
        onnx.numpy_helper.from_array(places, "places"),
        [8, 3, 3, 3],
    )
    return changed(lambda model: model.graph.sparse_initializer.append(weight))(path)


def one(kind: str, *inputs: str, **attributes: object) -> Callable[[Path], Path]:
    """Return what writes a network of one operator, whose inputs are named by what they hold."""
    held = {"half": np.array(0.5, np.float32), "true": np.array(True), "false": np.array(False)}
    weights = {name: value for name, value in held.items() if name in inputs}
    weights |= {name: np.ones(3, np.float32) for name in inputs if name.startswith("channels")}
    return lambda path: write(
        path, [helper.make_node(kind, inputs, ["out"], **attributes)], weights
    )


CHANNELS = [f"channels {number}" for number in range(4)]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        *(
            (one(kind, "x", seed=1.0), f"its operator {kind} draws other numbers each time")
            for kind in ("RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")
        ),
        (one("RandomNormal", shape=[1]), "its operator RandomNormal draws other numbers"),
        (one("RandomUniform", shape=[1]), "its operator RandomUniform draws other numbers"),
        (one("Dropout", "x", "half", "true"), "operator Dropout is in training mode; export it"),
        (
            one("BatchNormalization", "x", *CHANNELS, training_mode=1),
            "operator BatchNormalization is in training mode; export it after model.eval()",
        ),
        (cut, "is cut short or damaged; get it again"),
        (
            filled(b"no network at all"),
            "is a text file ('no network at all'); that is no",
        ),
        (filled(bytes([1, 2, 3, 250])), "is not an ONNX file"),
        (filled(b"<Error><Code>NoSuchKey</Code></Error>"), "storage's error message (NoSuchKey)"),
        (filled(b'{"detail": "Not\\nFound"}'), "is an error message in JSON (Not Found); the"),
        (filled(b""), "is not an ONNX file, or has no operators"),
        (filled(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
        (filled(b"<!DOCTYPE html><html></html>"), "is an HTML page; the site answered"),
        (filled(b"PK\x03\x04" + bytes(100)), "a PyTorch file or another archive; export"),
        (filled(b"\x1c\x00\x00\x00TFL3" + bytes(100)), "TensorFlow Lite file; convert it"),
        (lambda path: classifier(path, opset=9), "its opset is 9; export it with opset 11 or"),
        (without_data, "weights are in weights.bin, which is missing; put it beside the model"),
        (foreign, "operator com.microsoft.FusedConv is not one of ONNX's own"),
        (unheard_of, "Frobnicate"),
        (changed(lambda model: model.graph.output.pop()), "puts nothing out; export it with its"),
        (changed(lambda model: setattr(model, "ir_version", 99)), "its IR version is 99, the onnx"),
        (changed(lambda model: model.graph.node.reverse()), "nothing before it makes what an oper"),
        (changed(lambda model: model.graph.initializer.pop()), "what an operator reads, 'linear'"),
        (sparse, "has sparse weights; export it with dense ones"),
        (lambda path: path, "No such file"),
    ],
)
def test_what_cannot_be_read_is_told(
    make: Callable[[Path], Path], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=r"model .*net\.onnx: ") as refused:
        read_model(make(tmp_path / "net.onnx"))
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_dropout_of_inference_is_read(tmp_path: Path) -> None:
    for number, inputs in enumerate([["x"], ["x", "half"], ["x", "half", "false"], ["x", "", ""]]):
        read_model(one("Dropout", *inputs)(tmp_path / f"{number}.onnx"))


def test_random_numbers_inside_a_branch_are_found(tmp_path: Path) -> None:
    then, otherwise = (
        helper.make_graph(
            [helper.make_node(kind, ["x"], [kind])],
            kind,
            [],
            [helper.make_tensor_value_info(kind, TensorProto.FLOAT, None)],
        )
        for kind in ("Relu", "RandomNormalLike")
    )
    node = helper.make_node("If", ["true"], ["out"], then_branch=then, else_branch=otherwise)
    path = write(tmp_path / "net.onnx", [node], {"true": np.array(True)})
    with pytest.raises(BenchError, match="its operator RandomNormalLike draws other numbers"):
        read_model(path)


def test_operators_of_others_inside_a_branch_are_found(tmp_path: Path) -> None:
    inner = helper.make_graph(
        [helper.make_node("Gelu", ["x"], ["g"], domain="com.microsoft")],
        "inner",
        [],
        [helper.make_tensor_value_info("g", TensorProto.FLOAT, None)],
    )
    node = helper.make_node("If", ["true"], ["out"], then_branch=inner, else_branch=inner)
    path = write(tmp_path / "net.onnx", [node], {"true": np.array(True)})
    with pytest.raises(BenchError, match=r"operator com\.microsoft\.Gelu is not one of ONNX's own"):
        read_model(path)


def test_weights_of_old_files_need_not_be_inputs(tmp_path: Path) -> None:
    path = changed(lambda model: setattr(model, "ir_version", 3))(tmp_path / "net.onnx")
    assert read_model(path)[0].ir_version >= 4


def test_external_data_is_read_and_counts_for_the_hash(tmp_path: Path) -> None:
    path = write_external(tmp_path / "net.onnx")
    model, before = read_model(path)
    assert all(one.raw_data for one in model.graph.initializer)
    data = bytearray((tmp_path / "weights.bin").read_bytes())
    data[0] ^= 1
    (tmp_path / "weights.bin").write_bytes(data)
    assert read_model(path)[1] != before


@pytest.mark.parametrize(
    ("declared", "given", "found"),
    [
        ((1, 3, 16, 16), None, (1, 3, 16, 16)),
        (("batch", 3, 16, 16), None, (1, 3, 16, 16)),
        ((None, 3, 16, 16), None, (1, 3, 16, 16)),
        (("batch", 3, "height", "width"), (1, 3, 20, 24), (1, 3, 20, 24)),
        ((1, 3, 16, 16), (1, 3, 16, 16), (1, 3, 16, 16)),
        ((1, 7), None, (1, 7)),
    ],
)
def test_what_a_file_leaves_open_is_filled_in(
    declared: tuple[int, ...], given: tuple[int, ...] | None, found: tuple[int, ...], tmp_path: Path
) -> None:
    path = write(
        tmp_path / "net.onnx", [helper.make_node("Relu", ["x"], ["out"])], {}, shape=declared
    )
    assert input_shape_of(read_model(path)[0], given, path)[1] == found


@pytest.mark.parametrize(
    ("declared", "given", "reason"),
    [
        (("n", 3, "h", "w"), None, "is (n, 3, h, w); say its size, for example --input-shape 1,3,"),
        (("n", "h", "w", 3), None, "--input-shape 1,224,224,3"),
        ((1, 3, 16, 16), (1, 3, 32, 32), "which 1x3x32x32 does not fit; leave out --input-shape"),
        ((1, 3, 16, 16), (1, 3), "--input-shape has 2 sizes, not 4"),
        ((8, 3, 16, 16), None, "export it with a batch of 1, or a dynamic one"),
        (("n", 3, 16, 16), (2, 3, 16, 16), "export it with a batch of 1"),
    ],
)
def test_a_shape_that_is_open_or_contradicts_is_told(
    declared: tuple[int, ...], given: tuple[int, ...] | None, reason: str, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "net.onnx", [helper.make_node("Relu", ["x"], ["out"])], {}, shape=declared
    )
    with pytest.raises(BenchError) as refused:
        input_shape_of(read_model(path)[0], given, path)
    assert reason in str(refused.value)


def test_inputs_of_other_numbers_and_several_inputs_are_refused(tmp_path: Path) -> None:
    relu = helper.make_node("Neg", ["x"], ["out"])
    kind = TensorProto.INT32
    path = write(tmp_path / "net.onnx", [relu], {}, kinds=(kind, kind))
    with pytest.raises(BenchError, match="is int32; export it with an input of float32"):
        input_shape_of(read_model(path)[0], None, path)
    model, _ = read_model(classifier(tmp_path / "two.onnx"))
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, (1,)))
    with pytest.raises(BenchError, match=r"must have one input, not 2 \('x', 'mask'\)"):
        input_shape_of(model, None, path)


def test_shapes_on_the_command_line() -> None:
    assert parse_shape("") is None
    assert parse_shape("1,3,224,224") == parse_shape("1x3x224x224") == (1, 3, 224, 224)
    for text in ("224", "a", "1,3,", "0,3", "1;3", "-1,3"):
        if text == "224":
            assert parse_shape(text) == (224,)
            continue
        with pytest.raises(BenchError, match="give the size of each axis, for example 1,3,224,224"):
            parse_shape(text)


def test_weights_of_a_file_are_finite_numbers_of_their_own(tmp_path: Path) -> None:
    model, sha256 = read_model(classifier(tmp_path / "net.onnx"))
    assert len(sha256) == 64
    weight = onnx.numpy_helper.to_array(model.graph.initializer[0])
    assert np.isfinite(weight).all()
