import numpy as np
import pytest

from mobilebench.bench.measure.fidelity import TOLERANCE, Fidelity, tolerance_of, why_wrong
from mobilebench.bench.measure.fidelity import compare as compare_all
from mobilebench.bench.models.onnx_network import OnnxNetwork
from mobilebench.bench.models.outputs import Floats, seeded_inputs
from mobilebench.bench.models.variant import parse_variant

REFERENCE = np.array([[3.0, 4.0], [1.0, 0.0]], np.float32)


def compare(output: Floats, reference: Floats) -> Fidelity:
    return compare_all((output,), (reference,))


def test_equal_outputs_have_no_error() -> None:
    fidelity = compare(REFERENCE, REFERENCE)
    assert (fidelity.max_abs_error, fidelity.relative_l2_error) == (0.0, 0.0)
    assert (fidelity.top1_agreement, fidelity.inputs) == (1.0, 2)


def test_the_worst_input_counts() -> None:
    fidelity = compare(REFERENCE + np.array([[0.0, 0.5], [0.0, 0.5]], np.float32), REFERENCE)
    assert fidelity.relative_l2_error == pytest.approx(0.5)
    assert fidelity.max_abs_error == pytest.approx(0.5)


def test_top1_agreement_is_a_share_of_the_inputs() -> None:
    assert compare(REFERENCE[:, ::-1], REFERENCE).top1_agreement == 0.0
    swapped = REFERENCE.copy()
    swapped[0] = swapped[0, ::-1]
    assert compare(swapped, REFERENCE).top1_agreement == 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_output_with_nan_is_infinitely_wrong(bad: float) -> None:
    outputs = REFERENCE.copy()
    outputs[1, 1] = bad
    assert compare(outputs, REFERENCE).relative_l2_error == float("inf")


def test_another_shape_is_infinitely_wrong() -> None:
    assert compare(REFERENCE[:, :1], REFERENCE).relative_l2_error == float("inf")


def test_inputs_follow_the_seed() -> None:
    first = seeded_inputs((1, 3, 8, 8), seed=1)
    assert first.shape == (4, 3, 8, 8)
    assert np.array_equal(first, seeded_inputs((1, 3, 8, 8), seed=1))
    assert not np.array_equal(first, seeded_inputs((1, 3, 8, 8), seed=2))


def test_a_single_logit_near_0_is_held_against_the_others() -> None:
    reference = np.array([[2.0], [-2.0], [1e-6], [1.0]], np.float32)
    fidelity = compare(reference + np.float32(1e-6), reference)
    assert fidelity.relative_l2_error == pytest.approx(1e-6 / 1.5, rel=0.2)
    assert compare(-reference, reference).relative_l2_error > 1
    assert compare(-reference, reference).top1_agreement == 0


def test_only_zeros_match_a_reference_of_zeros() -> None:
    zeros = np.zeros((1, 2), np.float32)
    assert compare(zeros, zeros).relative_l2_error == 0.0
    assert compare(zeros + 1, zeros).relative_l2_error == float("inf")


def test_the_worst_output_counts() -> None:
    worse = REFERENCE + np.array([[0.0, 0.5], [0.0, 0.5]], np.float32)
    outputs, reference = (worse, REFERENCE), (REFERENCE, REFERENCE)
    assert compare_all(outputs, reference).relative_l2_error == pytest.approx(0.5)
    assert compare_all(outputs[:1], reference).relative_l2_error == float("inf")


def test_agreement_is_a_share_of_all_that_is_classified() -> None:
    # Two anchors of an input, their classes along the last axis.
    logits = np.array([[[1.0, 2.0], [2.0, 1.0]]], np.float32)
    other = np.array([[[2.0, 1.0], [2.0, 1.0]]], np.float32)
    boxes = np.zeros((1, 2, 4), np.float32)
    assert compare_all((boxes, other), (boxes, logits), class_axis=2).top1_agreement == 0.5


def test_a_network_that_amplifies_rounding_may_be_some_times_as_far() -> None:
    def own(rounding_error: float) -> OnnxNetwork:
        return OnnxNetwork(
            *("net", "net.onnx", "0" * 64, None, (1, 8), "", (("out", (1, 4)),), "other"),
            *(False, False, "", rounding_error, 0, 0, 0),
        )

    usual = TOLERANCE["float32"]
    assert tolerance_of("float32", parse_variant("mobilenet_v2_1.0_224")) == usual
    assert tolerance_of("float32", own(1e-7)) == usual
    assert tolerance_of("float32", own(1e-4)) == pytest.approx(5e-4)
    assert tolerance_of("float32", own(1.0)) == 1e-2
    far = Fidelity(1.0, 4e-4, 1.0, 4)
    assert why_wrong(far, "float32", own(1e-7)).endswith("is above 3e-05")
    assert not why_wrong(far, "float32", own(1e-4))
