import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from mobilebench.bench.measure.fidelity import compare
from mobilebench.bench.models.onnx_export import check_onnx, to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError

TINY = parse_variant("mobilenet_v2_0.35_32")
SHORT = parse_variant("mobilenet_v2_0.35_32_t1")  # quicker to export, which some do again


def test_the_exported_file_computes_what_pytorch_computes(cache_dir: Path) -> None:
    exported = to_onnx(TINY, Weights(), cache_dir)
    inputs, reference = exported.reference()
    session = onnxruntime.InferenceSession(str(exported.onnx_path))
    outputs = np.concatenate([session.run(None, {"input": one[None]})[0] for one in inputs])
    fidelity = compare((outputs,), reference)
    assert fidelity.relative_l2_error < 1e-5
    assert fidelity.top1_agreement == 1.0


def test_batch_norm_is_folded_and_activations_are_clips(cache_dir: Path) -> None:
    graph = onnx.load(to_onnx(TINY, Weights(), cache_dir).onnx_path).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("Conv") == 52
    assert kinds.count("Clip") == 35
    assert "BatchNormalization" not in kinds


def test_equal_requests_give_equal_files(cache_dir: Path, tmp_path: Path) -> None:
    first, again = to_onnx(SHORT, Weights(), cache_dir), to_onnx(SHORT, Weights(), tmp_path)
    assert first.onnx_sha256 == again.onnx_sha256
    assert first.onnx_path.read_bytes() == again.onnx_path.read_bytes()


@pytest.mark.slow
def test_other_weights_give_another_file(cache_dir: Path) -> None:
    first, other = to_onnx(SHORT, Weights(), cache_dir), to_onnx(SHORT, Weights(seed=1), cache_dir)
    assert first.onnx_sha256 != other.onnx_sha256


@pytest.mark.slow
def test_another_epsilon_gives_another_file(cache_dir: Path) -> None:
    first = to_onnx(TINY, Weights(), cache_dir)
    other = to_onnx(TINY, Weights(batch_norm_epsilon=1e-3), cache_dir)
    (inputs, before), (again, after) = first.reference(), other.reference()
    assert np.array_equal(inputs, again)
    assert not np.allclose(before, after, rtol=1e-4)


def test_a_file_that_fails_the_checker_is_refused_in_one_line(
    cache_dir: Path, tmp_path: Path
) -> None:
    model = onnx.load(to_onnx(TINY, Weights(), cache_dir).onnx_path)
    model.graph.node[0].input[0] = "nowhere"
    path = tmp_path / "broken.onnx"
    onnx.save(model, path)
    with pytest.raises(BenchError, match=r"broken.onnx: fails the checker") as refusal:
        check_onnx(path)
    assert "\n" not in str(refusal.value)
    path.write_bytes(b"not a model")
    with pytest.raises(BenchError, match=r"broken.onnx: fails the checker"):
        check_onnx(path)


def test_a_damaged_export_is_refused_with_what_to_do(cache_dir: Path, tmp_path: Path) -> None:
    path = to_onnx(SHORT, Weights(), cache_dir).onnx_path
    shutil.copytree(path.parent, tmp_path / path.parent.relative_to(cache_dir))
    (tmp_path / path.relative_to(cache_dir)).write_bytes(b"half of it")
    with pytest.raises(BenchError, match="is damaged; delete it"):
        to_onnx(SHORT, Weights(), tmp_path)
