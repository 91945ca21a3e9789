"""What LLVM makes of the schedules for Arm cores, as instructions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.bench.quantization.quantize import quantize
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.catalog.tvm_target import resolve
from tests.bench.networks import Network

_LABEL = re.compile(r"(\.LBB\w+):")
_BRANCH = re.compile(r"\s(?:b\.\w+|cbnz|cbz|tbnz|tbz)\s.*?(\.LBB\w+)$")
_VECTOR_REGISTER = re.compile(r"\b[vqds]\d+\b")
_ON_THE_STACK = re.compile(r"\[sp\b")
_MULTIPLY_ADD = re.compile(r"(?:fmla|sdot|smmla|smull|smlal|sadalp)\b")
_BYTES_OF_A_VECTOR = 16
# Of the input channels over which LLVM leaves a loop, by precision.
_MOST_UNROLLED = {"float32": 8, "float16": 24, "int8": 64}


@dataclass(frozen=True)
class Loop:
    """The instructions of an innermost loop that have to do with vector registers."""

    multiply_adds: int
    vector: int  # loads and stores included
    on_the_stack: int

    @staticmethod
    def of(lines: list[str]) -> "Loop":
        vector = [line for line in lines if _VECTOR_REGISTER.search(line)]
        return Loop(
            multiply_adds=sum(bool(_MULTIPLY_ADD.match(line)) for line in vector),
            vector=len(vector),
            on_the_stack=sum(bool(_ON_THE_STACK.search(line)) for line in vector),
        )


def innermost_loops(assembly: str) -> Iterator[Loop]:
    lines = assembly.splitlines()
    labels: dict[str, int] = {}
    for number, line in enumerate(lines):
        if label := _LABEL.match(line):
            labels[label[1]] = number
        branch = _BRANCH.search(line.split("//")[0].rstrip())
        if branch and branch[1] in labels:
            body = lines[labels[branch[1]] + 1 : number]
            if not any(_LABEL.match(one) for one in body):
                yield Loop.of([one.strip() for one in body if one.startswith("\t")])


def onnx_file(variant: str, precision: str, cache_dir: Path) -> Path:
    """Return the file of a variant with random weights, quantized if it is for bytes."""
    parsed, weights = parse_variant(variant), Weights()
    exported = to_onnx(parsed, weights, cache_dir)
    if precision != "int8":
        return exported.onnx_path
    pixels = weights.preprocessing(parsed)
    return quantize(exported, parsed, pixels, Calibration(), cache_dir).onnx_path


def pointwise_assemblies(path: Path, target_name: str, precision: str) -> dict[str, str]:
    """Return the assembly of each pointwise kernel of an ONNX file, by the task's title."""
    import onnx
    import tvm
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.machine import machine_of
    from mobilebench.schedules.templates.space import default_tile, schedule_task
    from mobilebench.schedules.templates.task import kernel_calls, task_of

    target = find_target(target_name)
    handle = tvm.target.Target(resolve(target))
    machine = machine_of(handle)
    module = from_onnx(onnx.load(path), keep_params_in_input=False)
    fused = pipeline.fuse(module, target, handle, precision)
    found: dict[str, str] = {}
    for name in kernel_calls(fused["main"]):
        task: Any = task_of(fused[name], machine)
        if task is not None and task.title.startswith("pointwise"):
            schedule = schedule_task(task, default_tile(task, machine), machine)
            kernel = schedule.mod["main"].with_attr("global_symbol", "main")
            built = pipeline.build_kernel(tvm.IRModule({"main": kernel}), handle)
            found[task.title] = built.mod.inspect_source("asm")
    return found


# By target and precision: the least share of multiply-adds, and the largest of the stack's.
EXPECTED = {
    ("raspberry-pi-4", "float32"): (0.8, 0),
    ("raspberry-pi-5", "float32"): (0.8, 0),
    # LLVM's model of a core says how early it loads, which costs registers.
    ("raspberry-pi-5", "float16"): (0.75, 0.05),
    ("raspberry-pi-5", "int8"): (0.8, 0),
    # Where bytes are multiplied in pairs, every pair of the data is an instruction too, which LLVM
    # makes early.
    ("raspberry-pi-4", "int8"): (0.6, 0),
}
# Of products of matrices, over so many input channels that a loop is left in each kernel.
MATRICES = ("neoverse-v1", "android-armv9")
MATRICES_SHARE, MATRICES_INPUTS = 0.8, 144
EXPECTED_SLOW = {
    **{
        (target, precision): expected
        for target in ("neoverse-n1", "android-arm64", *MATRICES)
        for (like, precision), expected in EXPECTED.items()
        if like == "raspberry-pi-5" and not (target in MATRICES and precision == "int8")
    },
    # Sums of a chunk and those of all chunks are kept at once.
    ("neoverse-v1", "float16"): (0.75, 0.1),
    ("android-armv9", "float16"): (0.75, 0.1),
    ("cortex-a53", "int8"): (0.55, 0.1),
}
SMALL, LARGE = "mobilenet_v2_0.35_96", "mobilenet_v2_1.0_224"


