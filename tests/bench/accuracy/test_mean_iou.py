"""How much of each class is covered; figures worked out by hand."""

import numpy as np
import pytest

from mobilebench.bench.accuracy.mean_iou import (
    NO_CLASS,
    SegmentationAccuracy,
    confusion,
    intersection_over_union,
    label,
    score_segmentation,
)

TRUTH = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
ANSWER = np.array([[0, 1, 1], [1, 1, 7]], np.uint8)


def interval_of(scored: SegmentationAccuracy) -> tuple[float | None, float | None]:
    return scored.miou_ci95_low_percent, scored.miou_ci95_high_percent


def test_the_largest_logit_is_the_class_and_non_finite_pixels_have_none() -> None:
    logits = np.zeros((1, 21, 2, 2), np.float32)
    logits[0, 20, 0, 0] = 1
    logits[0, 3, 0, 1] = np.nan
    logits[0, 4, 1, 0] = np.inf
    np.testing.assert_array_equal(label(logits), [[[20, NO_CLASS], [NO_CLASS, 0]]])


def test_pixels_are_counted_by_truth_and_answer_without_those_to_ignore() -> None:
    expected = np.zeros((21, 22))
    expected[0, 0] = expected[0, 1] = expected[2, 1] = 1
    expected[1, 1] = 2
    np.testing.assert_array_equal(confusion(ANSWER, TRUTH), expected)
    nothing = confusion(np.full_like(TRUTH, NO_CLASS), TRUTH)
    assert nothing[:, -1].sum() == nothing.sum() == 5


def test_an_absent_class_does_not_count() -> None:
    ious = intersection_over_union(confusion(ANSWER, TRUTH))
    np.testing.assert_allclose(ious[:3], [1 / 2, 2 / 4, 0])
    assert np.isnan(ious[3:]).all()  # 7 was answered where no class counts


def test_the_mean_is_of_all_images_together() -> None:
    # The counts of TensorFlow's own test: 9 and 5, 3 and 7.
    truths = [[0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1], [1] * 6 + [0] * 6]
    answers = [[0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0]]
    images = [
        (np.array(answer, np.uint8), np.array(answer, np.uint8), np.array(truth, np.uint8))
        for answer, truth in zip(answers, truths, strict=True)
    ]
    scored = score_segmentation(images)
    assert scored.images == 2
    assert scored.miou_percent == pytest.approx(100 * (9 / 17 + 7 / 15) / 2)
    assert scored.images_agreement == 1
    low, high = interval_of(scored)
    assert low is not None
    assert high is not None
    assert low < scored.miou_percent < high


def test_perfect_answers_have_100_percent_and_no_answers_none() -> None:
    perfect = np.where(TRUTH == 255, 0, TRUTH).astype(np.uint8)
    scored = score_segmentation([(perfect, perfect, TRUTH)] * 3)
    assert (scored.miou_percent, *interval_of(scored)) == (100, 100, 100)
    none = np.full_like(TRUTH, NO_CLASS)
    scored = score_segmentation([(none, none, TRUTH)])
    assert (scored.miou_percent, scored.images_agreement) == (0, 0)
    assert interval_of(scored) == (None, None)


def test_agreement_is_of_labelled_pixels() -> None:
    reference = np.array([[0, 1, 0], [1, 2, 9]], np.uint8)
    assert score_segmentation([(ANSWER, reference, TRUTH)]).images_agreement == 3 / 5
    scored = score_segmentation([(ANSWER, reference, TRUTH), (TRUTH, TRUTH, TRUTH)])
    assert scored.images_agreement == 8 / 10


def test_an_image_without_labels_changes_nothing() -> None:
    blank = np.full_like(TRUTH, 255)
    alone = score_segmentation([(ANSWER, ANSWER, TRUTH)])
    both = score_segmentation([(ANSWER, ANSWER, TRUTH), (ANSWER, ANSWER, blank)])
    assert both.miou_percent == alone.miou_percent
    assert both.images_agreement == alone.images_agreement
    assert interval_of(both) == pytest.approx((both.miou_percent, both.miou_percent))


def test_other_numbers_of_classes_are_counted_alike() -> None:
    truth = np.array([[0, 1, 1, 255]], np.uint8)
    logits = np.array([[[[-1.0, 2.0, -0.5, 3.0]]]], np.float32)  # one map: its sign is the class
    answer = label(logits)[0]
    np.testing.assert_array_equal(answer, [[0, 1, 0, 1]])
    scored = score_segmentation([(answer, answer, truth)], 2)
    assert scored.miou_percent == pytest.approx(100 * (1 / 2 + 1 / 2) / 2)
    many = np.full((1, 4), 149, np.uint8)
    assert score_segmentation([(many, many, many)], 150).miou_percent == 100
