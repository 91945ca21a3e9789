"""From TVM's blocks to loops."""

import tvm
from tvm import s_tir


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
        ],
        name="ExplicitLoops",
    )
