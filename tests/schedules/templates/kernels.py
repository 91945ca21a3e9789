"""Small kernels as fusion leaves them for a GPU, with what PyTorch makes of the same numbers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilebench.targets.catalog.target import Limits, find_target
from mobilebench.targets.catalog.tvm_target import resolve

Array = NDArray[Any]


@dataclass(frozen=True)
class Kernel:
    """A function, its arguments as they are computed with, and what it must write."""

    function: Any
    arrays: list[Array]
    expected: Array


def handle_of(limits: Limits) -> Any:
    """Return TVM's target for an OpenCL device of this machine with such limits."""
    import tvm

    return tvm.target.Target(resolve(replace(find_target("opencl"), limits=limits)))


def pointwise(
    machine: Any, half: bool, size: tuple[int, int, int, int], residual: bool = False
) -> Kernel:
    """Return a 1x1 convolution of height, width, inputs and outputs, with bias and a residual."""
    from mobilebench.schedules.operators import pointwise as operator
    from mobilebench.schedules.templates.gpu import pointwise as template

    height, width, inputs, outputs = size
    data, weight = _noise(1, height, width, inputs), _noise(inputs, outputs)
    bias, more = _noise(1, 1, 1, outputs), _noise(1, height, width, outputs)
    data, weight, more = (_as_stored(one, half) for one in (data, weight, more))
    expected = data @ weight + bias
    arrays = [data, template.pack(weight, machine), bias]
    if residual:
        return _kernel(
            lambda d, w, b, m: _sum(_sum(operator.compute(d, w, outputs), b), m),
            [*arrays, more], expected + more, half,
        )  # fmt: skip
    return _kernel(
        lambda d, w, b: _relu6(_sum(operator.compute(d, w, outputs), b)),
        arrays, expected.clip(0, 6), half,
    )  # fmt: skip


def depthwise(machine: Any, half: bool, size: tuple[int, int, int], stride: int) -> Kernel:
    """Return a 3x3 convolution of each channel, with bias and ReLU6; size is H, W, channels."""
    from mobilebench.schedules.operators import depthwise as operator
    from mobilebench.schedules.operators.window import Window

    data, weight = _noise(1, *size), _noise(3, 3, size[2])
    bias = _noise(1, 1, 1, size[2])
    data, weight = (_as_stored(one, half) for one in (data, weight))
    planar = weight.transpose(2, 0, 1)[:, None]
    convolved = _convolve(data.transpose(0, 3, 1, 2), planar, stride, groups=size[2])
    return _kernel(
        lambda d, w, b: _relu6(
            _sum(operator.compute(d, w, Window((stride, stride), (1, 1, 1, 1))), b)
        ),
        [data, weight, bias],
        (convolved + bias).clip(0, 6),
        half,
    )


def stem(machine: Any, half: bool, size: tuple[int, int], outputs: int) -> Kernel:
    """Return a 3x3 convolution of a planar image with stride 2, whose input is never half."""
    from mobilebench.schedules.operators import stem as operator
    from mobilebench.schedules.templates.gpu import stem as template

    data, weight = _noise(1, 3, *size), _as_stored(_noise(3, 3, 3, outputs), half)
    bias = _noise(1, 1, 1, outputs)
    convolved = _convolve(data, weight.transpose(3, 2, 0, 1), stride=2)
    return _kernel(
        lambda d, w, b: _relu6(_sum(operator.compute(d, w, outputs, (2, 2), (1, 1, 1, 1)), b)),
        [data, template.pack(weight, machine), bias],
        (convolved + bias).clip(0, 6),
        half,
        planar=True,
    )


