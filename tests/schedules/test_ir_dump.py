import ast
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.catalog.tvm_target import resolve
from mobilebench.targets.toolchains.toolchain import find_toolchain

VARIANT = "mobilenet_v2_0.1_32"
CPU_STEPS = [
    *("import", "canonicalize_relu6", "normalize_pixels", "split_concat", "convert_layout"),
    *(
        "normalize",
        "fold_layout",
        "lower_operators",
        "legalize_ops",
        "annotate_tir_op_pattern",
        "fuse_ops",
    ),
    *("fuse_tir", "dead_code_elimination", "schedule_kernels", "merge_kernels"),
    *("explicit_loops", "skip_padding", "integer_clamp", "saturate_bytes", "dot_products"),
    *("split_borders", "convert_ssa", "fuse_blocks"),
    *("rewrite_dataflow_reshape", "to_non_dataflow", "remove_purity_checking"),
    *("call_tir_rewrite", "flat_buffers", "plan_arena", "pool_params", "share_network"),
    *("lower_alloc_tensor", "kill_after_last_use", "lower_runtime_builtin", "compute_prim_value"),
    *("vm_shape_lower", "attach_global_symbol"),
]


def compiled(cache_dir: Path, target_name: str, threads: int, directory: Path | None) -> Any:
    """Return the planned module and the executable of a small network."""
    import onnx
    import tvm
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.databases.lookup import Lookup
    from mobilebench.schedules.ir_dump import IRDump

    exported = to_onnx(parse_variant(VARIANT), Weights(), cache_dir)
    target = find_target(target_name)
    handle = tvm.target.Target(resolve(target, threads))
    module = from_onnx(onnx.load(exported.onnx_path), keep_params_in_input=False)
    dump = IRDump(directory) if directory else None
    fused = pipeline.fuse(module, target, handle, dump=dump)
    planned = pipeline.plan(fused, handle, Lookup(), dump=dump)
    return planned, pipeline.build(planned, handle, dump=dump)


def functions(module: Path) -> set[str]:
    """Return the names of the functions of a module that was written."""
    nodes = ast.walk(ast.parse(module.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def placements(directory: Path) -> list[tuple[int, ...]]:
    """Return piece, offset, bytes, first and last step of each tensor of the arena."""
    lines = (directory / "arena.txt").read_text().splitlines()[3:]
    return [tuple(int(number) for number in line.split()[:5]) for line in lines]


def test_dump_has_the_module_after_every_pass_in_order(cache_dir: Path, tmp_path: Path) -> None:
    from mobilebench.bench.memory.memory_plan import footprint

    planned, _ = compiled(cache_dir, "x86-64-v3", 1, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir() if path.name != "arena.txt")
    steps = [f"{number:02}_{name}.py" for number, name in enumerate(CPU_STEPS, 1)]
    assert names == [*steps, f"{len(steps) + 1}_kernels.s"]
    modules = {name[3:-3]: functions(tmp_path / name) for name in steps}
    assert modules["import"] >= {"main"}
    assert len(modules["fuse_tir"]) > len(modules["merge_kernels"])
    assert modules["merge_kernels"] == {"main", "network"}
    assert modules["plan_arena"] == modules["attach_global_symbol"] == {"main", "network_in_arena"}
    assert "__tvm_ffi_network_in_arena:" in (tmp_path / names[-1]).read_text()
    places = placements(tmp_path)
    assert max(at + nbytes for _, at, nbytes, _, _ in places) == footprint(planned).arena_bytes
    for number, (_, at, nbytes, first, last) in enumerate(places):
        for _, other_at, other_nbytes, other_first, other_last in places[:number]:
            apart = at + nbytes <= other_at or other_at + other_nbytes <= at
            assert apart or last < other_first or other_last < first


@pytest.mark.slow
def test_dump_for_a_gpu_has_opencl_text_and_storages(cache_dir: Path, tmp_path: Path) -> None:
    from mobilebench.bench.memory.memory_plan import footprint

    planned, _ = compiled(cache_dir, "opencl", 1, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    *modules, text, assembly, arena = names
    assert all(name.endswith(".py") and functions(tmp_path / name) for name in modules)
    assert [name[2:] for name in (text, assembly, arena)] == ["_kernels.cl", "_host.s", "ena.txt"]
    scheduled = next(name for name in modules if "apply_default_schedule" in name)
    for kernel in functions(tmp_path / scheduled) - {"main"}:
        assert f"__kernel void {kernel}_kernel(" in (tmp_path / text).read_text()
    sizes: dict[int, int] = {}
    for piece, at, nbytes, _, _ in placements(tmp_path):
        sizes[piece] = max(sizes.get(piece, 0), at + nbytes)
    assert sum(sizes.values()) == footprint(planned).arena_bytes


@pytest.mark.slow
@pytest.mark.parametrize(("target", "threads"), [("x86-64-v3", 2), ("opencl", 1)])
def test_library_is_the_same_with_and_without_dump(
    cache_dir: Path, tmp_path: Path, target: str, threads: int
) -> None:
    from mobilebench.schedules.native.native_code import TEAM, link_library

    libraries = []
    for name in ("with", "without"):
        dump = tmp_path / "dump" if name == "with" else None
        _, executable = compiled(cache_dir, target, threads, dump)
        library = tmp_path / name / "library.so"
        library.parent.mkdir()
        team = [TEAM] if threads > 1 else []
        link_library(executable, library, find_toolchain(find_target(target).toolchain), team)
        libraries.append(library.read_bytes())
    assert libraries[0] == libraries[1]


def test_dump_replaces_an_earlier_one_and_keeps_other_files(tmp_path: Path) -> None:
    import tvm

    from mobilebench.schedules.ir_dump import IRDump

    IRDump(tmp_path).write_module("import", tvm.IRModule({}))
    (tmp_path / "notes.txt").write_text("mine")
    assert {path.name for path in tmp_path.iterdir()} == {"01_import.py", "notes.txt"}
    IRDump(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("CanonicalizeReLU6", "canonicalize_relu6"),
        ("FuseTIR", "fuse_tir"),
        ("relax.CallTIRRewrite", "call_tir_rewrite"),
        ("import", "import"),
    ],
)
def test_files_are_named_after_passes_in_snake_case(name: str, file_name: str) -> None:
    from mobilebench.schedules.ir_dump import snake_case

    assert snake_case(name) == file_name


def test_every_pass_lies_in_a_file_of_its_own_name() -> None:
    import re

    from mobilebench import schedules
    from mobilebench.schedules.ir_dump import snake_case

    found = 0
    for path in (Path(schedules.__path__[0]) / "passes").glob("[!_]*.py"):
        passes = re.findall(r"module_pass\(.*name=\"(\w+)\"\)\nclass (\w+)", path.read_text())
        sequences = re.findall(
            r"^def (\w+)\(\) -> tvm.transform.Sequential", path.read_text(), re.M
        )
        names = {snake_case(name) for pair in passes for name in pair} | set(sequences)
        assert names == {path.stem}
        found += 1
    assert found > 10
