"""The compiler, from an imported ONNX graph to a module that TVM can build.

Each function is one phase; the passes of a phase run in the order in which they stand.
"""

from typing import Any

import tvm
from tvm import relax
from tvm.s_tir import dlight

from mobilebench.schedules.databases.lookup import Lookup
from mobilebench.schedules.machine import Gpu, Processor, machine_of
from mobilebench.schedules.opencl_source import compact_kernels
from mobilebench.schedules.passes.flatten import explicit_loops, flat_buffers
from mobilebench.schedules.passes.fold_layout import FoldLayout
from mobilebench.schedules.passes.fuse_blocks import FuseBlocks
from mobilebench.schedules.passes.instrument_kernels import MarkKernels
from mobilebench.schedules.passes.integer_clamp import IntegerClamp
from mobilebench.schedules.passes.lower_operators import LowerOperators
from mobilebench.schedules.passes.merge_kernels import MergeKernels
from mobilebench.schedules.passes.plan_arena import NETWORK_IN_ARENA, PlanArena
from mobilebench.schedules.passes.pool_params import PoolParams
from mobilebench.schedules.passes.relu6 import CanonicalizeReLU6
from mobilebench.schedules.passes.schedule_kernels import ScheduleKernels
from mobilebench.schedules.passes.share_network import PART, ShareNetwork, share, unshared
from mobilebench.schedules.passes.skip_padding import SkipPadding
from mobilebench.schedules.passes.split_concat import SplitConcat
from mobilebench.schedules.passes.store_half import StoreHalf
from mobilebench.schedules.precision import FLOAT16, FLOAT32
from mobilebench.schedules.preference import LATENCY
from mobilebench.targets.catalog.target import Target

KERNEL = "main"
_CONVOLUTION_LAYOUTS = {"NHWC": ["NHWC", "HWIO"], "NCHW": ["NCHW", "OIHW"]}


# Loops that a template marks are split into borders, with padding, and an interior without.
_CONFIG = {
    "s_tir.LoopPartition": {
        "partition_const_loop": True,
        "unroll_loop_with_partition_hint_no_interval": True,
    }
}


def graph_passes(target: Target) -> list[Any]:
    """Phase 1. The imported graph becomes canonical operators in the target's layout."""
    return [
        CanonicalizeReLU6(),
        SplitConcat(),
        relax.transform.ConvertLayout({"relax.nn.conv2d": _CONVOLUTION_LAYOUTS[target.layout]}),
        relax.transform.Normalize(),
        FoldLayout(),
    ]


def fusion_passes(machine: Processor, precision: str) -> list[Any]:
    """Phase 2. Operators become TIR; bias, ReLU6 and residual join their convolution.

    On a GPU half precision is that of weights and activations, on a CPU of stored weights alone.
    """
    stores_half = precision == FLOAT16 and isinstance(machine, Gpu)
    return [
        LowerOperators(machine),
        relax.transform.LegalizeOps(),
        relax.transform.AnnotateTIROpPattern(),
        relax.transform.FuseOps(),
        relax.transform.FuseTIR(),
        relax.transform.DeadCodeElimination(),
        *([StoreHalf()] if stores_half else []),
    ]


def schedule_passes(
    machine: Processor, lookup: Lookup, optimize_for: str, instrumented: bool
) -> list[Any]:
    """Phase 3. Each kernel gets loops that fit the machine; marked, it tells when it is done.

    On a GPU nothing is marked or merged: it launches kernels one by one, and tells their times.
    """
    if isinstance(machine, Gpu):
        # What no template knows gets TVM's own schedule.
        return [
            ScheduleKernels(machine, lookup),
            dlight.ApplyDefaultSchedule(dlight.gpu.Fallback()),
        ]
    return [
        ScheduleKernels(machine, lookup),
        *([MarkKernels()] if instrumented else []),
        MergeKernels(),
        explicit_loops(),
        SkipPadding(),
        IntegerClamp(machine),
        FuseBlocks(machine, optimize_for),
    ]


