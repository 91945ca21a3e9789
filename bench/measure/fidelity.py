"""How far a runtime's outputs are from PyTorch's."""

from dataclasses import dataclass

import numpy as np

from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.outputs import Floats, Outputs, top_class

TOLERANCE = {"float32": 3e-5, "float16": 1e-2, "int8": 2e-1}
"""Largest relative L2 error that counts as right, by precision. Reassociated sums differ by
some 5e-7 in a classifier and 7e-6 in a detector, tensors rounded to half precision by some 1e-3; a
wrong padding, layout or activation by more than 1e-2."""


@dataclass(frozen=True)
class Fidelity:
    """The difference of outputs from PyTorch's on the same inputs."""

    max_abs_error: float
    relative_l2_error: float  # the largest over the inputs; infinite if an output is not finite
    top1_agreement: float  # share of pixels, anchors or whole inputs with the same top class, 0..1
    inputs: int
    float32_l2_error: float | None = None  # at int8: against the float32 network in PyTorch
    float32_agreement: float | None = None  # at int8: top1_agreement with the same
    max_box_error_px: float | None = None  # of a detector: corners of decoded boxes, all anchors


def compare(outputs: Outputs, reference: Outputs, class_axis: int = 1) -> Fidelity:
    """Compare outputs with the reference.

    Errors are the largest over all outputs. Classes are logits of the last output, along an axis.
    """
    inputs = len(reference[0])
    if [one.shape for one in outputs] != [one.shape for one in reference]:
        return Fidelity(float("inf"), float("inf"), 0.0, inputs)
    errors = [_errors(one, other) for one, other in zip(outputs, reference, strict=True)]
    agrees = top_class(outputs[-1], class_axis) == top_class(reference[-1], class_axis)
    return Fidelity(
        max_abs_error=max(absolute for absolute, _ in errors),
        relative_l2_error=max(relative for _, relative in errors),
        top1_agreement=float(np.mean(agrees)),
        inputs=inputs,
    )


def tolerance_of(precision: str, network: Network) -> float:
    """Return the largest relative L2 error of a network's outputs that counts as right.

    A network of one's own may amplify rounding: where PyTorch's float32 is far from its float64,
    runtimes may be some times as far.
    """
    usual = TOLERANCE[precision]
    if not isinstance(network, OnnxNetwork):
        return usual
    return max(usual, network.rounding_tolerance)


def why_wrong(
    fidelity: Fidelity, precision: str, network: Network | None = None, agreed_error: float = 0.0
) -> str:
    """Return why outputs count as wrong; empty if they are right.

    Up to `agreed_error` it is known that each layer by itself agrees.
    """
    tolerance = tolerance_of(precision, network) if network else TOLERANCE[precision]
    tolerance = max(tolerance, agreed_error)
    if fidelity.relative_l2_error <= tolerance:
        return ""
    return (
        f"relative L2 error {fidelity.relative_l2_error:.2g} against PyTorch is above {tolerance:g}"
    )


def _errors(output: Floats, reference: Floats) -> tuple[float, float]:
    """Return the largest absolute error, and the largest relative L2 error of an input.

    A single value may be near 0, where it is the difference of large sums; its error is relative to
    the values for all inputs.
    """
    if not np.isfinite(output).all():
        return float("inf"), float("inf")
    expected = reference.reshape(len(reference), -1).astype(np.float64)
    difference = output.reshape(len(output), -1) - expected
    norms = np.linalg.norm(expected, axis=1)
    if expected.shape[1] == 1:
        norms = np.maximum(norms, np.sqrt(np.mean(norms**2)))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.linalg.norm(difference, axis=1) / norms
    relative = np.where(difference.any(axis=1), relative, 0.0)  # equal zeros are equal
    return float(np.abs(difference).max()), float(relative.max())
