"""From blocks and tensors to loops over flat buffers."""

import tvm
from tvm import s_tir, tirx


def explicit_loops() -> tvm.transform.Sequential:
    """Return the first steps of TVM's own lowering: blocks go, loops and tensors stay."""
    return tvm.transform.Sequential(
        [
            s_tir.transform.CanonicalizeLoop(),
            s_tir.transform.LowerInitBlock(),
            s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
            s_tir.transform.ConvertBlocksToOpaque(),
            s_tir.transform.CompactBufferAllocation(),
            s_tir.transform.LowerMatchBuffer(),
            s_tir.transform.StmtSimplify(),
            s_tir.transform.AnnotateIrregularLoop(),
            s_tir.transform.LowerOpaqueBlock(),
        ]
    )


def flat_buffers() -> tvm.transform.Sequential:
    """Return the steps after it: tensors get one dimension, and indices 32 bits."""
    return tvm.transform.Sequential(
        [tirx.transform.FlattenBuffer(), tirx.transform.NarrowDataType(32)]
    )
