"""ONNX operators with weights or windows, and reductions, in PyTorch."""

from collections.abc import Callable
from typing import Any

from mobilebench.bench.models.onnx_in_pytorch.elementwise import Facts, Operator
from mobilebench.bench.models.onnx_in_pytorch.shapes import axes_of
from mobilebench.targets.errors import BenchError


def _conv(inputs: list[Any], facts: Facts) -> Any:
    import torch

    data, weight, *bias = inputs
    sides = weight.dim() - 2
    taps, strides, dilations = list(weight.shape[2:]), *_steps(facts, sides)
    convolve = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}[sides]
    return convolve(
        _padded(data, _around(data, taps, strides, dilations, facts), 0.0),
        weight,
        *bias,
        stride=strides,
        dilation=dilations,
        groups=facts.get("group", 1),
    )


def _conv_transpose(inputs: list[Any], facts: Facts) -> Any:
    import torch

    data, weight, *bias = inputs
    strides, dilations = _steps(facts, 2)
    pads = facts.get("pads", [0] * 4)
    if facts.get("auto_pad", b"NOTSET") != b"NOTSET" or "output_shape" in facts or weight.dim() > 4:
        raise BenchError("PyTorch's reference: this kind of ConvTranspose is not known")
    whole = torch.conv_transpose2d(
        data,
        weight,
        *bias,
        stride=strides,
        output_padding=facts.get("output_padding", [0, 0]),
        groups=facts.get("group", 1),
        dilation=dilations,
    )
    top, left, bottom, right = pads
    return whole[:, :, top : whole.shape[2] - bottom, left : whole.shape[3] - right]


def _max_pool(inputs: list[Any], facts: Facts) -> Any:
    import torch

    data, taps = inputs[0], facts["kernel_shape"]
    strides, dilations = _steps(facts, len(taps))
    around = _around(data, taps, strides, dilations, facts)
    around, rest = _windows(data, around, taps, strides, dilations, facts)
    padded = _padded(_padded(data, around, float("-inf")), rest, float("-inf"))
    pool = getattr(torch.nn.functional, f"max_pool{len(taps)}d")
    return pool(padded, taps, strides, dilation=dilations)


def _average_pool(inputs: list[Any], facts: Facts) -> Any:
    """Divide by the values that a window has; those of the padding count if it is said so."""
    import torch

    data, taps = inputs[0], facts["kernel_shape"]
    strides, dilations = _steps(facts, len(taps))
    if dilations != [1] * len(taps):
        raise BenchError("PyTorch's reference: a dilated AveragePool is not known")
    around = _around(data, taps, strides, dilations, facts)
    around, rest = _windows(data, around, taps, strides, dilations, facts)
    counted = torch.ones_like(data)
    filling = 1.0 if facts.get("count_include_pad") else 0.0
    data, counted = _padded(data, around, 0.0), _padded(counted, around, filling)
    data, counted = _padded(data, rest, 0.0), _padded(counted, rest, 0.0)
    pool = getattr(torch.nn.functional, f"avg_pool{len(taps)}d")
    return pool(data, taps, strides) / pool(counted, taps, strides)


def _steps(facts: Facts, sides: int) -> tuple[list[int], list[int]]:
    return facts.get("strides", [1] * sides), facts.get("dilations", [1] * sides)


