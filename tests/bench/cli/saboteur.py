"""Libraries that call a C function instead of inferring: `abort`, or `pause` for ever."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mobilebench.bench.build.artifact import MANIFEST, Artifact
from mobilebench.bench.cache import file_sha256
from mobilebench.bench.models.variant import parse_variant


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


@contextmanager
def sabotaged(artifact: Artifact, c_function: str) -> Iterator[None]:
    """Put a library that calls `c_function` in an artifact's place, for a while."""
    manifest = artifact.directory / MANIFEST
    kept = {path: path.read_bytes() for path in (artifact.library, manifest)}
    variant = parse_variant(artifact.manifest.variant)
    artifact.library.unlink()
    write_library(c_function, variant.height, variant.width, artifact.library)
    changed = json.loads(kept[manifest]) | {"library_sha256": file_sha256(artifact.library)}
    manifest.write_text(json.dumps(changed))
    try:
        yield
    finally:
        for path, content in kept.items():
            path.unlink()
            path.write_bytes(content)
