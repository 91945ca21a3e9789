"""The compiler, from an imported ONNX graph to TVM's executable.

The passes run in the order in which they stand here, phase by phase; each is a class in a file of
its own name in `passes/`, or one of TVM's. `IRDump` writes the module after every one of them.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.s_tir import dlight

from mobilebench.schedules.databases.lookup import Lookup
from mobilebench.schedules.ir_dump import IRDump
from mobilebench.schedules.machine import Gpu, Machine, Processor, machine_of
from mobilebench.schedules.objective import LATENCY
from mobilebench.schedules.opencl_source import compact_kernels
from mobilebench.schedules.passes.canonicalize_relu6 import CanonicalizeReLU6
from mobilebench.schedules.passes.compute_half import ComputeHalf
from mobilebench.schedules.passes.dot_products import DotProducts
from mobilebench.schedules.passes.explicit_loops import explicit_loops
from mobilebench.schedules.passes.flat_buffers import flat_buffers
from mobilebench.schedules.passes.fold_layout import FoldLayout
from mobilebench.schedules.passes.fuse_blocks import FuseBlocks
from mobilebench.schedules.passes.instrument_kernels import InstrumentKernels
from mobilebench.schedules.passes.integer_clamp import IntegerClamp
from mobilebench.schedules.passes.integer_operators import IntegerOperators
from mobilebench.schedules.passes.lower_operators import LowerOperators
from mobilebench.schedules.passes.merge_kernels import MergeKernels
from mobilebench.schedules.passes.normalize_pixels import NormalizePixels
from mobilebench.schedules.passes.plan_arena import NETWORK_IN_ARENA, PlanArena
from mobilebench.schedules.passes.pool_params import PoolParams
from mobilebench.schedules.passes.repeat_images import RepeatImages, threads_of_an_image
from mobilebench.schedules.passes.saturate_bytes import SaturateBytes
from mobilebench.schedules.passes.schedule_kernels import ScheduleKernels
from mobilebench.schedules.passes.share_network import PART, ShareNetwork, share, unshared
from mobilebench.schedules.passes.skip_padding import SkipPadding
from mobilebench.schedules.passes.split_borders import SplitBorders
from mobilebench.schedules.passes.split_concat import SplitConcat
from mobilebench.schedules.passes.store_half import StoreHalf
from mobilebench.schedules.passes.sums_in_registers import TIR_PIPELINE
from mobilebench.schedules.precision import FLOAT16, FLOAT32, INT8
from mobilebench.targets.catalog.target import Target

KERNEL = "main"
_CONVOLUTION_LAYOUTS = {"NHWC": ["NHWC", "HWIO"], "NCHW": ["NCHW", "OIHW"]}


def computes_half(machine: Processor, precision: str) -> bool:
    """Whether a CPU computes in half precision, and does not only store weights in it."""
    return precision == FLOAT16 and isinstance(machine, Machine) and machine.half


def fusion_passes(target: Target, machine: Processor, precision: str) -> list[Any]:
    """Return the passes from the imported graph to fused kernels without a schedule.

    On a GPU half precision is that of weights and activations, on a CPU of arithmetic too where it
    has that, and else of stored weights alone.
    """
    stores_half = precision == FLOAT16 and isinstance(machine, Gpu)
    return [
        # Phase 1. The imported graph becomes canonical operators in the target's layout.
        CanonicalizeReLU6(),
        *([IntegerOperators(machine)] if precision == INT8 else []),
        NormalizePixels(machine),
        *([ComputeHalf()] if computes_half(machine, precision) else []),
        SplitConcat(),
        relax.transform.ConvertLayout({"relax.nn.conv2d": _CONVOLUTION_LAYOUTS[target.layout]}),
        relax.transform.Normalize(),
        FoldLayout(),
        # Phase 2. Operators become TIR; bias, ReLU6 and residual join their convolution.
        LowerOperators(machine),
        relax.transform.LegalizeOps(),
        relax.transform.AnnotateTIROpPattern(),
        relax.transform.FuseOps(),
        relax.transform.FuseTIR(),
        relax.transform.DeadCodeElimination(),
        *([StoreHalf()] if stores_half else []),
    ]


def cpu_passes(
    machine: Machine, lookup: Lookup, optimize_for: str, instrumented: bool, batch: int = 1
) -> list[Any]:
    """Return the passes that make one function of all kernels, in one piece of memory."""
    team, machine = machine, _for_an_image(machine, batch)
    return [
        # Phase 3. Each kernel gets loops that fit the machine, and all become one.
        ScheduleKernels(machine, lookup),
        *([InstrumentKernels()] if instrumented else []),
        MergeKernels(),
        explicit_loops(),
        SkipPadding(),
        IntegerClamp(machine),
        SaturateBytes(machine),
        DotProducts(machine),
        SplitBorders(),
        tirx.transform.ConvertSSA(),
        FuseBlocks(machine, optimize_for),
        # Phase 4. Activations lie in one arena, weights in one pool; threads share the work.
        relax.transform.RewriteDataflowReshape(),
        relax.transform.ToNonDataflow(),
        relax.transform.RemovePurityChecking(),
        relax.transform.CallTIRRewrite(),
        flat_buffers(),
        PlanArena(machine),
        PoolParams(),
        *([RepeatImages(team, batch)] if batch > 1 else []),
        ShareNetwork(team),
    ]


def gpu_passes(machine: Gpu, lookup: Lookup) -> list[Any]:
    """Return the passes for kernels that are launched one by one, and timed by the driver."""
    return [
        # Phase 3. Each kernel gets its work items; what no template knows gets TVM's own schedule.
        ScheduleKernels(machine, lookup),
        dlight.ApplyDefaultSchedule(dlight.gpu.Fallback()),
        # Phase 4. Buffers are used again whole.
        relax.transform.RewriteDataflowReshape(),
        relax.transform.ToNonDataflow(),
        relax.transform.RemovePurityChecking(),
        relax.transform.CallTIRRewrite(),
        relax.transform.StaticPlanBlockMemory(),
    ]


def vm_passes() -> list[Any]:
    """Return the passes from a planned module to one for the Relax virtual machine."""
    return [
        # Phase 5. What is left becomes the virtual machine's instructions.
        relax.transform.LowerAllocTensor(),
        relax.transform.KillAfterLastUse(),
        relax.transform.LowerRuntimeBuiltin(),
        relax.transform.ComputePrimValue(),
        relax.transform.VMShapeLower(),
        relax.transform.AttachGlobalSymbol(),
    ]


def fuse(
    mod: tvm.IRModule,
    target: Target,
    tvm_target: Any,
    precision: str = FLOAT32,
    *,
    batch: int = 1,
    dump: IRDump | None = None,
) -> tvm.IRModule:
    """Run phases 1 and 2: the module calls kernels that are not scheduled yet.

    `precision` is one of PRECISIONS; the module is for one image, whatever the batch. With a dump,
    the module is written after every pass.
    """
    if dump:
        dump.write_module("import", mod)
    machine = _for_an_image(machine_of(tvm_target), batch)
    return _run(fusion_passes(target, machine, precision), mod, tvm_target, dump)


def plan(
    fused: tvm.IRModule,
    tvm_target: Any,
    lookup: Lookup,
    optimize_for: str = LATENCY,
    instrumented: bool = False,
    *,
    batch: int = 1,
    dump: IRDump | None = None,
) -> tvm.IRModule:
    """Run phases 3 and 4: the module says which kernels run, in which order, in which storage.

    `optimize_for` is one of OBJECTIVES. An instrumented network notes when each kernel is done; on
    a GPU the driver tells it. With a dump, the module is written after every pass.
    """
    machine = machine_of(tvm_target)
    if isinstance(machine, Gpu):
        passes = gpu_passes(machine, lookup)
    else:
        passes = cpu_passes(machine, lookup, optimize_for, instrumented, batch)
    return _run(passes, fused, tvm_target, dump)


def build(planned: tvm.IRModule, tvm_target: Any, *, dump: IRDump | None = None) -> Any:
    """Run phase 5 on a planned module and generate code for it; returns TVM's executable.

    With a dump, the module is written after every pass, and then the generated code.
    """
    passes = dump.after_each(vm_passes()) if dump else vm_passes()
    pipeline = tvm.transform.Sequential(passes)
    kernels = "default" if isinstance(machine_of(tvm_target), Gpu) else TIR_PIPELINE
    with compact_kernels() as sources:
        executable = relax.build(planned, tvm_target, relax_pipeline=pipeline, tir_pipeline=kernels)
    if dump:
        dump.write_code(executable, sources)
    return executable


def write_object(executable: Any, path: Path) -> None:
    """Write a network's code before it is linked, with the names of its functions."""
    generated = next(module for module in executable.mod.imports if module.kind == "llvm")
    generated.write_to_file(str(path), "o")


