"""Tensors of one dimension."""

import tvm
from tvm import tirx


def flat_buffers() -> tvm.transform.Sequential:
    """Return what follows `explicit_loops`: tensors get one dimension, and indices 32 bits."""
    return tvm.transform.Sequential(
        [tirx.transform.FlattenBuffer(), tirx.transform.NarrowDataType(32)], name="FlatBuffers"
    )
