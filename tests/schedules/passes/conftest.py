"""Networks as passes meet them, small ones."""

# pyright: reportInvalidTypeForm=false
# TVMScript writes types as calls.

from typing import Any

import pytest


@pytest.fixture
def two_inputs() -> Any:
    """Return a network that is no plain sequence of kernels, for it has two inputs."""
    from tvm.script import ir as I
    from tvm.script import relax as R

    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((4, 5), "float32"), y: R.Tensor((4, 5), "float32")) -> R.Tensor(
            (4, 5), "float32"
        ):
            with R.dataflow():
                a = R.exp(x)
                b = R.add(a, y)
                R.output(b)
            return b

    return Module
