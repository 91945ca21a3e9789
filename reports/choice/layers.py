"""A network's layers as kernels are named after them, and which kernel a layer is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from mobilebench.reports.records.record import KernelTime

STEM, POINTWISE, DEPTHWISE = "stem", "pointwise", "depthwise"
POOLING, CLASSIFIER = "pooling", "classifier"
_NAME = re.compile(r"(?P<family>\w+) (?P<spatial>[\dx]+) over (?P<reduction>[\dx]+)")
_MOST_PADDING = 64  # lanes by which channels may be padded to whole vectors


@dataclass(frozen=True)
class Layer:
    """One layer with its activation, at the size at which it runs; sizes are of its output."""

    family: str  # of the kernel that computes it
    height: int
    width: int
    inputs: int  # channels
    channels: int  # of the output
    stride: int = 1
    residual: bool = False  # whether the input of its block is added

    @property
    def taps(self) -> int:
        """Pixels that each output pixel is computed from."""
        if self.family == POOLING:
            return self.height * self.width * self.stride**2
        return 9 if self.family in (STEM, DEPTHWISE) else 1

    @property
    def reduced(self) -> int:
        """Products that each output element is a sum of."""
        return self.taps * (1 if self.family in (DEPTHWISE, POOLING) else self.inputs)

    @property
    def outputs(self) -> int:
        """Elements of the output."""
        pixels = 1 if self.family == POOLING else self.height * self.width
        return pixels * self.channels

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.outputs * self.reduced

    @property
    def weights(self) -> int:
        """Weights and biases."""
        return 0 if self.family == POOLING else self.channels * (self.reduced + 1)

    @property
    def moved(self) -> int:
        """Activations that are read and written once."""
        added = self.outputs if self.residual else 0
        pixels = self.height * self.width * self.stride**2
        return pixels * self.inputs + self.outputs + added


def times_of(layers: Sequence[Layer], kernels: Sequence[KernelTime]) -> dict[Layer, float] | None:
    """Return the microseconds of each layer, once; None if some layer is no kernel of its own.

    Layers whose kernels have the same name share the mean of their times.
    """
    named: dict[tuple[str, int, int], dict[int, tuple[float, int]]] = {}
    for kernel in kernels:
        found = _NAME.match(kernel.name)
        if not found:
            continue
        *pixels, channels = map(int, found["spatial"].split("x"))
        key = (found["family"], prod(pixels), prod(map(int, found["reduction"].split("x"))))
        alike = named.setdefault(key, {})
        time, calls = alike.get(channels, (0.0, 0))
        alike[channels] = (time + kernel.microseconds, calls + kernel.calls)
    times: dict[Layer, float] = {}
    for layer in layers:
        size = layer.outputs // layer.channels
        alike = named.get((layer.family, size, layer.reduced), {})
        padded = [one for one in alike if 0 <= one - layer.channels < _MOST_PADDING]
        if not padded:
            return None
        time, calls = alike[min(padded)]
        times[layer] = time / calls
    return times
