"""What networks take and put out, and what PyTorch answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


Outputs = tuple[Floats, ...]
"""A network's outputs in their order, each for N inputs: (N, ...)."""


INPUTS = 4


@dataclass(frozen=True)
class Reference:
    """Inputs (N, 3, H, W), and what PyTorch answers.

    Of outputs with four axes it may have every `stride`-th row and column alone.
    """

    inputs: Floats
    outputs: Outputs
    stride: int = 1

    def thinned(self, outputs: Outputs) -> Outputs:
        """Return of a runtime's outputs what there is to compare with."""
        return thin(outputs, self.stride)


def thin(outputs: Outputs, stride: int) -> Outputs:
    """Return every `stride`-th row and column of outputs (N, C, H, W), and others as they are."""
    return tuple(one[..., ::stride, ::stride] if one.ndim == 4 else one for one in outputs)


def seeded_inputs(shape: tuple[int, ...], seed: int, count: int = INPUTS) -> Floats:
    """Return `count` standard normal inputs, the distribution of normalised pixels.

    Shape: (count, *shape without its batch dimension).
    """
    generator = np.random.default_rng(seed)
    return generator.standard_normal((count, *shape[1:]), dtype=np.float32)
