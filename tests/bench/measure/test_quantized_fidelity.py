"""Another runtime's 8 bits are held against two references."""

import pytest

from mobilebench.bench.measure.fidelity import Fidelity
from mobilebench.bench.measure.quantized_fidelity import beside_float32, why_far


def fidelity(against_quantized: float, against_float32: float) -> Fidelity:
    return beside_float32(
        Fidelity(0.1, against_quantized, 1.0, 4), Fidelity(0.1, against_float32, 0.75, 4)
    )


def test_both_distances_are_kept() -> None:
    found = fidelity(0.03, 0.04)
    assert (found.relative_l2_error, found.float32_l2_error) == (0.03, 0.04)
    assert (found.top1_agreement, found.float32_agreement) == (1.0, 0.75)


@pytest.mark.parametrize(
    ("against_quantized", "against_float32", "own_error"),
    [(0.0, 0.2, 0.2), (0.24, 0.22, 0.19), (0.4, 0.05, 0.04), (0.09, 0.09, 0.01)],
)
def test_what_is_as_near_as_8_bits_allow_is_right(
    against_quantized: float, against_float32: float, own_error: float
) -> None:
    assert why_far(fidelity(against_quantized, against_float32), own_error) == ""


@pytest.mark.parametrize(
    ("against_quantized", "against_float32", "own_error"),
    [(1.25, 1.28, 0.19), (0.767, 0.774, 0.19), (0.139, 0.141, 0.046), (float("inf"), 1.0, 0.2)],
)
def test_a_broken_runtime_is_wrong(
    against_quantized: float, against_float32: float, own_error: float
) -> None:
    reason = why_far(fidelity(against_quantized, against_float32), own_error)
    assert "against PyTorch in float32" in reason
