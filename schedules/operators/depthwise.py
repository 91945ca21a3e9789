"""Depthwise convolutions."""

from tvm import te

from mobilebench.schedules.operators.window import WINDOW, pad, pixels_after

CORE = "depthwise_sum"


def compute(
    data: te.Tensor,
    weight: te.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> te.Tensor:
    """Return the convolution of data (1, H, W, C) by weights (R, S, C).

    `padding` is top, left, bottom, right.
    """
    _, height, width, channels = (int(extent) for extent in data.shape)
    taps = int(weight.shape[0]), int(weight.shape[1])
    out_height, out_width = pixels_after((height, width), taps, stride, padding, dilation)
    padded = pad(data, 1, padding)
    tap_y, tap_x = te.reduce_axis((0, taps[0]), "tap_y"), te.reduce_axis((0, taps[1]), "tap_x")
    return te.compute(
        (1, out_height, out_width, channels),
        lambda n, y, x, c: te.sum(
            padded[n, y * stride[0] + tap_y * dilation[0], x * stride[1] + tap_x * dilation[1], c]
            * weight[tap_y, tap_x, c],
            axis=[tap_y, tap_x],
        ),
        name=CORE,
        attrs={WINDOW: [stride[0], padding[0], (taps[0] - 1) * dilation[0] + 1]},
    )
