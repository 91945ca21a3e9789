"""A network of the user's own, given as an ONNX file; what may stand where a variant does."""

from dataclasses import dataclass

import numpy as np

from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.variant import Variant

ONNX = "onnx"  # where a variant has the name of its family
OTHER = "other"  # the task of what is no classifier and no segmenter
NCHW, NHWC = "NCHW", "NHWC"

ROUNDINGS, _MOST_ROUNDING = 5.0, 1e-2

Shape = tuple[int, ...]


def of_batch(shape: Shape, batch: int) -> Shape:
    """Return what the shape of one image's tensor is for a batch of images."""
    return (batch * shape[0], *shape[1:])


@dataclass(frozen=True)
class OnnxNetwork:
    """What is known of an ONNX file before it is run; it has one input, of a batch of one."""

    name: str  # the file's stem, and the input's shape where the file leaves that open
    source: str  # absolute path of the file
    sha256: str  # of the file and of the external data that belongs to it
    given_shape: Shape | None  # of the input, where the user has said it
    input_shape: Shape
    layout: str  # NCHW or NHWC; empty if the input has no rows and columns of pixels
    outputs: tuple[tuple[str, Shape], ...]  # their names, such as file names may be, and shapes
    task: str
    quantized: bool  # whether it has QuantizeLinear and DequantizeLinear
    probabilities: bool  # whether its last operator is a softmax or a sigmoid
    missing: str  # operator that PyTorch has no form of here; ONNX Runtime is the reference then
    rounding_error: float  # relative L2, of PyTorch in float32 against float64; 0 if unknown
    macs: int
    params_count: int
    largest_tensor_bytes: int  # at float32
    constant: bool = False  # whether its answers to random inputs are all the same

    # What a variant has in its name, and an ONNX file does not tell.
    family = ONNX
    network = ONNX
    width_multiplier = 1.0
    expansion_factor = 1

    @property
    def rounding_tolerance(self) -> float:
        """How far a runtime may be for rounding alone: some times as far as PyTorch's float32."""
        return round(min(ROUNDINGS * self.rounding_error, _MOST_ROUNDING), 6)

    @property
    def height(self) -> int:
        """Rows of the input; 0 if it has none."""
        return self.input_shape[self.layout.index("H")] if self.layout else 0

    @property
    def width(self) -> int:
        """Pixels of a row of the input; 0 if it has none."""
        return self.input_shape[self.layout.index("W")] if self.layout else 0

    @property
    def channels(self) -> int:
        """Channels of the input; 0 if it has none."""
        return self.input_shape[self.layout.index("C")] if self.layout else 0

    @property
    def classes(self) -> int:
        """How many values its last output has for each image, or for each pixel."""
        _, shape = self.outputs[-1]
        return shape[1 if len(shape) > 1 else 0]

    @property
    def labels(self) -> int:
        """How many classes its answers tell apart: of a single logit two, by its sign."""
        return max(2, self.classes)


Network = Variant | OnnxNetwork
"""What is measured, tuned and exported."""


def in_layout(images: Floats, network: Network) -> Floats:
    """Return images (N, C, H, W) with their axes in the order in which a network takes them."""
    if isinstance(network, OnnxNetwork) and network.layout == NHWC:
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    return images
