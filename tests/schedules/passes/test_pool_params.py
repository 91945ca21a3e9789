"""One pool has every weight, in the library or in a file, at full or half precision."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.build.artifact import Artifact, build_artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.fidelity import compare
from mobilebench.bench.measure.inference import infer_on_device
from mobilebench.bench.models.onnx_export import OnnxModel, to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.schedules.params_pool import EMBEDDED, EXTERNAL, PARAMS_FILE, ParamsPool
from mobilebench.schedules.precision import FLOAT16, FLOAT32
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.errors import BenchError

NATIVE = find_target("native")
VARIANT = parse_variant("mobilenet_v2_0.35_32")


@pytest.fixture(scope="module")
def exported(cache_dir: Path) -> OnnxModel:
    return to_onnx(VARIANT, Weights(), cache_dir)


def build(exported: OnnxModel, cache: Path, precision: str, params: str, threads: int) -> Artifact:
    options = BuildOptions(NATIVE, threads, precision=precision, params_storage=params)
    return build_artifact(exported, options, cache)


def infer(exported: OnnxModel, artifact: Artifact, cache: Path, threads: int) -> Any:
    workload = Workload(
        VARIANT, Weights(), exported.onnx_path, artifact.library, artifact.params_path
    )
    inputs, reference = exported.reference()
    outputs = infer_on_device(MeasurementConfig(NATIVE, threads, 60, cache), workload, inputs)
    return compare(outputs, reference)


@pytest.mark.parametrize(
    ("storage", "threads", "precision", "bounds"),
    [
        pytest.param(EMBEDDED, 1, FLOAT32, (0, 1e-5), marks=pytest.mark.slow),
        (EXTERNAL, 2, FLOAT32, (0, 1e-5)),
        pytest.param(EXTERNAL, 1, FLOAT16, (1e-5, 5e-3), marks=pytest.mark.slow),
        pytest.param(EMBEDDED, 2, FLOAT16, (1e-5, 5e-3), marks=pytest.mark.slow),
    ],
)
def test_weights_are_stored_where_and_as_requested(
    exported: OnnxModel,
    cache_dir: Path,
    storage: str,
    threads: int,
    precision: str,
    bounds: tuple[float, float],
) -> None:
    artifact = build(exported, cache_dir, precision, storage, threads)
    stored = artifact.manifest.params_bytes // (2 if precision == FLOAT16 else 1)
    code = artifact.library.stat().st_size
    if storage == EXTERNAL:
        assert artifact.params_path
        content = artifact.params_path.read_bytes()
        assert content[:64].decode() == hashlib.sha256(content[64:]).hexdigest()
        assert len(content) == 64 + stored
    else:
        assert artifact.params_path is None
        code -= stored
    assert 0 < code < 1_000_000
    low, high = bounds
    assert low <= infer(exported, artifact, cache_dir, threads).relative_l2_error < high


def test_float16_weights_are_widened_as_by_numpy(tmp_path: Path) -> None:
    """All 65,536 of them, given back by a network that is nothing but its weights."""
    import tvm
    from tvm import relax, tirx

    from mobilebench.schedules.native.native_code import link_library
    from mobilebench.schedules.passes.pool_params import take_params
    from mobilebench.targets.toolchains.toolchain import HOST, find_toolchain

    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    values = halves.astype(np.float32)

    x, w, y = (tirx.decl_buffer((count,), "float32") for count in (1, 65536, 65536))
    i = tirx.Var("i", "int32")
    loop = tirx.For(i, 0, 65536, tirx.ForKind.SERIAL, tirx.BufferStore(y, w[i], [i]))
    builder = relax.BlockBuilder()
    kernel = builder.add_func(tirx.PrimFunc([x, w, y], loop), "network_in_arena")
    image = relax.Var("image", relax.TensorType((1,), "float32"))
    with builder.function("main", [image]):
        shape = relax.ShapeExpr([65536])
        output = builder.emit(relax.op.builtin.alloc_tensor(shape, "float32", 0))
        builder.emit(relax.Call(kernel, [image, relax.const(values), output]))
        builder.emit_func_output(output)
    code, content = take_params(builder.get())
    assert content == values.tobytes()
    executable = relax.build(code, "llvm")
    library = tmp_path / "halves.so"
    link_library(
        executable, library, find_toolchain(HOST), pool=ParamsPool(content, EMBEDDED, FLOAT16)
    )
    machine = relax.VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())
    found = machine["main"](tvm.runtime.tensor(np.zeros(1, np.float32))).numpy()
    np.testing.assert_array_equal(found, values)
    assert (np.signbit(found) == np.signbit(values)).all()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda file: file.write_bytes(b"short"), "these are not the weights of this library"),
        (lambda file: file.write_bytes(bytes(file.stat().st_size)), "not the weights of this"),
        (lambda file: file.unlink(), "No such file or directory"),
    ],
)
def test_weights_of_another_network_are_refused(
    exported: OnnxModel, cache_dir: Path, tmp_path: Path, spoil: Any, reason: str
) -> None:
    import shutil

    import tvm

    artifact = build(exported, cache_dir, FLOAT32, EXTERNAL, 1)
    library = tmp_path / artifact.library.name
    shutil.copy(artifact.library, library)
    file = tmp_path / PARAMS_FILE
    assert artifact.params_path
    shutil.copy(artifact.params_path, file)
    spoil(file)
    machine = tvm.runtime.vm.VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())
    image = tvm.runtime.tensor(np.zeros(VARIANT.input_shape, np.float32))
    with pytest.raises(ValueError, match=reason):
        machine["main"](image)
    shutil.copy(artifact.params_path, file)  # and once they are there, it goes on
    assert machine["main"](image).numpy().shape == (1, 1000)


def test_weights_too_large_for_float16_are_refused() -> None:
    whole = np.array([1e-9, 65504, 70000, np.inf], np.float32)
    with pytest.raises(BenchError, match="1 weights are too large for float16"):
        ParamsPool(whole.tobytes(), EXTERNAL, FLOAT16).stored_bytes()


def test_external_weights_are_refused_on_a_gpu(exported: OnnxModel, cache_dir: Path) -> None:
    with pytest.raises(BenchError, match="leave out --params-storage external"):
        options = BuildOptions(find_target("mali"), params_storage=EXTERNAL)
        build_artifact(exported, options, cache_dir)
