from collections.abc import Callable
from typing import Any

from mobilebench.schedules.machine import Machine

MACHINE = Machine(16, 32)


def test_tasks_differ_by_shape_but_not_by_name(pointwise_kernel: Callable[..., Any]) -> None:
    from mobilebench.schedules.templates.task import task_of

    one = task_of(pointwise_kernel(8, 6, 16, 32, "one"), MACHINE)
    renamed = pointwise_kernel(8, 6, 16, 32, "same").with_attr("global_symbol", "other")
    same = task_of(renamed, MACHINE)
    narrow = task_of(pointwise_kernel(8, 6, 8, 32), MACHINE)
    assert one and same and narrow
    assert one.key == same.key
    assert one.key != narrow.key
    assert one.title == "pointwise 8x6x32 over 16"
    assert one.macs == 8 * 6 * 16 * 32


def test_a_kernel_of_bytes_counts_every_byte_of_a_word() -> None:
    from tvm import te

    from mobilebench.schedules.operators import pointwise
    from mobilebench.schedules.operators.products import WORDS
    from mobilebench.schedules.templates.task import task_of

    data = te.placeholder((1, 8, 6, 18), "uint8")
    weight = te.placeholder((1, 5, 16), "int32")  # words of four, of which the last is half empty
    sums = pointwise.compute(data, weight, 16, WORDS)
    task = task_of(te.create_prim_func([data, weight, sums]), MACHINE)
    assert task
    assert task.title == "pointwise 8x6x16 over 18"
    assert task.macs == 8 * 6 * 16 * 18


def test_a_kernel_without_template_is_no_task() -> None:
    from tvm import te

    from mobilebench.schedules.templates.task import task_of

    x = te.placeholder((4,), "float32")
    doubled = te.create_prim_func([x, te.compute((4,), lambda i: x[i] * 2)])
    assert task_of(doubled, MACHINE) is None
