from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.schedules.passes.run_pass import run_pass

LENGTH = 1024
EDGES = [0.0, -0.0, 1e-45, -1e-45, 1e-40, -1e-40, 0.5, -0.5, 3.0, 6.0, np.inf, -np.inf]
NEAR = [np.nextafter(np.float32(6), np.float32(end)) for end in (0, 7)]
LARGE = [np.finfo(np.float32).max, np.finfo(np.float32).min, np.finfo(np.float32).tiny]


@pytest.fixture
def values() -> np.ndarray:
    """Return numbers of every kind, the special ones at every place in a vector."""
    special = np.array([*EDGES, *NEAR, *LARGE], np.float32)
    random = np.random.default_rng(0).normal(3, 5, LENGTH - 19 * special.size).astype(np.float32)
    return np.concatenate([np.tile(special, 19), random])


def kernel(expression: Callable[[Any], Any], vectorized: bool = False) -> Any:
    """Return a module with a kernel of one expression of each element."""
    import tvm
    from tvm import s_tir, te

    x = te.placeholder((LENGTH,), "float32", name="x")
    y = te.compute((LENGTH,), lambda i: expression(x[i]), name="y")
    module = tvm.IRModule({"main": te.create_prim_func([x, y])})
    if not vectorized:
        return module
    schedule = s_tir.Schedule(module)
    (loop,) = schedule.get_loops(schedule.get_sblock("y"))
    schedule.vectorize(schedule.split(loop, [None, 8])[1])
    return schedule.mod


def clamp(low: float, high: float) -> Callable[[Any], Any]:
    from tvm import tirx

    def expression(x: Any) -> Any:
        return tirx.min(tirx.max(x, tirx.const(low, "float32")), tirx.const(high, "float32"))

    return expression


def rewritten(module: Any, wanted: bool = True) -> Any:
    from mobilebench.schedules.machine import Machine
    from mobilebench.schedules.passes.integer_clamp import IntegerClamp

    machine = Machine(vector_floats=4, registers=16, integer_clamp=wanted)
    return run_pass(IntegerClamp(machine), module)


def compares_integers(module: Any) -> bool:
    return "reinterpret" in module.script()


def run(module: Any, x: np.ndarray) -> np.ndarray:
    import tvm

    result = tvm.runtime.tensor(np.zeros_like(x))
    tvm.compile(module, target="llvm")["main"](tvm.runtime.tensor(x), result)
    found: np.ndarray = result.numpy()
    return found


def assert_same_bits(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(found.view(np.int32), expected.view(np.int32))


@pytest.mark.parametrize("vectorized", [False, True], ids=["", "vectorized"])
@pytest.mark.parametrize("high", [6.0, 0.1, 1e-45, float(np.finfo(np.float32).max)])
def test_integer_clamp_computes_the_same_bits_and_no_negative_zero(
    values: np.ndarray, high: float, vectorized: bool
) -> None:
    module = rewritten(kernel(clamp(0, high), vectorized))
    assert compares_integers(module)
    expected = np.clip(values, np.float32(0), np.float32(high)) + np.float32(0)
    assert_same_bits(run(module, values), expected)


def test_an_expression_can_be_clamped(values: np.ndarray) -> None:
    from tvm import tirx

    finite = values[np.isfinite(values)]
    finite = np.resize(finite, LENGTH)
    module = rewritten(kernel(lambda x: clamp(0, 6)(x * tirx.const(0.5, "float32"))))
    assert compares_integers(module)
    expected = np.clip(finite * np.float32(0.5), np.float32(0), np.float32(6)) + np.float32(0)
    assert_same_bits(run(module, finite), expected)


def test_nested_clamps_are_rewritten(values: np.ndarray) -> None:
    from tvm import tirx

    module = rewritten(kernel(lambda x: clamp(0, 3)(clamp(0, 6)(x) - tirx.const(1.0, "float32"))))
    assert module.script().count('T.reinterpret("int32"') == 2
    inner = np.clip(values, np.float32(0), np.float32(6)) - np.float32(1)
    assert_same_bits(run(module, values), np.clip(inner, np.float32(0), np.float32(3)))


def test_nan_clamps_by_sign() -> None:
    x = np.full(LENGTH, np.nan, np.float32)
    x[::2] = np.copysign(x[::2], -1)
    found = run(rewritten(kernel(clamp(0, 6))), x)
    assert_same_bits(found, np.tile(np.array([0, 6], np.float32), LENGTH // 2))


def test_integer_clamp_is_off_where_it_is_slower() -> None:
    import tvm

    module = kernel(clamp(0, 6))
    tvm.ir.assert_structural_equal(rewritten(module, wanted=False), module)
    assert not compares_integers(module)


@pytest.mark.parametrize(("low", "high"), [(1, 6), (-1, 6), (0, 0), (0, -1)])
def test_other_bounds_are_left_alone(low: float, high: float) -> None:
    import tvm

    module = kernel(clamp(low, high))
    tvm.ir.assert_structural_equal(rewritten(module), module)


def test_other_expressions_are_left_alone() -> None:
    import tvm
    from tvm import tirx

    zero, six = tirx.const(0, "float32"), tirx.const(6, "float32")
    others: list[Callable[[Any], Any]] = [
        lambda x: tirx.max(x, zero),
        lambda x: tirx.min(x, six),
        lambda x: tirx.max(tirx.min(x, six), zero),
        lambda x: tirx.min(tirx.max(x, zero), x * six),
        lambda x: tirx.min(tirx.max(x, zero) + six, six),
    ]
    for expression in others:
        module = kernel(expression)
        tvm.ir.assert_structural_equal(rewritten(module), module)


def test_numbers_of_other_types_are_left_alone() -> None:
    import tvm
    from tvm import te, tirx

    for kind in ("float16", "float64", "int32"):
        x = te.placeholder((LENGTH,), kind, name="x")
        zero, six = tirx.const(0, kind), tirx.const(6, kind)
        y = te.compute((LENGTH,), lambda i: tirx.min(tirx.max(x[i], zero), six))  # noqa: B023
        module = tvm.IRModule({"main": te.create_prim_func([x, y])})
        tvm.ir.assert_structural_equal(rewritten(module), module)
