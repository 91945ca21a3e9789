"""What networks take and put out, and what PyTorch answers."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilebench.targets.errors import BenchError

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Inputs = Floats | Pixels
"""Of N images: floats (N, 3, H, W), or pixels (N, H, W, 3)."""

Outputs = tuple[Floats, ...]
"""A network's outputs in their order, each for N inputs: (N, ...)."""


INPUT_NAME = "input"  # of every exported network
INPUTS = 4


@dataclass(frozen=True)
class Reference:
    """Inputs, and what PyTorch answers.

    Of outputs with four axes it may have every `stride`-th row and column alone.
    """

    inputs: Inputs
    outputs: Outputs
    stride: int = 1

    def thinned(self, outputs: Outputs) -> Outputs:
        """Return of a runtime's outputs what there is to compare with."""
        return thin(outputs, self.stride)


def thin(outputs: Outputs, stride: int) -> Outputs:
    """Return every `stride`-th row and column of outputs (N, C, H, W), and others as they are."""
    return tuple(one[..., ::stride, ::stride] if one.ndim == 4 else one for one in outputs)


def check_finite(outputs: Outputs, names: Iterable[str], subject: str, reference: str) -> None:
    """Raise BenchError, beginning with `subject`, if what runtimes are compared with is not finite.

    `reference` is who computed the outputs, of which each has a name.
    """
    for name, values in zip(names, outputs, strict=True):
        if not np.isfinite(values).all():
            kind = "NaN" if np.isnan(values).any() else "infinite"
            raise BenchError(
                f"{subject}: {reference} itself puts out {kind} values ({name}), so that there is "
                "nothing to compare runtimes with; look for weights that are too large, a division "
                "by 0, or a logarithm or root of what may be negative"
            )


def top_class(logits: Floats, axis: int) -> NDArray[np.int64]:
    """Return the class with the largest logit; of a single logit whether it is above 0.

    Of equal ones the first counts. Shape: the logits', without the axis.
    """
    if logits.shape[axis] == 1:
        return (logits > 0).squeeze(axis).astype(np.int64)
    found: NDArray[np.int64] = logits.argmax(axis=axis)
    return found


def seeded_inputs(shape: tuple[int, ...], seed: int, count: int = INPUTS) -> Floats:
    """Return `count` standard normal inputs, the distribution of normalised pixels.

    Shape: (count, *shape without its batch dimension).
    """
    generator = np.random.default_rng(seed)
    return generator.standard_normal((count, *shape[1:]), dtype=np.float32)


def save_outputs(path: Path, names: Iterable[str], outputs: Outputs, **others: Any) -> None:
    """Write outputs by their names, and other arrays before them, as .npz."""
    named: dict[str, Any] = dict(zip(names, outputs, strict=True))
    np.savez(path, **others, **named)


def largest_error(found: Outputs, expected: Outputs) -> float:
    """Return the relative L2 error of the output, for all inputs at once, that is farthest off."""
    return max(
        float(np.linalg.norm(one - other) / np.linalg.norm(other))
        for one, other in zip(found, expected, strict=True)
    )
