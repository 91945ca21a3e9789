"""ONNX operators that move elements, or tell about shapes, in PyTorch."""

from typing import Any

from mobilebench.bench.models.onnx_in_pytorch.elementwise import Facts, Operator
from mobilebench.targets.errors import BenchError


def axes_of(inputs: list[Any], facts: Facts, at: int = 1) -> list[int] | None:
    """Return the axes that a node names, as an input or, before opset 13 or 18, an attribute."""
    given = inputs[at] if len(inputs) > at else None
    return facts.get("axes") if given is None else given.tolist()


def _reshape(inputs: list[Any], facts: Facts) -> Any:
    data, shape = inputs
    zero_is_zero = bool(facts.get("allowzero"))
    sizes = [
        data.shape[at] if size == 0 and not zero_is_zero else size
        for at, size in enumerate(shape.tolist())
    ]
    return data.reshape(sizes)


def _flatten(inputs: list[Any], facts: Facts) -> Any:
    (data,), axis = inputs, facts.get("axis", 1)
    rows = 1
    for extent in data.shape[: axis if axis >= 0 else data.dim() + axis]:
        rows *= extent
    return data.reshape(rows, -1)


def _squeeze(inputs: list[Any], facts: Facts) -> Any:
    axes = axes_of(inputs, facts)
    return inputs[0].squeeze() if axes is None else inputs[0].squeeze(axes)


def _unsqueeze(inputs: list[Any], facts: Facts) -> Any:
    data, axes = inputs[0], axes_of(inputs, facts) or []
    rank = data.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        data = data.unsqueeze(axis)
    return data


def _concat(inputs: list[Any], facts: Facts) -> Any:
    import torch

    return torch.cat(inputs, facts["axis"])


def _split(inputs: list[Any], facts: Facts) -> Any:
    data, axis = inputs[0], facts.get("axis", 0)
    sizes = inputs[1] if len(inputs) > 1 else None
    sizes = facts.get("split") if sizes is None else sizes.tolist()
    if sizes is None:
        each = -(-data.shape[axis] // facts["outputs"])
        return data.split(each, axis)
    return data.split(sizes, axis)


def _slice(inputs: list[Any], _facts: Facts) -> Any:
    import torch

    data, starts, ends, *rest = inputs
    axes, steps = (*rest, None, None)[:2]
    which = range(len(starts)) if axes is None else axes.tolist()
    strides = [1] * len(starts) if steps is None else steps.tolist()
    for axis, begin, end, step in zip(which, starts.tolist(), ends.tolist(), strides, strict=True):
        taken = range(data.shape[axis])[begin:end:step]
        data = data.index_select(axis, torch.tensor(list(taken), dtype=torch.int64))
    return data


def _gather(inputs: list[Any], facts: Facts) -> Any:
    data, indices = inputs
    axis = facts.get("axis", 0) % data.dim()
    indices = indices % data.shape[axis]
    found = data.index_select(axis, indices.reshape(-1))
    return found.reshape((*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]))


def _transpose(inputs: list[Any], facts: Facts) -> Any:
    data = inputs[0]
    return data.permute(facts.get("perm", list(range(data.dim()))[::-1]))


def _pad(inputs: list[Any], facts: Facts) -> Any:
    import torch

    data, pads, *rest = inputs
    value, axes = (*rest, None, None)[:2]
    mode = facts.get("mode", b"constant").decode()
    which = list(range(data.dim())) if axes is None else axes.tolist()
    numbers = pads.tolist()
    around = [(0, 0)] * data.dim()
    for at, axis in enumerate(which):
        around[axis] = (numbers[at], numbers[at + len(which)])
    reversed_pairs = [one for pair in reversed(around) for one in pair]
    if mode == "constant":
        filling = 0 if value is None or not value.numel() else value.item()
        return torch.nn.functional.pad(data, reversed_pairs, value=filling)
    if mode not in ("reflect", "edge") or any(around[0]) or any(around[1]):
        raise BenchError(f"PyTorch's reference: Pad in mode {mode} is not known")
    inner = reversed_pairs[: 2 * (data.dim() - 2)]
    torch_mode = "replicate" if mode == "edge" else mode
    return torch.nn.functional.pad(data, inner, mode=torch_mode)


def _constant(_inputs: list[Any], facts: Facts) -> Any:
    import onnx
    import torch

    if "value" in facts:
        found = torch.from_numpy(onnx.numpy_helper.to_array(facts["value"]).copy())
    else:
        key = next(iter(facts.keys() & {"value_float", "value_floats", "value_int", "value_ints"}))
        found = torch.tensor(facts[key])
    return found.to(facts["kind"]) if found.is_floating_point() else found


def _constant_of_shape(inputs: list[Any], facts: Facts) -> Any:
    import torch

    value = _constant([], facts) if "value" in facts else torch.zeros(1, dtype=facts["kind"])
    return value.reshape(1).expand(inputs[0].tolist() or [1]).reshape(inputs[0].tolist())


def _shape(inputs: list[Any], facts: Facts) -> Any:
    import torch

    extents = list(inputs[0].shape)
    return torch.tensor(extents[facts.get("start", 0) : facts.get("end", len(extents))])


def _range(inputs: list[Any], _facts: Facts) -> Any:
    import torch

    return torch.arange(*(one.item() for one in inputs), dtype=inputs[0].dtype)


def _depth_to_space(inputs: list[Any], facts: Facts) -> Any:
    (data,), block = inputs, facts["blocksize"]
    count, channels, height, width = data.shape
    inner = channels // block**2
    if facts.get("mode", b"DCR") == b"CRD":
        parts = data.reshape(count, inner, block, block, height, width).permute(0, 1, 4, 2, 5, 3)
    else:
        parts = data.reshape(count, block, block, inner, height, width).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(count, inner, height * block, width * block)


def _space_to_depth(inputs: list[Any], facts: Facts) -> Any:
    (data,), block = inputs, facts["blocksize"]
    if facts.get("mode", b"DCR") != b"DCR":
        raise BenchError("PyTorch's reference: this kind of SpaceToDepth is not known")
    count, channels, height, width = data.shape
    parts = data.reshape(count, channels, height // block, block, width // block, block)
    moved = parts.permute(0, 3, 5, 1, 2, 4)
    return moved.reshape(count, channels * block**2, height // block, width // block)


def _expand(inputs: list[Any], _facts: Facts) -> Any:
    import torch

    data, shape = inputs
    return data.expand(torch.broadcast_shapes(data.shape, shape.tolist()))


SHAPES: dict[str, Operator] = {
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Dropout": lambda inputs, _: inputs[0],
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": lambda inputs, _: inputs[0],
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": lambda inputs, _: inputs[0].repeat(inputs[1].tolist()),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
