"""What a schedule needs to know of a processor."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from mobilebench.schedules.precision import FLOAT16

FLOAT_BITS = 32
HALF_BYTES = 2
# How processors add products of bytes: x86's of four unsigned by signed ones, its of two 16-bit
# numbers, Arm's of four signed ones, and its of pairs of signed ones.
VNNI, PAIRS, SDOT, SMULL = "vnni", "pairs", "sdot", "smull"


@dataclass(frozen=True)
class Machine:
    """The vector unit of a CPU core."""

    device_type: ClassVar = "cpu"
    vector_floats: int  # float32 lanes of a register
    registers: int  # vector registers
    threads: int = 1  # that one inference runs on
    l1_bytes: int = 32 * 1024  # data cache of a core; no common core has less
    l2_bytes: int = 512 * 1024  # second cache of a core; most have as much
    l2_bytes_per_cycle: float = 44.0  # that a core reads from it
    by_lane: bool = False  # it multiplies a vector by one lane of another
    integer_clamp: bool = False  # it compares integers no later than floating-point numbers
    dot: str = ""  # how it adds products of bytes: one of those above, or "" for one by one
    byte_matrices: bool = False  # it multiplies 2x8 by 8x2 signed bytes, as Arm's smmla does
    writes_bytes: bool = False  # a vector of bytes is made of several of sums, and written whole
    half: bool = False  # it computes with half-precision floats
    float_bytes: int = 4  # of those that it is asked to compute with

    def computing(self, kind: str) -> "Machine":
        """Return it as it is for kernels of a kind of numbers: twice as wide for float16."""
        if kind != FLOAT16 or self.float_bytes == HALF_BYTES:
            return self
        return replace(self, vector_floats=2 * self.vector_floats, float_bytes=HALF_BYTES)

    @property
    def vector_bytes(self) -> int:
        """Bytes of a vector register."""
        return self.vector_floats * self.float_bytes

    @property
    def byte_lanes(self) -> int:
        """Values of a vector of bytes while sums are made of them, or bytes of sums."""
        return self.vector_bytes if self.writes_bytes else self.vector_floats


@dataclass(frozen=True)
class Gpu:
    """A device that runs work items in groups, as OpenCL sees it."""

    device_type: ClassVar = "opencl"
    vector_floats: int  # that a work item loads or multiplies at once
    registers: int  # vectors that a work item may hold before fewer of them run at a time
    work_group: int  # most work items of a group
    local_bytes: int  # that a group shares
    subgroup: int  # work items in step; 1 on a CPU, where they run one after the other
    compute_units: int
    threads: int = 1  # of the host

    @property
    def busy_items(self) -> int:
        """How many work items keep it busy."""
        return self.compute_units * self.subgroup * _SUBGROUPS_TO_BE_BUSY


Processor = Machine | Gpu
_SUBGROUPS_TO_BE_BUSY = 8  # of a compute unit, so that some compute while others wait for memory
# Floats that a work item may hold: half of what one of Arm's Valhall or an Adreno can have, and,
# where a CPU is the device, what its vector registers hold if the driver uses those of 256 bits.
_ITEM_FLOATS, _CPU_ITEM_FLOATS = 128, 256


@dataclass(frozen=True)
class _VectorUnit:
    feature: str  # LLVM's name
    bits: int
    registers: int  # architectural
    l2_bytes_per_cycle: float
    by_lane: bool = False
    integer_clamp: bool = False
    writes_bytes: bool = False


# The first that a target has counts. What the second cache delivers was measured on Zen 5; Arm's
# optimization guides of Cortex-A72 and A76 tell 16 to 32 bytes a cycle.
_VECTOR_UNITS = (
    _VectorUnit("avx512f", 512, 32, 44.0),
    _VectorUnit("avx2", 256, 16, 44.0),
    _VectorUnit("neon", 128, 32, 16.0, by_lane=True, integer_clamp=True, writes_bytes=True),
    _VectorUnit("sse2", 128, 16, 44.0),
)


def machine_of(tvm_target: Any) -> Processor:
    """Return what LLVM says of a target's CPU, or what the target says of an OpenCL device."""
    from tvm.target import codegen

    if str(tvm_target.kind.name) == "opencl":
        return _gpu(tvm_target.attrs)
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
                dot=_dot(tvm_target),
                byte_matrices=bool(codegen.target_has_features("i8mm", tvm_target)),
                writes_bytes=unit.writes_bytes,
                half=bool(codegen.target_has_features("fullfp16", tvm_target)),
            )
    return Machine(vector_floats=4, registers=16, threads=threads)


_DOT_FEATURES = {  # LLVM's names; the first that a target has counts
    "avx512vnni": VNNI,
    "avxvnni": VNNI,
    "sse2": PAIRS,
    "dotprod": SDOT,
    "neon": SMULL,
}


def _dot(tvm_target: Any) -> str:
    """Return how a processor adds products of bytes."""
    from tvm.target import codegen

    has = codegen.target_has_features
    return next((dot for name, dot in _DOT_FEATURES.items() if has(name, tvm_target)), "")


def _gpu(attrs: Any) -> Gpu:
    vector_floats = int(attrs.get("feature.vector_floats", 4))
    runs_in_step = int(attrs["thread_warp_size"]) > 1
    return Gpu(
        vector_floats=vector_floats,
        registers=(_ITEM_FLOATS if runs_in_step else _CPU_ITEM_FLOATS) // vector_floats,
        work_group=int(attrs["max_num_threads"]),
        local_bytes=int(attrs["max_shared_memory_per_block"]),
        subgroup=int(attrs["thread_warp_size"]),
        compute_units=int(attrs.get("feature.compute_units", 1)),
    )
