"""A network's weights in one piece, and where a library has them."""

from dataclasses import dataclass

import numpy as np

from mobilebench.schedules.precision import FLOAT16, FLOAT32
from mobilebench.targets.errors import BenchError

PARAMS_FILE = "params.bin"  # as `params.cc` calls it
EMBEDDED, EXTERNAL = "embedded", "external"
PARAMS_STORAGES = (EMBEDDED, EXTERNAL)
"""Where the weights are: in the library, or in a file beside it."""


@dataclass(frozen=True)
class ParamsPool:
    """The weights of a network, and how they are kept."""

    content: bytes  # as the network reads them
    place: str = EMBEDDED
    stored: str = FLOAT32  # the precision; float16 is widened when it is loaded

    def stored_bytes(self) -> bytes:
        """Return what is written; raises BenchError for weights beyond half precision."""
        if self.stored != FLOAT16:
            return self.content
        whole = np.frombuffer(self.content, np.float32)
        with np.errstate(over="ignore"):
            half = whole.astype(np.float16)
        if lost := int((np.isinf(half) & np.isfinite(whole)).sum()):
            raise BenchError(
                f"{lost} weights are too large for {self.stored}; store them as float32"
            )
        return half.tobytes()
