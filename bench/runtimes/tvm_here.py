"""TVM on this machine in the process that asks, as in an application: no RPC in between."""

import os

import numpy as np
import tvm
from tvm.runtime import vm

from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.in_process import InProcessRuntime
from mobilebench.bench.runtimes.runtime import ENTRY, Workload
from mobilebench.targets.errors import BenchError

_FASTEST_CORES = 1  # TVM's affinity mode


class TvmHere(InProcessRuntime):
    """A library of this machine's CPU."""

    def prepare(self, workload: Workload, threads: int) -> None:
        """Load the library and its weights; raises BenchError if nothing was built."""
        if workload.library is None:
            raise BenchError(f"{workload.variant.name}: nothing was built for TVM to run")
        os.environ["TVM_NUM_THREADS"] = str(threads)  # read when the first inference starts them
        library = tvm.runtime.load_module(str(workload.library))
        if workload.params_path:
            library.get_function("load_params", True)(str(workload.params_path))
        self._machine = vm.VirtualMachine(library, tvm.cpu())
        tvm.get_global_func("runtime.config_threadpool")(_FASTEST_CORES, threads)
        self.set_input(np.zeros(workload.input_shape, workload.input_type))

    def set_input(self, image: Floats) -> None:
        """Put one input of the library's shape in place."""
        self._machine.set_input(ENTRY, tvm.runtime.tensor(image))

    def run(self) -> Outputs:
        """Run one inference."""
        self._machine.invoke_stateful(ENTRY)
        outputs = self._machine.get_outputs(ENTRY)
        several = outputs if isinstance(outputs, (list, tuple)) else (outputs,)
        return tuple(output.numpy() for output in several)
