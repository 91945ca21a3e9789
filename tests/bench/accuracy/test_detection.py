"""What is kept of a detector's outputs, and how it is compared with PyTorch's."""

import numpy as np
import pytest

from mobilebench.bench.accuracy.boxes import Detections, anchors_of, detect
from mobilebench.bench.accuracy.detection import agreement, answer, max_box_error_px
from mobilebench.bench.models.heads import detector_of
from mobilebench.bench.models.variant import Variant, parse_variant

TINY = parse_variant("ssdlite_mobilenet_v2_0.35_64")

Box = tuple[float, float, float, float]
A, B = (0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9)
NEAR_A = (0.1, 0.1, 0.5, 0.52)  # IoU 16 / 16.8 = 0.95
OFF_A = (0.1, 0.1, 0.5, 0.55)  # IoU 16 / 18 = 0.89


def found(*what: tuple[Box, int, float]) -> Detections:
    return Detections(
        np.array([box for box, _, _ in what], np.float32).reshape(-1, 4),
        np.array([score for _, _, score in what], np.float32),
        np.array([category for _, category, _ in what], np.int64),
    )


def outputs_of(variant: Variant, images: int = 2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    anchors = len(anchors_of(variant))
    codes = random.standard_normal((images, anchors, 4)).astype(np.float32)
    return codes, random.standard_normal((images, anchors, 91)).astype(np.float32)


@pytest.mark.parametrize("size", ["320", "300", "96x160", "65x33"])
def test_anchors_are_as_many_as_the_network_predicts(size: str) -> None:
    variant = parse_variant(f"ssdlite_mobilenet_v2_1.0_{size}")
    assert len(anchors_of(variant)) == detector_of(variant).anchors


def test_detections_are_kept_in_rows_of_one_shape() -> None:
    codes, logits = outputs_of(TINY)
    logits[1] = -30  # nothing
    rows = answer((codes, logits), TINY)
    first, _ = detect(codes, logits, anchors_of(TINY))
    assert rows.shape == (2, 100, 6)
    np.testing.assert_array_equal(rows[0, :, :4], first.boxes)
    np.testing.assert_array_equal(rows[0, :, 4], first.scores)
    np.testing.assert_array_equal(rows[0, :, 5], first.classes)
    assert not rows[1].any()


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ([(A, 1, 0.9), (B, 2, 0.8)], [(A, 1, 0.9), (B, 2, 0.8)], 1),
        ([(B, 2, 0.9), (A, 1, 0.8)], [(A, 1, 0.9), (B, 2, 0.8)], 1),  # in another order
        ([(NEAR_A, 1, 0.9)], [(A, 1, 0.9)], 1),
        ([(OFF_A, 1, 0.9)], [(A, 1, 0.9)], 0),
        ([(A, 2, 0.9)], [(A, 1, 0.9)], 0),  # another category
        ([(A, 1, 0.9)], [(A, 1, 0.9), (B, 2, 0.8)], 2 / 3),  # one is missing
        ([(A, 1, 0.9), (B, 2, 0.8)], [(A, 1, 0.9)], 2 / 3),  # one too much
        ([(A, 1, 0.9), (NEAR_A, 1, 0.8)], [(A, 1, 0.9)], 2 / 3),  # none has two partners
        ([(A, 1, 0.9), (B, 2, 0.2)], [(A, 1, 0.9), (B, 3, 0.3)], 1),  # what nobody is shown
        ([(A, 1, 0.9)], [(A, 1, 0.2)], 0),
        ([], [(A, 1, 0.9)], 0),
        ([], [], None),
        ([(A, 1, 0.1)], [(B, 1, 0.1)], None),
    ],
)
def test_agreement_is_the_share_of_detections_that_both_have(
    one: list[tuple[Box, int, float]], other: list[tuple[Box, int, float]], share: float | None
) -> None:
    expected = share if share is None else pytest.approx(share)
    assert agreement([found(*one)], [found(*other)]) == expected


def test_agreement_is_of_the_detections_of_all_images() -> None:
    one, both = found((A, 1, 0.9)), found((A, 1, 0.9), (B, 1, 0.9))
    assert agreement([both, found()], [both, one]) == pytest.approx(4 / 5)


def test_box_error_is_the_farthest_corner_in_pixels() -> None:
    wide = parse_variant("ssdlite_mobilenet_v2_0.35_64x128")
    reference = outputs_of(wide)
    reference[0][...] = 0  # the anchors themselves
    codes = reference[0].copy()
    inside = 3 * (4 * 2 + 4)  # the first anchor of a place in the middle of the first map
    anchor = anchors_of(wide)[inside]
    codes[1, inside, 1] = 0.5  # to the right by 0.05 of the anchor's width
    expected = 0.05 * (anchor[3] - anchor[1]) * 128
    found = max_box_error_px((codes, reference[1]), reference, wide)
    assert found == pytest.approx(expected, rel=1e-4)
    assert max_box_error_px(reference, reference, wide) == 0


def test_differences_outside_the_image_do_not_count() -> None:
    reference = outputs_of(TINY)
    far = reference[0].copy()
    far[:, :, 1] = 1000  # to the right, out of sight
    farther = far * np.array([1, 2, 1, 1], np.float32)
    assert max_box_error_px((farther, reference[1]), (far, reference[1]), TINY) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_box_with_nan_is_infinitely_far(bad: float) -> None:
    codes, logits = outputs_of(TINY)
    wrong = codes.copy()
    wrong[0, 1, 2] = bad
    assert max_box_error_px((wrong, logits), (codes, logits), TINY) == float("inf")
    assert max_box_error_px((codes[:, :-1], logits), (codes, logits), TINY) == float("inf")
