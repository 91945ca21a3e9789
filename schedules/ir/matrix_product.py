"""The product of two small matrices of bytes, as TVM's tensor intrinsic."""

from functools import cache

from tvm.s_tir import TensorIntrin
from tvm.script import from_source

_KERNEL = """
@T.prim_func(s_tir=True)
def main(a: T.handle, b: T.handle, c: T.handle):
    A = T.match_buffer(a, (2, 8), "int8", offset_factor=1)
    B = T.match_buffer(b, (2, 8), "int8", offset_factor=1)
    C = T.match_buffer(c, (2, 2), "int32", offset_factor=1)
    with T.sblock("root"):
        T.reads(C[0:2, 0:2], A[0:2, 0:8], B[0:2, 0:8])
        T.writes(C[0:2, 0:2])
"""
_LOOPS = """
        for i, j, k in T.grid(2, 2, 8):
            with T.sblock("sum"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                C[vi, vj] = C[vi, vj] + T.cast(A[vi, vk], "int32") * T.cast(B[vj, vk], "int32")
"""
_INSTRUCTION = """
        C[0, T.ramp(0, 1, 4)] = T.call_llvm_pure_intrin(
            T.llvm_lookup_intrinsic_id("llvm.aarch64.neon.smmla.v4i32.v16i8"),
            C[0, T.ramp(0, 1, 4)],
            A[0, T.ramp(0, 1, 16)],
            B[0, T.ramp(0, 1, 16)],
            dtype="int32x4",
        )
"""


@cache
def matrix_product() -> str:
    """Return the name of Arm's `smmla` as TVM knows it: what loops it is, and what to compute.

    The loops add to C (2, 2), of int32, the products of the rows of A (2, 8) by those of B (2, 8),
    of int8. All three lie in memory without gaps.
    """
    name = "mobilebench.smmla"
    TensorIntrin.register(name, from_source(_KERNEL + _LOOPS), from_source(_KERNEL + _INSTRUCTION))
    return name
