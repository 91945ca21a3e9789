import numpy as np
import pytest

from mobilebench.bench.runtimes.batches import in_batches


@pytest.mark.parametrize(("count", "size"), [(4, 1), (4, 2), (5, 2), (3, 8), (1, 3)])
def test_every_input_has_its_answer_and_each_batch_is_full(count: int, size: int) -> None:
    inputs = np.arange(count, dtype=np.float32)[:, None]
    sizes = []

    def infer(images: np.ndarray) -> tuple[np.ndarray, ...]:
        sizes.append(len(images))
        return images * 2, images + 1

    doubled, increased = in_batches(inputs, size, infer)
    np.testing.assert_array_equal(doubled, inputs * 2)
    np.testing.assert_array_equal(increased, inputs + 1)
    assert set(sizes) == {size}
    assert len(sizes) == -(-count // size)