@pytest.mark.parametrize(
    ("variant", "target", "precision", "share", "spilled"),
    [
        *[(SMALL, *cell, *expected) for cell, expected in EXPECTED.items()],
        *[
            pytest.param(variant, *cell, *expected, marks=pytest.mark.slow)
            for variant, cells in ((LARGE, EXPECTED), (SMALL, EXPECTED_SLOW))
            for cell, expected in cells.items()
        ],
    ],
)
def test_pointwise_loops_keep_sums_in_registers_and_mostly_multiply(
    variant: str, target: str, precision: str, share: float, spilled: float, cache_dir: Path
) -> None:
    assemblies = pointwise_assemblies(onnx_file(variant, precision, cache_dir), target, precision)
    assert len(assemblies) > 10
    for title, assembly in assemblies.items():
        inputs = int(title.rpartition(" ")[2])
        if precision == "float16" and " 3x3x" in title:
            continue  # so few pixels, whose values may lie in half of the registers, fill no tile
        if inputs <= _MOST_UNROLLED[precision]:
            continue  # LLVM unrolls the loop over so few input channels, and none is left
        inner = max(
            innermost_loops(assembly), default=Loop(0, 0, 0), key=lambda loop: loop.multiply_adds
        )
        assert inner.multiply_adds >= 36, title
        assert inner.on_the_stack <= spilled * inner.vector, title
        fills = precision != "int8" or inputs % _BYTES_OF_A_VECTOR == 0
        least = share if fills else share - 0.1  # of values, which are loaded in parts of vectors
        assert inner.multiply_adds >= least * inner.vector, (title, inner)


@pytest.mark.parametrize("target", [MATRICES[0], pytest.param(MATRICES[1], marks=pytest.mark.slow)])
@pytest.mark.parametrize("variant", [SMALL, pytest.param(LARGE, marks=pytest.mark.slow)])
def test_matrices_of_bytes_are_multiplied_in_registers(
    variant: str, target: str, cache_dir: Path
) -> None:
    assemblies = pointwise_assemblies(onnx_file(variant, "int8", cache_dir), target, "int8")
    looped = 0
    for title, assembly in assemblies.items():
        outputs, inputs = map(int, re.findall(r"\d+", title)[2:])
        instruction = "smmla" if outputs >= 16 else "sdot"
        used = set(re.findall(r"\t(smmla|sdot)\t", assembly))
        assert used == {instruction}, title
        if instruction == "smmla" and inputs >= MATRICES_INPUTS:
            inner = max(innermost_loops(assembly), key=lambda loop: loop.multiply_adds)
            looped += 1
            assert inner.multiply_adds >= 32, title
            assert inner.on_the_stack == 0, title
            assert inner.multiply_adds >= MATRICES_SHARE * inner.vector, (title, inner)
    assert looped > 2


@pytest.mark.parametrize("side", [1, 3])
def test_half_precision_sums_of_few_pixels_are_computed_in_vectors(
    side: int, tmp_path: Path
) -> None:
    """A network for small images ends in maps of one pixel."""
    network = Network(64, side, side)
    path = network.save(tmp_path / "network.onnx", network.convolution("input", 64, 32))
    assemblies = pointwise_assemblies(path, "raspberry-pi-5", "float16")
    assert [title.partition(" over ")[0] for title in assemblies] == [f"pointwise {side}x{side}x32"]
    assert all(re.search(r"fmla\s.*\.8h", assembly) for assembly in assemblies.values())


def test_the_loop_finder_sees_spills_and_nesting() -> None:
    assembly = """
.LBB0_1:
\tmovi v0.2d, #0
.LBB0_2:
\tldr q1, [sp, #16]
\tldp q2, q3, [x1]
\tfmla v0.4s, v1.4s, v2.s[0]
\tsubs x2, x2, #1
\tb.ne .LBB0_2
\tstr q0, [x0]
\tcbnz x3, .LBB0_1
"""
    assert list(innermost_loops(assembly)) == [Loop(1, 3, 1)]