def _around(
    data: Any, taps: list[int], strides: list[int], dilations: list[int], facts: Facts
) -> list[int]:
    """Return how far to pad each side, as ONNX orders them: all beginnings, then all ends."""
    auto = facts.get("auto_pad", b"NOTSET")
    if auto not in (b"SAME_UPPER", b"SAME_LOWER"):
        given: list[int] = facts.get("pads", [0] * 2 * len(taps))
        return given
    begins, ends = [], []
    for extent, tap, stride, dilation in zip(data.shape[2:], taps, strides, dilations, strict=True):
        reach = (-(-extent // stride) - 1) * stride + (tap - 1) * dilation + 1
        missing = max(0, reach - extent)
        less, more = missing // 2, missing - missing // 2
        begins.append(less if auto == b"SAME_UPPER" else more)
        ends.append(more if auto == b"SAME_UPPER" else less)
    return begins + ends


def _windows(
    data: Any,
    around: list[int],
    taps: list[int],
    strides: list[int],
    dilations: list[int],
    facts: Facts,
) -> tuple[list[int], list[int]]:
    """Return how far to pad a pool's input, and how far beyond that its last windows reach.

    With `ceil_mode` a window that begins inside counts though it ends beyond, and none that begins
    in the padding at the end.
    """
    sides = len(taps)
    if not facts.get("ceil_mode"):
        return around, [0] * 2 * sides
    ends, beyond = [], []
    for side, extent in enumerate(data.shape[2:]):
        before, after = around[side], around[side + sides]
        reach, stride = (taps[side] - 1) * dilations[side] + 1, strides[side]
        count = -(-(extent + before + after - reach) // stride) + 1
        if (count - 1) * stride >= extent + before:
            count -= 1
        needed = (count - 1) * stride + reach - extent - before
        ends.append(min(after, needed))
        beyond.append(max(0, needed - after))
    return [*around[:sides], *ends], [0] * sides + beyond


def _padded(data: Any, around: list[int], value: float) -> Any:
    import torch

    if not any(around):
        return data
    sides = len(around) // 2
    pairs = [(around[side], around[side + sides]) for side in reversed(range(sides))]
    return torch.nn.functional.pad(data, [one for pair in pairs for one in pair], value=value)


def _gemm(inputs: list[Any], facts: Facts) -> Any:
    data, weight, *bias = inputs
    data = data.T if facts.get("transA") else data
    product = data @ (weight.T if facts.get("transB") else weight)
    product = product * facts.get("alpha", 1.0)
    return product + bias[0] * facts.get("beta", 1.0) if bias and bias[0] is not None else product


def _batch_norm(inputs: list[Any], facts: Facts) -> Any:
    import torch

    data, scale, shift, mean, variance = inputs
    epsilon = facts.get("epsilon", 1e-5)
    return torch.nn.functional.batch_norm(data, mean, variance, scale, shift, eps=epsilon)


def _instance_norm(inputs: list[Any], facts: Facts) -> Any:
    import torch

    data, scale, shift = inputs
    epsilon = facts.get("epsilon", 1e-5)
    return torch.nn.functional.instance_norm(data, weight=scale, bias=shift, eps=epsilon)


def _layer_norm(inputs: list[Any], facts: Facts) -> Any:
    import torch

    data, scale, *shift = inputs
    shape = list(data.shape[facts.get("axis", -1) :])
    bias = shift[0] if shift else None
    return torch.layer_norm(data, shape, scale, bias, facts.get("epsilon", 1e-5))


def _local_response_norm(inputs: list[Any], facts: Facts) -> Any:
    import torch

    alpha, beta, bias = facts.get("alpha", 1e-4), facts.get("beta", 0.75), facts.get("bias", 1.0)
    return torch.nn.functional.local_response_norm(inputs[0], facts["size"], alpha, beta, bias)


def _softmax(name: str) -> Operator:
    """Before opset 13 all axes from the named one on are one."""

    def call(inputs: list[Any], facts: Facts) -> Any:
        import torch

        normalise = getattr(torch, name)
        if facts["opset"] >= 13:
            return normalise(inputs[0], facts.get("axis", -1))
        data, axis = inputs[0], facts.get("axis", 1) % inputs[0].dim()
        return normalise(data.flatten(axis), axis).reshape(data.shape)

    return call


def _reduction(compute: Callable[[Any, list[int], bool], Any]) -> Operator:
    def call(inputs: list[Any], facts: Facts) -> Any:
        data, axes = inputs[0], axes_of(inputs, facts)
        if not axes:
            if facts.get("noop_with_empty_axes"):
                return data
            axes = list(range(data.dim()))
        return compute(data, axes, bool(facts.get("keepdims", 1)))

    return call


def _arg(name: str) -> Operator:
    def call(inputs: list[Any], facts: Facts) -> Any:
        axis, keep = facts.get("axis", 0), bool(facts.get("keepdims", 1))
        if facts.get("select_last_index"):
            raise BenchError(f"PyTorch's reference: {name} of the last of equal ones is not known")
        return getattr(inputs[0], name)(axis, keepdim=keep)

    return call


def _resize(inputs: list[Any], facts: Facts) -> Any:
    import torch

    data, scales, sizes = inputs[0], *(*inputs[2:], None, None)[:2]
    mode, place = facts.get("mode", b"nearest"), b"half_pixel"
    place = facts.get("coordinate_transformation_mode", place)
    known = {b"linear": "bilinear", b"cubic": "bicubic", b"nearest": "nearest"}
    options: Facts = {} if mode == b"nearest" else {"align_corners": place == b"align_corners"}
    by_size = sizes is not None and sizes.numel() > 0
    if sizes is not None and by_size:
        others, options["size"] = sizes.tolist()[:-2], sizes.tolist()[-2:]
        fits = others == list(data.shape[:-2])
    elif scales is not None and scales.numel():  # which need not be those of the sizes
        others, options["scale_factor"] = scales.tolist()[:-2], scales.tolist()[-2:]
        fits = others == [1.0, 1.0]
    else:
        raise BenchError("PyTorch's reference: Resize has neither sizes nor scales")
    if not fits or mode not in known or data.dim() != 4 or not _as_pytorch_resizes(facts):
        raise BenchError(
            f"PyTorch's reference: Resize {mode.decode()}, {place.decode()} is not known"
        )
    found = torch.nn.functional.interpolate(data, mode=known[mode], **options)
    if place == b"pytorch_half_pixel" and 1 in found.shape[2:]:  # the first pixel, says ONNX
        raise BenchError("PyTorch's reference: Resize to one pixel is not known")
    return found


def _as_pytorch_resizes(facts: Facts) -> bool:
    """Whether PyTorch has a Resize of the same places, neighbours and weights."""
    mode = facts.get("mode", b"nearest")
    place = facts.get("coordinate_transformation_mode", b"half_pixel")
    if facts.get("antialias") or facts.get("exclude_outside") or "axes" in facts:
        return False
    if facts.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        return False
    if mode == b"nearest":
        rounded = facts.get("nearest_mode", b"round_prefer_floor")
        return bool(place == b"asymmetric" and rounded == b"floor")
    if mode == b"cubic" and facts.get("cubic_coeff_a", -0.75) != -0.75:
        return False
    return place in (b"align_corners", b"half_pixel", b"pytorch_half_pixel")


def _quantize(inputs: list[Any], facts: Facts) -> Any:
    import torch

    value, scale, *zero = inputs
    if facts.get("output_dtype"):
        raise BenchError("PyTorch's reference: QuantizeLinear with output_dtype is not known")
    kind = zero[0].dtype if zero and zero[0] is not None else torch.uint8
    limits = torch.iinfo(kind)
    scale, shift = _by_axis(value, scale, zero, facts)
    return (torch.round(value / scale) + shift).clamp(limits.min, limits.max)


def _dequantize(inputs: list[Any], facts: Facts) -> Any:
    value, scale, *zero = inputs
    scale, shift = _by_axis(value, scale, zero, facts)
    return (value.to(scale.dtype) - shift) * scale


def _by_axis(value: Any, scale: Any, zero: list[Any], facts: Facts) -> tuple[Any, Any]:
    """Return scale and zero point in the shape in which they meet a tensor."""
    if facts.get("block_size"):
        raise BenchError("PyTorch's reference: quantisation by blocks is not known")
    shift = zero[0] if zero and zero[0] is not None else scale.new_zeros(scale.shape)
    if scale.numel() > 1:
        shape = [1] * value.dim()
        shape[facts.get("axis", 1)] = -1
        scale, shift = scale.reshape(shape), shift.reshape(shape)
    return scale, shift.to(scale.dtype)


LAYERS: dict[str, Operator] = {
    "ArgMax": _arg("argmax"),
    "ArgMin": _arg("argmin"),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DequantizeLinear": _dequantize,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda inputs, _: inputs[0].mean(
        tuple(range(2, inputs[0].dim())), keepdim=True
    ),
    "GlobalMaxPool": lambda inputs, _: inputs[0].amax(
        tuple(range(2, inputs[0].dim())), keepdim=True
    ),
    "InstanceNormalization": _instance_norm,
    "LRN": _local_response_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _softmax("log_softmax"),
    "MatMul": lambda inputs, _: inputs[0] @ inputs[1],
    "MaxPool": _max_pool,
    "QuantizeLinear": _quantize,
    "ReduceL2": _reduction(lambda data, axes, keep: data.norm(dim=axes, keepdim=keep)),
    "ReduceMax": _reduction(lambda data, axes, keep: data.amax(axes, keep)),
    "ReduceMean": _reduction(lambda data, axes, keep: data.mean(axes, keep)),
    "ReduceMin": _reduction(lambda data, axes, keep: data.amin(axes, keep)),
    "ReduceSum": _reduction(lambda data, axes, keep: data.sum(axes, keep)),
    "Resize": _resize,
    "Softmax": _softmax("softmax"),
}
