from itertools import pairwise
from pathlib import Path
from typing import Any

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
from mobilebench.schedules.objective import MEMORY
from mobilebench.targets.catalog.target import find_target


@pytest.mark.parametrize(
    ("name", "built_for", "run_on", "target"),
    [
        ("mobilenet_v2_0.35_64x96", 2, 2, "native"),
        pytest.param("mobilenet_v2_0.35_96", 3, 2, "x86-64-v3", marks=pytest.mark.slow),
        pytest.param("mobilenet_v2_0.35_64", 1, 1, "x86-64-v3", marks=pytest.mark.slow),
        pytest.param("mobilenet_v2_0.5_64x96", 2, 2, "native", marks=pytest.mark.slow),
        pytest.param("mobilenet_v2_0.35_160", 2, 1, "native", marks=pytest.mark.slow),
    ],
)
def test_fused_blocks_match_pytorch(
    cache_dir: Path, name: str, built_for: int, run_on: int, target: str
) -> None:
    variant, where = parse_variant(name), find_target(target)
    exported = to_onnx(variant, Weights(), cache_dir)
    options = BuildOptions(where, built_for, optimize_for=MEMORY)
    artifact = build_artifact(exported, options, cache_dir)
    expansion = variant.height * variant.width // 4 * 48 * 4  # of the first block that has one
    assert artifact.manifest.arena_bytes < expansion
    inputs, reference = exported.reference()
    workload = Workload(variant, Weights(), exported.onnx_path, artifact.library)
    outputs = infer_on_device(MeasurementConfig(where, run_on, 60, cache_dir), workload, inputs)
    assert compare(outputs, reference).relative_l2_error < 1e-5


def stage(height: int, pixels: int, width: int, stride: int = 1, taps: int = 1) -> Any:
    from tvm import tirx

    from mobilebench.schedules.passes.fuse_blocks import _Stage
    from mobilebench.schedules.templates.cpu.chunks import Span

    output = tirx.decl_buffer((1, height, width, 8), "float32")
    span = Span(pixels, stride, taps // 2, taps)
    return _Stage(None, (), output, span, height * width // pixels)


CHAINS = [
    (lambda: [stage(12, 4, 12), stage(12, 12, 12, 1, 3), stage(12, 6, 12)]),
    (lambda: [stage(12, 12, 12), stage(6, 6, 6, 2, 3), stage(6, 3, 6)]),
    (lambda: [stage(28, 14, 28), stage(14, 28, 14, 2, 3), stage(14, 28, 14)]),
]


@pytest.mark.parametrize("make", CHAINS)
@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("chunks", [1, 2, 5])
def test_every_strip_finds_its_rows_and_none_is_computed_twice(
    make: Any, parts: int, chunks: int
) -> None:
    from mobilebench.schedules.ir.chunks import part_of
    from mobilebench.schedules.passes.fuse_blocks import _depths, _ranges

    chain = make()
    depths = _depths(chain, parts, chunks)
    seen = []
    for part in range(parts):
        begin, end = part_of(chain[-1].chunks, part, parts)
        last: list[int | None] = [None] * len(chain)
        for first in range(begin, end, chunks):
            ranges = _ranges(chain, first == begin, first, min(first + chunks, end))
            seen += list(range(*ranges[-1]))
            for index, (start, stop) in enumerate(ranges):
                assert last[index] in (None, start)
                last[index] = stop
            for index, (producer, consumer) in enumerate(pairwise(chain)):
                oldest, newest = consumer.needs(*ranges[index + 1], producer.height)
                written = producer.rows(0, ranges[index][1])[1]
                assert newest <= written
                assert written - oldest <= depths[index]
    assert seen == list(range(chain[-1].chunks))