def _for_an_image(machine: Processor, batch: int) -> Any:
    """Return the machine as it is for one image of a batch."""
    return replace(machine, threads=threads_of_an_image(machine.threads, batch))


def _run(
    passes: list[Any], mod: tvm.IRModule, tvm_target: Any, dump: IRDump | None
) -> tvm.IRModule:
    with tvm_target:
        return tvm.transform.Sequential(dump.after_each(passes) if dump else passes)(mod)


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
    passes = [
        *(explicit_loops(), SkipPadding(), IntegerClamp(machine), SaturateBytes(machine)),
        *(DotProducts(machine), SplitBorders(), tirx.transform.ConvertSSA(), flat_buffers()),
    ]
    flat = tvm.transform.Sequential(passes)(lowered)[KERNEL]
    return build_loops(flat, tvm_target)


def build_loops(flat: Any, tvm_target: Any) -> Any:
    """Generate code for one kernel of loops over flat buffers; see `build_kernel`."""
    machine = machine_of(tvm_target)
    if isinstance(machine, Gpu):
        return tvm.compile(tvm.IRModule({KERNEL: flat}), tvm_target)
    threads = machine.threads
    kernel = tvm.IRModule({PART: share(flat, threads)} if threads > 1 else {KERNEL: unshared(flat)})
    return tvm.compile(kernel, tvm_target, tir_pipeline=TIR_PIPELINE)
