from typing import Any

import numpy as np
import pytest

from tests.schedules.passes.run_pass import run_pass

HEIGHT, WIDTH = 9, 6


def _window(stride: int, padding: int) -> Any:
    """Return a module that sums three rows of bytes around a row; outside the image they are 7."""
    import tvm
    from tvm import s_tir, te, tirx

    from mobilebench.schedules.templates.annotations import BORDERS

    rows = (HEIGHT + 2 * padding - 3) // stride + 1
    x = te.placeholder((HEIGHT, WIDTH), "int32", name="x")

    def value(row: Any, column: Any) -> Any:
        inside = tirx.all(row >= padding, row < HEIGHT + padding)
        return tirx.if_then_else(inside, x[row - padding, column], tirx.const(7, "int32"))

    def total(row: Any, column: Any) -> Any:
        return sum(value(row * stride + tap, column) for tap in range(3))

    y = te.compute((rows, WIDTH), total, name="y")
    schedule = s_tir.Schedule(tvm.IRModule({"main": te.create_prim_func([x, y])}))
    outer, _ = schedule.get_loops(schedule.get_sblock("y"))
    schedule.annotate(outer, BORDERS, 1)
    return schedule.mod


def _split(module: Any) -> Any:
    import tvm
    from tvm import tirx

    from mobilebench.schedules.passes.explicit_loops import explicit_loops
    from mobilebench.schedules.passes.split_borders import SplitBorders

    passes = [explicit_loops(), SplitBorders(), tirx.transform.ConvertSSA()]
    return run_pass(tvm.transform.Sequential(passes), module)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_rows_at_the_borders_are_as_right_as_those_inside(stride: int, padding: int) -> None:
    import tvm

    x = np.arange(HEIGHT * WIDTH, dtype=np.int32).reshape(HEIGHT, WIDTH)
    padded = np.pad(x, ((padding, padding), (0, 0)), constant_values=7)
    expected = np.stack([padded[row : row + 3].sum(0) for row in range(0, len(padded) - 2, stride)])
    built = tvm.compile(_split(_window(stride, padding)), "llvm")
    found = tvm.runtime.tensor(np.zeros_like(expected, np.int32))
    built(tvm.runtime.tensor(x), found)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_rows_inside_are_computed_without_conditions() -> None:
    inside, _, borders = _split(_window(1, 1)).script().partition("else:")
    assert "if_then_else" not in inside
    assert "if_then_else" in borders


def test_a_loop_without_conditions_is_not_copied() -> None:
    assert "else:" not in _split(_window(1, 0)).script()
