"""Write a library that calls a C function instead of inferring: `abort`, or `pause` for ever.

saboteur.py FUNCTION HEIGHT WIDTH LIBRARY
"""

import sys

sys.modules["torch"] = None  # type: ignore[assignment]  # it would only slow the start

import tvm  # noqa: E402
from tvm.script import ir as I  # noqa: E402
from tvm.script import relax as R  # noqa: E402
from tvm.script import tirx as T  # noqa: E402

FUNCTION, HEIGHT, WIDTH, LIBRARY = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]


@I.ir_module
class Sabotaged:
    @T.prim_func(private=True, s_tir=True)
    def sabotage(
        image: T.Buffer((1, 3, HEIGHT, WIDTH), "float32"), logits: T.Buffer((1, 1000), "float32")
    ):
        with T.sblock("root"):
            T.evaluate(T.call_extern("int32", FUNCTION))

    @R.function
    def main(image: R.Tensor((1, 3, HEIGHT, WIDTH), "float32")) -> R.Tensor((1, 1000), "float32"):
        cls = Sabotaged
        with R.dataflow():
            logits = R.call_tir(cls.sabotage, (image,), out_ty=R.Tensor((1, 1000), "float32"))
            R.output(logits)
        return logits


tvm.compile(Sabotaged, target="llvm").export_library(LIBRARY)
