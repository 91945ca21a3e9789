"""Global average pooling: the mean of every channel over all pixels."""

from tvm import te, tirx

from mobilebench.schedules.operators.products import narrowed
from mobilebench.schedules.operators.stored_bytes import SIGNED, UNSIGNED, offset_of
from mobilebench.schedules.precision import FLOAT16, FLOAT32

CORE = "pooling_sum"
_SUMMED_AS = {UNSIGNED: "int32", SIGNED: "int32", FLOAT16: FLOAT32}


def compute(data: te.Tensor, keep: bool = False) -> te.Tensor:
    """Return the mean (1, C) of data (1, H, W, C); (1, 1, 1, C) if dimensions are to be kept."""
    _, height, width, channels = (int(extent) for extent in data.shape)
    total = sums(data)
    share = 1.0 / (height * width)
    if keep:
        kept = (1, 1, 1, channels)
        mean = te.compute(kept, lambda n, y, x, c: total[n, c] * share, name="pooling")
    else:
        mean = te.compute((1, channels), lambda n, c: total[n, c] * share, name="pooling")
    return narrowed(mean, data.dtype, "stored")


def sums(data: te.Tensor, keep: bool = False) -> te.Tensor:
    """Return the sum (1, C) of data (1, H, W, C) over all pixels; of stored bytes as int32.

    (1, 1, 1, C) if dimensions are to be kept.
    """
    _, height, width, channels = (int(extent) for extent in data.shape)
    y, x = te.reduce_axis((0, height), "y"), te.reduce_axis((0, width), "x")
    kind = _SUMMED_AS.get(str(data.dtype), str(data.dtype))
    total = te.compute(
        (1, channels),
        lambda n, c: te.sum(data[n, y, x, c].astype(kind), axis=[y, x]),
        name=CORE,
    )
    lacking = tirx.const(offset_of(data.dtype) * height * width, kind)
    if keep:
        kept = (1, 1, 1, channels)
        return te.compute(kept, lambda n, y, x, c: total[n, c] + lacking, name="kept")
    if data.dtype == SIGNED:
        return te.compute((1, channels), lambda n, c: total[n, c] + lacking, name="whole")
    return total
