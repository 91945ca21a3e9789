"""Libraries that call a C function instead of inferring: `abort`, or `pause` for ever."""

from pathlib import Path


def write_library(c_function: str, height: int, width: int, library: Path) -> None:
    """Write a library for images of (1, 3, height, width) whose `main` only calls the function."""
    import tvm
    from tvm import relax, te, tirx

    def call(image: te.Tensor) -> te.Tensor:
        return te.extern(
            (1, 1000),
            [image],
            lambda _inputs, _outputs: tirx.Evaluate(tirx.call_extern("int32", c_function)),
            dtype="float32",
        )

    builder = relax.BlockBuilder()
    image = relax.Var("image", relax.TensorType((1, 3, height, width), "float32"))
    with builder.function("main", [image]):
        with builder.dataflow():
            logits = builder.emit_output(builder.call_te(call, image))
        builder.emit_func_output(logits)
    tvm.compile(builder.finalize(), target="llvm").export_library(str(library))
