"""Kernels as fusion leaves them, small ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def pointwise_kernel() -> Callable[..., Any]:
    """Return a maker of pointwise kernels by height, width, inputs and outputs."""

    def make(height: int, width: int, inputs: int, outputs: int, hint: str = "kernel") -> Any:
        from tvm import te

        from schedules.machine import Machine
        from schedules.operators import pointwise
        from schedules.templates.cpu.pointwise import pack

        packed = pack(np.zeros((inputs, outputs), np.float32), Machine(16, 32))
        data = te.placeholder((1, height, width, inputs), "float32", name=f"{hint}_data")
        weight = te.placeholder(packed.shape, "float32", name=f"{hint}_weight")
        return te.create_prim_func([data, weight, pointwise.compute(data, weight, outputs)])

    return make
