"""Which pixels a resized image is made of."""

import numpy as np
import pytest
import torch

from mobilebench.bench.accuracy.resampling import bilinear, nearest

RAMP = np.array([[[0.0], [1.0]], [[10.0], [11.0]]], np.float32)  # 10 a row, 1 a column


def test_positions_are_counted_from_the_first_pixel() -> None:
    enlarged = bilinear(RAMP, 4, 4)[:, :, 0]
    np.testing.assert_allclose(enlarged[0], [0, 0.5, 1, 1])
    np.testing.assert_allclose(enlarged[:, 0], [0, 5, 10, 10])


def test_nothing_is_averaged_where_an_image_shrinks() -> None:
    pixels = np.arange(24.0).reshape(4, 6, 1)
    np.testing.assert_array_equal(bilinear(pixels, 2, 3)[:, :, 0], [[0, 2, 4], [12, 14, 16]])


@pytest.mark.parametrize("size", [(9, 5), (3, 8), (1, 1), (7, 6)])
def test_resizing_with_aligned_corners_matches_pytorch(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).random((7, 6, 3), np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(pixels.transpose(2, 0, 1))[None], size, mode="bilinear", align_corners=True
    )
    found = bilinear(pixels, *size, align_corners=True)
    np.testing.assert_allclose(found, expected[0].numpy().transpose(1, 2, 0), atol=1e-6)


def test_labels_are_not_mixed() -> None:
    labels = np.array([[0, 20], [255, 3]], np.uint8)
    found = nearest(labels, 4, 4)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, labels.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_array_equal(nearest(labels, 2, 2), labels)
