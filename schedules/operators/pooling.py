"""Global average pooling: the mean of every channel over all pixels."""

from tvm import te

CORE = "pooling_sum"


def compute(data: te.Tensor, keep: bool = False) -> te.Tensor:
    """Return the mean (1, C) of data (1, H, W, C); (1, 1, 1, C) if dimensions are to be kept."""
    _, height, width, channels = (int(extent) for extent in data.shape)
    y, x = te.reduce_axis((0, height), "y"), te.reduce_axis((0, width), "x")
    total = te.compute((1, channels), lambda n, c: te.sum(data[n, y, x, c], axis=[y, x]), name=CORE)
    share = 1.0 / (height * width)
    if keep:
        kept = (1, 1, 1, channels)
        return te.compute(kept, lambda n, y, x, c: total[n, c] * share, name="pooling")
    return te.compute((1, channels), lambda n, c: total[n, c] * share, name="pooling")
