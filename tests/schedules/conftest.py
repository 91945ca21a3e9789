"""Kernels as fusion leaves them, small ones."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def pointwise_kernel() -> Callable[..., Any]:
    """Return a maker of pointwise kernels by height, width, inputs and outputs."""

    def make(height: int, width: int, inputs: int, outputs: int, hint: str = "kernel") -> Any:
        from tvm import te

        from mobilebench.schedules.machine import Machine
        from mobilebench.schedules.operators import pointwise
        from mobilebench.schedules.templates.cpu.pointwise import pack

        packed = pack(np.zeros((inputs, outputs), np.float32), Machine(16, 32))
        data = te.placeholder((1, height, width, inputs), "float32", name=f"{hint}_data")
        weight = te.placeholder(packed.shape, "float32", name=f"{hint}_weight")
        return te.create_prim_func([data, weight, pointwise.compute(data, weight, outputs)])

    return make


@pytest.fixture
def without_intrinsics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep MetaSchedule from reading all of TVM's hardware intrinsics, which no template uses.

    They are hundreds of scripts, parsed for half a minute when the first task is made.
    """
    name = "tvm.s_tir.tensor_intrin"
    if name not in sys.modules:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
