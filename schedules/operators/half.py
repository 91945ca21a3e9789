"""Tensors that are stored as half-precision floats, and computed with in float32."""

from tvm import te

from mobilebench.schedules.precision import FLOAT16, FLOAT32

STORED, COMPUTED = FLOAT16, FLOAT32


def half_input(number: int) -> str:
    """Return the name of the block that reads a kernel's argument of that number."""
    return f"from_half_{number}"


def read(data: te.Tensor, number: int) -> te.Tensor:
    """Return a kernel's argument as it is computed with."""
    return te.compute(data.shape, lambda *at: data[at].astype(COMPUTED), name=half_input(number))


def write(data: te.Tensor) -> te.Tensor:
    """Return a kernel's output as it is stored."""
    return te.compute(data.shape, lambda *at: data[at].astype(STORED), name="to_half")
