"""What an operator multiplies: floating-point numbers, or words of bytes."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tvm import te, tirx

from mobilebench.schedules.operators.dot_product import channel_words, dot


@dataclass(frozen=True)
class Products:
    """How values are read and multiplied by weights, and what lies around an image."""

    multiply: Callable[[Any, Any], Any]
    channels: Callable[[te.Tensor], te.Tensor]  # of NHWC data, as they are multiplied
    border: te.Tensor | None = None  # (1,) of float32; None for zeros

    def beyond(self, data: te.Tensor) -> Any:
        """Return the value of what is beyond the edges of some data."""
        if self.border is None:
            return tirx.const(0, data.dtype)
        return self.border[0].astype(data.dtype)


FLOATS = Products(operator.mul, lambda data: data)
WORDS = Products(dot, channel_words)  # of bytes, as they are stored
