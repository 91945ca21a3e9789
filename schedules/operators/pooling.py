"""Global average pooling: the mean of every channel over all pixels."""

from tvm import te

CORE = "pooling_sum"


def compute(data: te.Tensor, keep: bool = False) -> te.Tensor:
    """Return the mean (1, C) of data (1, H, W, C); (1, 1, 1, C) if dimensions are to be kept."""
    _, height, width, channels = (int(extent) for extent in data.shape)
    total = sums(data)
    share = 1.0 / (height * width)
    if keep:
        kept = (1, 1, 1, channels)
        return te.compute(kept, lambda n, y, x, c: total[n, c] * share, name="pooling")
    return te.compute((1, channels), lambda n, c: total[n, c] * share, name="pooling")


def sums(data: te.Tensor, keep: bool = False) -> te.Tensor:
    """Return the sum (1, C) of data (1, H, W, C) over all pixels; of bytes as int32.

    (1, 1, 1, C) if dimensions are to be kept.
    """
    _, height, width, channels = (int(extent) for extent in data.shape)
    y, x = te.reduce_axis((0, height), "y"), te.reduce_axis((0, width), "x")
    kind = "int32" if data.dtype == "uint8" else data.dtype
    total = te.compute(
        (1, channels),
        lambda n, c: te.sum(data[n, y, x, c].astype(kind), axis=[y, x]),
        name=CORE,
    )
    if not keep:
        return total
    return te.compute((1, 1, 1, channels), lambda n, y, x, c: total[n, c], name="kept")