def memory_passes(machine: Processor) -> list[Any]:
    """Phase 4. Calls write into buffers, which lie in one arena; a GPU's are used again whole.

    Weights lie in one pool, a GPU's each by itself.
    """
    explicit = [
        relax.transform.RewriteDataflowReshape(),
        relax.transform.ToNonDataflow(),
        relax.transform.RemovePurityChecking(),
        relax.transform.CallTIRRewrite(),
    ]
    if isinstance(machine, Gpu):
        return [*explicit, relax.transform.StaticPlanBlockMemory()]
    return [*explicit, flat_buffers(), PlanArena(machine), PoolParams(), ShareNetwork(machine)]


def machine_passes() -> list[Any]:
    """Phase 5. What is left becomes instructions of the Relax virtual machine."""
    return [
        relax.transform.LowerAllocTensor(),
        relax.transform.KillAfterLastUse(),
        relax.transform.LowerRuntimeBuiltin(),
        relax.transform.ComputePrimValue(),
        relax.transform.VMShapeLower(),
        relax.transform.AttachGlobalSymbol(),
    ]


def fuse(
    mod: tvm.IRModule, target: Target, tvm_target: Any, precision: str = FLOAT32
) -> tvm.IRModule:
    """Run phases 1 and 2: the module calls kernels that are not scheduled yet."""
    passes = [*graph_passes(target), *fusion_passes(machine_of(tvm_target), precision)]
    with tvm_target:
        return tvm.transform.Sequential(passes)(mod)


def plan(
    fused: tvm.IRModule,
    tvm_target: Any,
    lookup: Lookup,
    optimize_for: str = LATENCY,
    instrumented: bool = False,
) -> tvm.IRModule:
    """Run phases 3 and 4: the module says which kernels run, in which order, in which storage."""
    machine = machine_of(tvm_target)
    passes = [
        *schedule_passes(machine, lookup, optimize_for, instrumented),
        *memory_passes(machine),
    ]
    with tvm_target:
        return tvm.transform.Sequential(passes)(fused)


def build(planned: tvm.IRModule, tvm_target: Any) -> Any:
    """Run phase 5 on a planned module and generate code for it; returns TVM's executable."""
    with tvm.transform.PassContext(config=_CONFIG), compact_kernels():
        return relax.build(
            planned, tvm_target, relax_pipeline=tvm.transform.Sequential(machine_passes())
        )


def kernel_entry(machine: Processor) -> str:
    """Return the name under which the library of a kernel built by itself has it."""
    return NETWORK_IN_ARENA if machine.threads > 1 else KERNEL


def build_kernel(kernel: tvm.IRModule, tvm_target: Any) -> Any:
    """Generate code for one scheduled kernel as for a whole network; returns TVM's executable.

    For several threads it needs `team.cc` linked beside it, as a network does.
    """
    (function,) = kernel.functions.values()
    machine = machine_of(tvm_target)
    if isinstance(machine, Gpu):
        return tvm.compile(kernel, tvm_target)
    lowered = tvm.IRModule({KERNEL: function})
    passes = [explicit_loops(), SkipPadding(), IntegerClamp(machine), flat_buffers()]
    flat = tvm.transform.Sequential(passes)(lowered)[KERNEL]
    return build_loops(flat, tvm_target)


def build_loops(flat: Any, tvm_target: Any) -> Any:
    """Generate code for one kernel of loops over flat buffers; see `build_kernel`."""
    machine = machine_of(tvm_target)
    if isinstance(machine, Gpu):
        return tvm.compile(tvm.IRModule({KERNEL: flat}), tvm_target)
    threads = machine.threads
    kernel = tvm.IRModule({PART: share(flat, threads)} if threads > 1 else {KERNEL: unshared(flat)})
    with tvm.transform.PassContext(config=_CONFIG):
        return tvm.compile(kernel, tvm_target)
