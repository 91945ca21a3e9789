"""Whether another runtime's 8 bits are right: it is compared with two references.

One is the quantized network, the other the float32 one, both computed in PyTorch. What the suite
compiles computes the quantized network and has to agree with it. Other runtimes round elsewhere,
join other layers, or have quantized the float32 network by themselves: none has the same integers,
but none is much farther from float32 than the quantized network is.
"""

from dataclasses import replace

from mobilebench.bench.measure.fidelity import Fidelity

_TIMES, _LEAST = 2.5, 0.1
"""Runtimes were found at up to 1.2 times the quantized network's own error (OpenVINO, ONNX Runtime,
MNN). With random weights, where that error is 0.04 and the answers to two images differ by 0.15, a
wrong padding, layout or zero point makes 0.13 to 0.44; with trained weights, where it is 0.19,
rounding down makes 0.77, a wrong padding, layout or zero point 1.1 to 1.6."""


def beside_float32(fidelity: Fidelity, against_float32: Fidelity) -> Fidelity:
    """Return a fidelity with how far the same outputs are from the float32 network's."""
    return replace(
        fidelity,
        float32_l2_error=against_float32.relative_l2_error,
        float32_agreement=against_float32.top1_agreement,
    )


def why_far(fidelity: Fidelity, own_error: float) -> str:
    """Return why a runtime's own 8 bits count as wrong; empty if they are right.

    own_error: the quantized network's relative L2 error against the float32 one. Outputs are wrong
    if they are some times as far as that from both networks.
    """
    against_quantized, against_float32 = fidelity.relative_l2_error, fidelity.float32_l2_error
    assert against_float32 is not None
    tolerance = max(_TIMES * own_error, _LEAST)
    if min(against_quantized, against_float32) <= tolerance:
        return ""
    return (
        f"relative L2 error {against_float32:.2g} against PyTorch in float32 and "
        f"{against_quantized:.2g} against the quantized network are above {tolerance:.2g}, "
        f"{_TIMES:g} times the error of that"
    )
