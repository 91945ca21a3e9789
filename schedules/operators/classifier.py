"""The last layer: a vector by a matrix."""

from tvm import te

from mobilebench.schedules.operators.products import FLOATS, Products, narrowed

CORE = "classifier_product"


def compute(
    data: te.Tensor, weight: te.Tensor, outputs: int, products: Products = FLOATS
) -> te.Tensor:
    """Return the product (1, outputs) of data (1, K) by packed weights (groups, K, group)."""
    kind = data.dtype
    summed = products.summed(data.shape[-1])
    data = products.channels(data)
    groups, inputs, group = weight.shape
    k = te.reduce_axis((0, inputs), "k")
    product = te.compute(
        (1, groups * group),
        lambda n, c: te.sum(
            products.multiply(data[n, k], weight[c // group, k, c % group]), axis=k
        ),
        name=CORE,
        attrs=summed,
    )
    whole = te.compute((1, outputs), lambda n, c: product[n, c], name="classifier")
    return narrowed(whole, kind, "stored")
