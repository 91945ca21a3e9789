"""A network's weights in one piece, and where a library has them."""

from dataclasses import dataclass

import numpy as np

from schedules.precision import FLOAT32

PARAMS_FILE = "params.bin"  # as `params.cc` calls it
EMBEDDED, APART = "embedded", "apart"
PLACES = (EMBEDDED, APART)
"""Where the weights are: in the library, or in a file beside it."""


@dataclass(frozen=True)
class Pool:
    """The weights of a network, and how they are kept."""

    content: bytes  # as the network reads them
    place: str = EMBEDDED
    stored: str = FLOAT32  # or half the size, and widened when they are loaded

    def stored_bytes(self) -> bytes:
        """Return what is written to the library or to the file."""
        if self.stored == FLOAT32:
            return self.content
        return np.frombuffer(self.content, np.float32).astype(np.float16).tobytes()
