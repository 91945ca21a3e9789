"""The files from which a runtime loads a network, here or on a board."""

from dataclasses import dataclass
from pathlib import Path

NARROW = "narrow.onnx"  # of `converted`: weights of 7 bits
NARROW_NOTE = "weights of 7 bits, as its instruction for bytes saturates on this CPU"


@dataclass(frozen=True)
class ModelFiles:
    """A network's files, and what a program has to know of it."""

    onnx_path: Path
    converted: Path | None  # directory of the model in the runtime's own form
    input_shape: tuple[int, ...]
    output_shapes: dict[str, tuple[int, ...]]  # by name, in order

    @property
    def narrow_path(self) -> Path | None:
        """The network with weights of 7 bits; None if the CPU needs none."""
        path = self.converted / NARROW if self.converted else None
        return path if path and path.exists() else None
