"""Compute in half precision."""

from typing import Any

import tvm
from tvm import relax

from mobilebench.schedules.precision import FLOAT16


@tvm.transform.module_pass(opt_level=0, name="ComputeHalf")
class ComputeHalf:
    """Have convolutions and matrix products take and give half-precision floats.

    The network's input and output stay float32. Runs on the imported graph.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        mixed: tvm.IRModule = relax.transform.ToMixedPrecision(out_dtype=FLOAT16)(mod)
        return mixed
