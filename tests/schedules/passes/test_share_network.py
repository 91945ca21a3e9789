from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.build.artifact import build_artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.fidelity import compare
from mobilebench.bench.measure.inference import infer_on_device
from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.targets.catalog.target import find_target

NATIVE = find_target("native")


@pytest.mark.parametrize(
    ("built_for", "run_on"),
    [
        (2, 2),
        pytest.param(2, 1, marks=pytest.mark.slow),
        pytest.param(3, 2, marks=pytest.mark.slow),
    ],
)
def test_shared_network_matches_pytorch_on_fewer_threads_too(
    cache_dir: Path, built_for: int, run_on: int
) -> None:
    variant = parse_variant("mobilenet_v2_0.35_64x96")
    exported = to_onnx(variant, Weights(), cache_dir)
    artifact = build_artifact(exported, BuildOptions(NATIVE, built_for), cache_dir)
    inputs, reference = exported.reference()
    workload = Workload(variant, Weights(), exported.onnx_path, artifact.library)
    outputs = infer_on_device(MeasurementConfig(NATIVE, run_on, 60, cache_dir), workload, inputs)
    assert compare(outputs, reference).relative_l2_error < 1e-5


def loop(kind: str, buffer: Any) -> Any:
    from tvm import tirx

    variable = tirx.Var("i", "int32")
    store = tirx.BufferStore(buffer, buffer[variable] + 1.0, [variable])
    return tirx.For(variable, 0, 7, getattr(tirx.ForKind, kind), store)


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_each_iteration_is_run_by_one_thread(threads: int) -> None:
    import tvm
    from tvm import tirx

    from mobilebench.schedules.passes.share_network import PART, share

    buffer = tirx.decl_buffer((7,), "float32")
    part = share(tirx.PrimFunc([buffer], loop("PARALLEL", buffer)), threads)
    built = tvm.compile(tvm.IRModule({PART: part}), "llvm")
    counts = tvm.runtime.tensor(np.zeros(7, np.float32))
    shares = []
    for thread in range(threads):
        before = counts.numpy().sum()
        built[PART](counts, thread, threads, None)
        shares.append(counts.numpy().sum() - before)
    assert counts.numpy().tolist() == [1.0] * 7
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(("parts", "threads"), [(2, 1), (2, 3), (3, 2), (5, 2)])
def test_all_parts_are_run_by_any_number_of_threads(parts: int, threads: int) -> None:
    import tvm
    from tvm import tirx

    from mobilebench.schedules.passes.share_network import PART, share

    buffer = tirx.decl_buffer((7,), "float32")
    inner = loop("PARALLEL", buffer)
    outer = tirx.For(tirx.Var("o", "int32"), 0, 2, tirx.ForKind.SERIAL, inner)  # every part's
    part = share(tirx.PrimFunc([buffer], outer), parts)
    built = tvm.compile(tvm.IRModule({PART: part}), "llvm")
    counts = tvm.runtime.tensor(np.zeros(7, np.float32))
    for thread in range(threads):
        built[PART](counts, thread, threads, None)
    assert counts.numpy().tolist() == [2.0] * 7


def test_kernels_end_with_a_barrier_and_the_first_thread_runs_serial_ones() -> None:
    from tvm import tirx

    from mobilebench.schedules.passes.share_network import share

    buffer = tirx.decl_buffer((7,), "float32")
    kernels = [loop(kind, buffer) for kind in ("PARALLEL", "SERIAL", "PARALLEL")]
    shared = share(tirx.PrimFunc([buffer], tirx.SeqStmt(kernels)), 2)
    kinds = [type(statement).__name__ for statement in shared.body.seq]
    assert kinds == ["For", "Evaluate", "IfThenElse", "Evaluate", "For"]
    assert "mobilebench_barrier" in str(shared.body.seq[1])


@pytest.mark.slow
def test_code_for_one_thread_has_no_barriers(cache_dir: Path) -> None:
    variant = parse_variant("mobilenet_v2_0.35_32_t1")
    exported = to_onnx(variant, Weights(), cache_dir)
    libraries = [
        build_artifact(exported, BuildOptions(NATIVE, threads), cache_dir).library.read_bytes()
        for threads in (1, 2)
    ]
    assert [b"mobilebench_barrier" in library for library in libraries] == [False, True]
