"""Global average pooling: the mean of every channel over all pixels."""

from tvm import te

CORE = "pooling_sum"


def compute(data: te.Tensor) -> te.Tensor:
    """Return the mean (1, C) of data (1, H, W, C)."""
    _, height, width, channels = (int(extent) for extent in data.shape)
    y, x = te.reduce_axis((0, height), "y"), te.reduce_axis((0, width), "x")
    total = te.compute((1, channels), lambda n, c: te.sum(data[n, y, x, c], axis=[y, x]), name=CORE)
    return te.compute(
        (1, channels), lambda n, c: total[n, c] * (1.0 / (height * width)), name="pooling"
    )
