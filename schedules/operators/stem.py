"""The first convolution: few input channels, planar (NCHW) input, NHWC output."""

from tvm import te

from mobilebench.schedules.operators.products import FLOATS, Products
from mobilebench.schedules.operators.window import WINDOW, pad, pixels_after

CORE = "stem_product"


def compute(
    data: te.Tensor,
    weight: te.Tensor,
    outputs: int,
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    products: Products = FLOATS,
    *,
    planes: int = 0,
) -> te.Tensor:
    """Return the convolution (1, H', W', outputs) of data (1, K, H, W) by packed weights.

    Weights are (panels, R, S, K, lanes); `padding` is top, left, bottom, right.
    Words hold as many values as the image has `planes`.
    """
    _, inputs, height, width = (int(extent) for extent in data.shape)
    panels, taps_y, taps_x, _, lanes = (int(extent) for extent in weight.shape)
    out_height, out_width = pixels_after((height, width), (taps_y, taps_x), stride, padding)
    padded = pad(data, 2, padding, products)
    tap_y, tap_x = te.reduce_axis((0, taps_y), "tap_y"), te.reduce_axis((0, taps_x), "tap_x")
    k = te.reduce_axis((0, inputs), "k")
    product = te.compute(
        (1, out_height, out_width, panels * lanes),
        lambda n, y, x, c: te.sum(
            products.multiply(
                padded[n, k, y * stride[0] + tap_y, x * stride[1] + tap_x],
                weight[c // lanes, tap_y, tap_x, k, c % lanes],
            ),
            axis=[tap_y, tap_x, k],
        ),
        name=CORE,
        attrs={WINDOW: [stride[0], padding[0], taps_y], **products.summed(taps_y, taps_x, planes)},
    )
    return te.compute(
        (1, out_height, out_width, outputs), lambda n, y, x, c: product[n, y, x, c], name="stem"
    )
