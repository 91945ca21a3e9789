"""Small kernels for OpenCL, scheduled by TVM's own rules for GPUs."""

from pathlib import Path
from typing import Any

import tvm
from tvm import te
from tvm.s_tir import dlight as dl

TARGET = tvm.target.Target({"kind": "opencl", "max_num_threads": 256}, host={"kind": "llvm"})


def scale(length: Any) -> Any:
    """Return `out = a * factor`."""
    a, factor = te.placeholder((length,), name="a"), te.var("factor", "float32")
    out = te.compute((length,), lambda i: a[i] * factor, name="out")
    return te.create_prim_func([a, factor, out])


def add_scalars(types: list[str]) -> Any:
    """Return `out = a + (the sum of one scalar of each type)`."""
    a = te.placeholder((64,), name="a")
    scalars = [te.var(f"of_{name}", name) for name in types]
    out = te.compute((64,), lambda i: a[i] + sum(s.astype("float32") for s in scalars), name="out")
    return te.create_prim_func([a, *scalars, out])


def matmul(size: int) -> Any:
    """Return `out = a @ b`."""
    a, b = (te.placeholder((size, size), name=name) for name in "ab")
    k = te.reduce_axis((0, size), name="k")
    out = te.compute((size, size), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="out")
    return te.create_prim_func([a, b, out])


def shares(rows: int, columns: int) -> Any:
    """Return `out = a / (the sum of its row)`, two kernels with the sums between them."""
    a = te.placeholder((rows, columns), name="a")
    k = te.reduce_axis((0, columns), name="k")
    sums = te.compute((rows,), lambda i: te.sum(a[i, k], axis=k), name="sums")
    out = te.compute((rows, columns), lambda i, j: a[i, j] / sums[i], name="out")
    return te.create_prim_func([a, out])


def compile_for_opencl(function: Any) -> Any:
    """Return the executable whose `main` is the function on a device."""
    module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    with TARGET:
        module = dl.ApplyDefaultSchedule(dl.gpu.Matmul(), dl.gpu.Fallback())(module)
    return tvm.compile(module, target=TARGET)


def export(function: Any, library: Path) -> Path:
    """Write a library whose `main` is the function on a device."""
    compile_for_opencl(function).export_library(str(library))
    return library
