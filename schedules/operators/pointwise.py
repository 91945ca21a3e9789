"""1x1 convolutions: a matrix product of pixels by channels."""

from tvm import te

from mobilebench.schedules.operators.products import FLOATS, Products

CORE = "pointwise_product"


def compute(
    data: te.Tensor, weight: te.Tensor, outputs: int, products: Products = FLOATS
) -> te.Tensor:
    """Return the convolution (1, H, W, outputs) of data (1, H, W, K) by packed weights.

    Weights are (panels, K, lanes). Every panel is computed whole; lanes beyond `outputs` are
    dropped in registers.
    """
    data = products.channels(data)
    _, height, width, inputs = data.shape
    panels, _, lanes = weight.shape
    k = te.reduce_axis((0, inputs), "k")
    product = te.compute(
        (1, height, width, panels * lanes),
        lambda n, y, x, c: te.sum(
            products.multiply(data[n, y, x, k], weight[c // lanes, k, c % lanes]), axis=k
        ),
        name=CORE,
    )
    return te.compute(
        (1, height, width, outputs), lambda n, y, x, c: product[n, y, x, c], name="pointwise"
    )
