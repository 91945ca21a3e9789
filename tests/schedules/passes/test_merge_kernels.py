# pyright: reportInvalidTypeForm=false
# TVMScript writes types as calls.

from typing import Any

import numpy as np

from tests.schedules.passes.run_pass import run_pass


def lowered(function: Any) -> Any:
    from tvm import relax

    module = relax.transform.LegalizeOps()(function)
    return relax.transform.FoldConstant()(module)


def run(module: Any, *inputs: np.ndarray) -> np.ndarray:
    import tvm
    from tvm.runtime import vm

    from mobilebench.schedules.machine import Machine
    from mobilebench.schedules.passes.explicit_loops import explicit_loops
    from mobilebench.schedules.passes.flat_buffers import flat_buffers
    from mobilebench.schedules.passes.plan_arena import PlanArena

    passes = [
        tvm.relax.transform.ToNonDataflow(),
        tvm.relax.transform.RemovePurityChecking(),
        tvm.relax.transform.CallTIRRewrite(),
        explicit_loops(),
        flat_buffers(),
        PlanArena(Machine(vector_floats=4, registers=16)),
    ]
    built = tvm.compile(tvm.transform.Sequential(passes)(module), target="llvm")
    machine = vm.VirtualMachine(built, tvm.cpu())
    result: np.ndarray = machine["main"](*map(tvm.runtime.tensor, inputs)).numpy()
    return result


def kernels(module: Any) -> list[str]:
    from tvm import tirx

    return sorted(
        name.name_hint for name, f in module.functions_items() if isinstance(f, tirx.PrimFunc)
    )


def test_merged_kernels_compute_the_same() -> None:
    from tvm.script import ir as I
    from tvm.script import relax as R

    from mobilebench.schedules.passes.merge_kernels import MergeKernels

    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((4, 5), "float32")) -> R.Tensor((4, 5), "float32"):
            with R.dataflow():
                a = R.exp(x)
                b = R.add(a, x)
                c = R.multiply(b, a)
                y = R.add(c, R.const(2.0, "float32"))
                R.output(y)
            return y

    module = run_pass(MergeKernels(), lowered(Module))
    assert kernels(module) == ["network"]
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    expected = (np.exp(x) + x) * np.exp(x) + 2
    np.testing.assert_allclose(run(module, x), expected, rtol=1e-5)


def test_a_network_with_two_inputs_is_not_merged(two_inputs: Any) -> None:
    from mobilebench.schedules.passes.merge_kernels import MergeKernels

    module = run_pass(MergeKernels(), lowered(two_inputs))
    assert len(kernels(module)) == 2
    x = np.ones((4, 5), np.float32)
    np.testing.assert_allclose(run(module, x, x), np.exp(x) + x, rtol=1e-5)
