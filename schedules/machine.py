"""What a schedule needs to know of a processor."""

from dataclasses import dataclass
from typing import Any

FLOAT_BITS = 32


@dataclass(frozen=True)
class Machine:
    """The vector unit of a CPU core."""

    vector_floats: int  # float32 lanes of a register
    registers: int  # vector registers
    threads: int = 1  # that one inference runs on
    l1_bytes: int = 32 * 1024  # data cache of a core; no common core has less
    l2_bytes: int = 512 * 1024  # second cache of a core; most have as much

    @property
    def vector_bytes(self) -> int:
        """Bytes of a vector register."""
        return self.vector_floats * FLOAT_BITS // 8


# LLVM's feature name, register bits, architectural vector registers; the first that fits counts.
_VECTOR_UNITS = (("avx512f", 512, 32), ("avx2", 256, 16), ("neon", 128, 32), ("sse2", 128, 16))


def machine_of(tvm_target: Any) -> Machine:
    """Return what LLVM says of a target's CPU."""
    from tvm.target import codegen

    threads = int(tvm_target.attrs.get("num-cores", 1))
    for feature, bits, registers in _VECTOR_UNITS:
        if codegen.target_has_features(feature, tvm_target):
            return Machine(bits // FLOAT_BITS, registers, threads)
    return Machine(vector_floats=4, registers=16, threads=threads)
