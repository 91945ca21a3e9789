from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("without_intrinsics")


def context(function: Any) -> Any:
    import tvm
    from tvm.s_tir import meta_schedule as ms

    from mobilebench.schedules.machine import Machine
    from mobilebench.schedules.templates.space import design_space
    from mobilebench.schedules.templates.task import task_of
    from mobilebench.schedules.tuning.search_strategy import InOrder

    machine = Machine(16, 32)
    task = task_of(function, machine)
    assert task is not None
    return ms.TuneContext(
        tvm.IRModule({"main": function.with_attr("global_symbol", "main")}),
        target={"kind": "llvm", "num-cores": 1},
        space_generator=design_space(task, machine),
        search_strategy=InOrder(),
    )


def numbers(candidates: list[Any]) -> list[int]:
    from mobilebench.schedules.templates.space import tile_number

    return [tile_number(one.sch.trace) for one in candidates]


def test_tiles_are_tried_once_in_order_default_first(pointwise_kernel: Callable[..., Any]) -> None:
    walk = context(pointwise_kernel(8, 8, 16, 32))
    walk.pre_tuning(max_trials=5, num_trials_per_iter=2)
    batches = [walk.generate_measure_candidates() for _ in range(4)]
    assert [numbers(batch) for batch in batches[:3]] == [[0, 1], [2, 3], [4]]
    assert batches[3] is None


def test_measured_candidates_are_not_measured_again(
    pointwise_kernel: Callable[..., Any],
) -> None:
    from tvm.s_tir import meta_schedule as ms

    walk = context(pointwise_kernel(8, 8, 16, 32))
    walk.pre_tuning(max_trials=3, num_trials_per_iter=3)
    database = ms.database.MemoryDatabase()
    workload = database.commit_workload(walk.mod)
    for candidate, seconds in zip(walk.generate_measure_candidates(), (2.0, 1e9, 1.0), strict=True):
        record = ms.database.TuningRecord(candidate.sch.trace, workload, [seconds])
        database.commit_tuning_record(record)
    again = context(pointwise_kernel(8, 8, 16, 32))
    again.pre_tuning(max_trials=5, num_trials_per_iter=4, database=database)
    assert numbers(again.generate_measure_candidates()) == [3, 4]


def test_tiles_make_different_code_that_computes_the_same(
    pointwise_kernel: Callable[..., Any],
) -> None:
    import numpy as np
    import tvm

    walk = context(pointwise_kernel(5, 7, 6, 24))
    walk.pre_tuning(max_trials=6, num_trials_per_iter=6)
    candidates = walk.generate_measure_candidates()
    generator = np.random.default_rng(0)
    data = generator.standard_normal((1, 5, 7, 6), np.float32)
    weight = np.zeros((2, 6, 16), np.float32)
    weight[:, :, :] = generator.standard_normal((2, 6, 16))
    expected = np.einsum("nyxk,pkv->nyxpv", data, weight).reshape(1, 5, 7, 32)[..., :24]
    texts = set()
    for candidate in candidates:
        built = tvm.compile(candidate.sch.mod, "llvm")
        output = tvm.runtime.tensor(np.zeros((1, 5, 7, 24), np.float32))
        built["main"](tvm.runtime.tensor(data), tvm.runtime.tensor(weight), output)
        assert output.numpy() == pytest.approx(expected, abs=1e-4)
        texts.add(str(candidate.sch.mod))
    assert len(texts) == len(candidates)
