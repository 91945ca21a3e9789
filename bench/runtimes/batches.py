"""Inputs one after the other through a network that takes several at once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = tuple[NDArray[Any], ...]


def in_batches(inputs: NDArray[Any], size: int, infer: Callable[[NDArray[Any]], Arrays]) -> Arrays:
    """Return the outputs (N, ...) of N inputs, of which `infer` takes `size` at once.

    The last batch is filled up with inputs from the beginning, whose outputs are dropped.
    """
    whole = -(-len(inputs) // size) * size
    padded = inputs[np.arange(whole) % len(inputs)] if whole > len(inputs) else inputs
    found = [infer(padded[first : first + size]) for first in range(0, whole, size)]
    return tuple(np.concatenate(one)[: len(inputs)] for one in zip(*found, strict=True))
