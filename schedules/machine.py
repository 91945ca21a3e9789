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
    l2_bytes_per_cycle: float = 44.0  # that a core reads from it
    by_lane: bool = False  # it multiplies a vector by one lane of another
    integer_clamp: bool = False  # it compares integers no later than floating-point numbers

    @property
    def vector_bytes(self) -> int:
        """Bytes of a vector register."""
        return self.vector_floats * FLOAT_BITS // 8


@dataclass(frozen=True)
class _VectorUnit:
    feature: str  # LLVM's name
    bits: int
    registers: int  # architectural
    l2_bytes_per_cycle: float
    by_lane: bool = False
    integer_clamp: bool = False


# The first that a target has counts. What the second cache delivers was measured on Zen 5; Arm's
# optimization guides of Cortex-A72 and A76 tell 16 to 32 bytes a cycle.
_VECTOR_UNITS = (
    _VectorUnit("avx512f", 512, 32, 44.0),
    _VectorUnit("avx2", 256, 16, 44.0),
    _VectorUnit("neon", 128, 32, 16.0, by_lane=True, integer_clamp=True),
    _VectorUnit("sse2", 128, 16, 44.0),
)


def machine_of(tvm_target: Any) -> Machine:
    """Return what LLVM says of a target's CPU."""
    from tvm.target import codegen

    threads = int(tvm_target.attrs.get("num-cores", 1))
    for unit in _VECTOR_UNITS:
        if codegen.target_has_features(unit.feature, tvm_target):
            return Machine(
                unit.bits // FLOAT_BITS,
                unit.registers,
                threads,
                l2_bytes_per_cycle=unit.l2_bytes_per_cycle,
                by_lane=unit.by_lane,
                integer_clamp=unit.integer_clamp,
            )
    return Machine(vector_floats=4, registers=16, threads=threads)
