"""1x1 convolutions: a matrix product of pixels by channels."""

from tvm import te

from mobilebench.schedules.operators.products import FLOATS, SUMMED, Products

CORE = "pointwise_product"
TOTAL = "pointwise_total"  # the block that adds what was summed chunk by chunk, if there is one


def compute(
    data: te.Tensor, weight: te.Tensor, outputs: int, products: Products = FLOATS
) -> te.Tensor:
    """Return the convolution (1, H, W, outputs) of data (1, H, W, K) by packed weights.

    Weights are (panels, K, lanes). Every panel is computed whole; lanes beyond `outputs` are
    dropped in registers.
    """
    summed = products.summed(data.shape[-1])
    data = products.channels(data)
    _, height, width, inputs = (int(extent) for extent in data.shape)
    panels, _, lanes = (int(extent) for extent in weight.shape)
    shape = (1, height, width, panels * lanes)
    chunk = products.chunk(inputs)
    if chunk < inputs:
        product = _in_chunks(data, weight, shape, products, chunk)
    else:
        k = te.reduce_axis((0, inputs), "k")
        product = te.compute(
            shape,
            lambda n, y, x, c: te.sum(
                products.multiply(data[n, y, x, k], weight[c // lanes, k, c % lanes]), axis=k
            ),
            name=CORE,
            attrs=summed,
        )
    return te.compute(
        (1, height, width, outputs), lambda n, y, x, c: product[n, y, x, c], name="pointwise"
    )


def _in_chunks(
    data: te.Tensor, weight: te.Tensor, shape: tuple[int, ...], products: Products, chunk: int
) -> te.Tensor:
    """Return the product whose sums are those of chunks, each summed by itself."""
    inputs, lanes = int(data.shape[-1]), int(weight.shape[-1])
    k = te.reduce_axis((0, chunk), "k")
    part = te.compute(
        (*shape, inputs // chunk),
        lambda n, y, x, c, g: te.sum(
            products.multiply(
                data[n, y, x, g * chunk + k], weight[c // lanes, g * chunk + k, c % lanes]
            ),
            axis=k,
        ),
        name=CORE,
        attrs={SUMMED: [inputs]},
    )
    g = te.reduce_axis((0, inputs // chunk), "chunk")
    return te.compute(shape, lambda n, y, x, c: te.sum(part[n, y, x, c, g], axis=g), name=TOTAL)
