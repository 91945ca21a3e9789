"""Whether a runtime computes what PyTorch computes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

INPUTS = 4
TOLERANCE = {"float32": 1e-5, "float16": 1e-2}
"""Largest relative L2 error that counts as right, by precision. Reassociated sums of the network's
52 convolutions differ by some 5e-7, tensors rounded to half precision by some 1e-3; a wrong
padding, layout or activation by more than 1e-2."""


@dataclass(frozen=True)
class Fidelity:
    """How far outputs are from PyTorch's on the same inputs."""

    max_abs_error: float
    relative_l2_error: float  # the largest over the inputs; infinite if an output is not finite
    top1_agreement: float  # share of inputs with the same largest logit, 0..1
    inputs: int


def seeded_inputs(shape: tuple[int, ...], seed: int, count: int = INPUTS) -> Floats:
    """Return `count` standard normal inputs, the distribution of normalised pixels.

    Shape: (count, *shape without its batch dimension).
    """
    generator = np.random.default_rng(seed)
    return generator.standard_normal((count, *shape[1:]), dtype=np.float32)


def compare(outputs: Floats, reference: Floats) -> Fidelity:
    """Compare outputs with the reference; both have shape (inputs, classes)."""
    if outputs.shape != reference.shape:
        return Fidelity(float("inf"), float("inf"), 0.0, len(reference))
    finite = bool(np.isfinite(outputs).all())
    difference = outputs.astype(np.float64) - reference
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.linalg.norm(difference, axis=1) / np.linalg.norm(reference, axis=1)
    relative = np.where(difference.any(axis=1), relative, 0.0)  # equal zeros are equal
    agreement = np.mean(outputs.argmax(axis=1) == reference.argmax(axis=1))
    return Fidelity(
        max_abs_error=float(np.abs(difference).max()) if finite else float("inf"),
        relative_l2_error=float(relative.max()) if finite else float("inf"),
        top1_agreement=float(agreement),
        inputs=len(reference),
    )