def convolution(
    machine: Any, half: bool, size: tuple[int, int, int], outputs: int, dilation: int
) -> Kernel:
    """Return a 3x3 convolution over all channels, with bias and ReLU6; size is H, W, inputs."""
    from mobilebench.schedules.operators import convolution as operator
    from mobilebench.schedules.operators.window import Window
    from mobilebench.schedules.templates.gpu import convolution as template

    data, weight = _noise(1, *size), _noise(3, 3, size[2], outputs)
    bias = _noise(1, 1, 1, outputs)
    data, weight = (_as_stored(one, half) for one in (data, weight))
    convolved = _convolve(
        data.transpose(0, 3, 1, 2), weight.transpose(3, 2, 0, 1), stride=1, dilation=dilation
    )
    padding = (dilation, dilation, dilation, dilation)
    window = ((1, 1), padding, (dilation, dilation))
    return _kernel(
        lambda d, w, b: _relu6(
            _sum(
                operator.compute(d, w, outputs, Window(*window), skippable=template.SKIPS_PADDING),
                b,
            )
        ),
        [data, template.pack(weight, machine), bias],
        (convolved + bias).clip(0, 6),
        half,
    )


def pooling(machine: Any, half: bool, size: tuple[int, int, int]) -> Kernel:
    """Return the mean of every channel of an image of height, width and channels."""
    from mobilebench.schedules.operators import pooling as operator

    data = _as_stored(_noise(1, *size), half)
    return _kernel(operator.compute, [data], data.mean((1, 2)), half)


def classifier(machine: Any, half: bool, inputs: int, outputs: int) -> Kernel:
    """Return a vector by a matrix, with bias; its output is never half."""
    from mobilebench.schedules.operators import classifier as operator
    from mobilebench.schedules.templates.gpu import classifier as template

    data, weight = _noise(1, inputs), _noise(inputs, outputs)
    data, weight = (_as_stored(one, half) for one in (data, weight))
    bias = _noise(1, outputs)
    return _kernel(
        lambda d, w, b: _sum(operator.compute(d, w, outputs), b),
        [data, template.pack(weight, machine), bias],
        data @ weight + bias,
        half,
        last=True,
    )


def _kernel(
    compute: Callable[..., Any],
    arrays: list[Array],
    expected: Array,
    half: bool,
    planar: bool = False,
    last: bool = False,
) -> Kernel:
    """Return a kernel; where it is half, weights and images are, but no image that is planar."""
    from tvm import te

    from mobilebench.schedules.operators import half as conversion

    stored = [
        half and (np.count_nonzero(np.array(one.shape) > 1) > 1 if number else not planar)
        for number, one in enumerate(arrays)
    ]
    arguments = [
        te.placeholder(one.shape, "float16" if is_half else "float32", name=f"argument{number}")
        for number, (one, is_half) in enumerate(zip(arrays, stored, strict=True))
    ]
    output = compute(
        *(
            conversion.read(one, number) if is_half else one
            for number, (one, is_half) in enumerate(zip(arguments, stored, strict=True))
        )
    )
    output = conversion.write(output) if half and not last else output
    own = [
        one.astype("float16" if is_half else "float32")
        for one, is_half in zip(arrays, stored, strict=True)
    ]
    return Kernel(te.create_prim_func([*arguments, output]), own, expected)


def _sum(left: Any, right: Any) -> Any:
    from tvm import topi

    return topi.add(left, right)


def _relu6(data: Any) -> Any:
    from tvm import topi

    return topi.minimum(topi.maximum(data, 0.0), 6.0)


def _noise(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


def _as_stored(array: Array, half: bool) -> Array:
    return array.astype(np.float16).astype(np.float32) if half else array


def _convolve(
    planar: Array, weight: Array, stride: int, groups: int = 1, dilation: int = 1
) -> Array:
    """Return PyTorch's convolution, padded by its dilation, as NHWC."""
    import torch

    found = torch.nn.functional.conv2d(
        torch.from_numpy(np.ascontiguousarray(planar)),
        torch.from_numpy(np.ascontiguousarray(weight)),
        stride=stride,
        padding=dilation,
        dilation=dilation,
        groups=groups,
    )
    return found.numpy().transpose(0, 2, 3, 1)
