"""What a library is handed: floating-point numbers, normalised, or the pixels of an image."""

from mobilebench.bench.models.onnx_network import NCHW, NHWC, OTHER, Network, OnnxNetwork, Shape
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.targets.errors import BenchError

FLOATS, PIXELS = "float32", "uint8"
INPUT_TYPES = (FLOATS, PIXELS)


def input_shape(network: Network, kind: str) -> Shape:
    """Return the shape of a network's input of a type; of pixels it is (1, H, W, C)."""
    if kind == PIXELS:
        return (1, network.height, network.width, network.channels)
    return network.input_shape


def input_layout(network: Network, kind: str) -> str:
    """Return the order of an input's axes; empty where they have no names."""
    if kind == PIXELS:
        return NHWC
    return network.layout if isinstance(network, OnnxNetwork) else NCHW


def check_takes_pixels(network: Network, preprocessing: Preprocessing) -> None:
    """Raise BenchError unless it is known how the pixels of an image become a network's input."""
    if network.task == OTHER or not network.channels:
        raise BenchError(
            f"--input {PIXELS}: {network.name} takes {list(network.input_shape)}, and how pixels "
            f"become that is not known; leave out --input {PIXELS}"
        )
    if preprocessing.channels != network.channels:
        raise BenchError(
            f"--input {PIXELS}: {network.name} takes {network.channels} channels, and mean and std "
            f"are known of {preprocessing.channels}; give weights whose manifest has "
            f"{network.channels} of each"
        )
