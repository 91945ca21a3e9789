"""Normalise the pixels that a network takes, in one kernel."""

from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from mobilebench.schedules.ir.pixels import normalised_pixels
from mobilebench.schedules.ir.quantized import QuantizedGraph
from mobilebench.schedules.ir.rewrite import rewrite_functions
from mobilebench.schedules.machine import Machine, Processor
from mobilebench.schedules.operators import image_planes

_OPAQUE = 8  # TVM's op pattern: nothing is fused into it


@tvm.transform.module_pass(opt_level=0, name="NormalizePixels")
class NormalizePixels:
    """Make one operator of what turns pixels, row by row, into normalised planes.

    What reads the planes is then the same as in a network that takes them, and is scheduled alike.
    Runs on the imported graph.
    """

    def __init__(self, machine: Processor) -> None:
        self._machine = machine

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return rewrite_functions(mod, _Normalizer(mod, self._machine))


@mutator
class _Normalizer(PyExprMutator):
    def __init__(self, mod: tvm.IRModule, machine: Processor) -> None:
        super().__init__(mod)
        self._graph = QuantizedGraph(mod["main"])
        self._in_vectors = isinstance(machine, Machine)

    def visit_call_(self, call: Any) -> Any:
        found = normalised_pixels(call, self._graph.value)
        if found is None:
            return self.visit_expr_post_order(call)
        numbers = np.stack([found.factor, found.addend]).astype(np.float32)
        return self.builder_.call_te(
            image_planes.compute,
            found.source,
            relax.const(numbers),
            in_vectors=self._in_vectors,
            primfunc_name_hint="image_planes",
            primfunc_attrs={"op_pattern": _OPAQUE},
        )
