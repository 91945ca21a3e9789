import re
from typing import Any

import pytest

ALLOCATES = "TVMBackendAllocWorkspace"


def kernel(length: int, scope: str) -> Any:
    """Return a module with a kernel that keeps so many sums in a tensor of a scope."""
    import tvm
    from tvm import s_tir, te

    x = te.placeholder((length,), "float32", name="x")
    sums = te.compute((length,), lambda i: x[i] * 2, name="sums")
    y = te.compute((length,), lambda i: sums[length - 1 - i] + 1, name="y")
    schedule = s_tir.Schedule(tvm.IRModule({"main": te.create_prim_func([x, y])}))
    schedule.set_scope(schedule.get_sblock("sums"), 0, scope)
    return schedule.mod


def code(module: Any) -> str:
    """Return what LLVM makes of a kernel, as text."""
    import tvm

    from mobilebench.schedules.passes.sums_in_registers import TIR_PIPELINE

    text: str = tvm.compile(module, "llvm", tir_pipeline=TIR_PIPELINE).mod.inspect_source("ll")
    return text


@pytest.mark.parametrize(
    ("length", "scope", "asked"),
    [(1024, "local", False), (1025, "local", True), (1 << 20, "local", True)],
)
def test_the_runtime_is_asked_for_memory_only_of_what_no_registers_hold(
    length: int, scope: str, asked: bool
) -> None:
    assert (ALLOCATES in code(kernel(length, scope))) == asked


def test_sums_are_not_stored_beside_the_output() -> None:
    stores = re.findall(r"store (?:<(\d+) x float>|float) ", code(kernel(16, "local")))
    assert sum(int(lanes or 1) for lanes in stores) == 16
