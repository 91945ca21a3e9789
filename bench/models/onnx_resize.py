"""Resize operators in the kinds that TVM computes as ONNX defines them.

TVM knows the sizes of input and output alone, not the scales that a file gives, which are others
where sizes were rounded; nor antialiasing, nor a Resize to one pixel with aligned corners. Such
ones are written out: nearest neighbours as Gather, all others, which are linear and work axis by
axis, as products with constant matrices. Source: the definition of Resize in ONNX's operators.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.bench.models.onnx_network import Shape
from mobilebench.targets.errors import BenchError

_NEAREST = "nearest"
_SYMMETRIC, _HALF = "half_pixel_symmetric", "half_pixel"
_OLD = "tf_half_pixel_for_nn"  # of opset 11
_CROPS = "tf_crop_and_resize"
_BETWEEN_CORNERS = ("align_corners", _CROPS)  # scales do not matter
_OF_IMAGES = (4, 5)  # axes, of which those after the second are resized
_CLOSE = 1e-6  # relative


@dataclass(frozen=True)
class _Axis:
    """How one axis is resized."""

    number: int
    before: int
    after: int
    scale: float
    region: tuple[float, float] = (0.0, 1.0)  # of tf_crop_and_resize

    @property
    def is_told_by_sizes(self) -> bool:
        return abs(self.scale * self.before - self.after) <= _CLOSE * self.after


def with_known_resizes(model: Any, shapes: dict[str, Shape], path: Path) -> bool:
    """Rewrite in place what TVM would compute otherwise; returns whether there was anything.

    Raises BenchError for a Resize of which no such form is known. One whose sizes are not known is
    left as it is.
    """
    import onnx

    constants = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        known = node.op_type == "Resize" and {node.input[0], node.output[0]} <= shapes.keys()
        written = _written_out(node, shapes, constants, model, path) if known else None
        model.graph.node.extend([node] if written is None else written)
    read = {name for node in model.graph.node for name in node.input}
    kept = [one for one in model.graph.initializer if one.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return list(model.graph.node) != nodes


def _written_out(
    node: Any, shapes: dict[str, Shape], constants: dict[str, Any], model: Any, path: Path
) -> list[Any] | None:
    """Return nodes that do the same; None if TVM computes this one as it is."""
    from onnx import helper, numpy_helper

    facts = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    mode = facts.get("mode", b"nearest").decode()
    place = facts.get("coordinate_transformation_mode", b"half_pixel").decode()
    changed = _axes(node, shapes, constants, facts)
    if changed is None:
        return None
    rank = len(shapes[node.input[0]])
    if place == _SYMMETRIC and _is_known(changed, facts, mode, _HALF, rank):
        return [_renamed(node, _HALF)]  # the same, of sizes that need no rounding
    if place != _SYMMETRIC and _is_known(changed, facts, mode, place, rank):
        return None
    by_products = all(one.number >= rank - 2 for one in changed) and place not in (_CROPS, _OLD)
    if place == _SYMMETRIC or not (mode == _NEAREST or by_products):
        raise _refusal(path, mode, place, changed)
    read, made = node.input[0], []
    for at, axis in enumerate(changed):
        result = node.output[0] if at == len(changed) - 1 else f"{node.output[0]}_axis{axis.number}"
        name = f"{node.output[0]}_by{axis.number}"
        if mode == _NEAREST:
            values = _neighbours(axis, place, facts.get("nearest_mode", b"round_prefer_floor"))
            made.append(helper.make_node("Gather", [read, name], [result], axis=axis.number))
        else:
            values = _matrix(axis, node, model)
            if len(values) != axis.after:
                raise _refusal(path, mode, place, changed)
            last = axis.number == rank - 1
            values = np.ascontiguousarray(values.T) if last else values
            made.append(
                helper.make_node("MatMul", [read, name] if last else [name, read], [result])
            )
        model.graph.initializer.append(numpy_helper.from_array(values, name))
        read = result
    return made or [helper.make_node("Identity", [read], list(node.output))]


def _refusal(path: Path, mode: str, place: str, changed: list[_Axis]) -> BenchError:
    axes = ", ".join(str(one.number) for one in changed)
    return BenchError(
        f"model {path}: its operator Resize ({mode}, {place}, of axes {axes}) is of a kind that is "
        "not compiled right; export it with sizes in the place of scales, as half_pixel, of the "
        "last two axes"
    )


def _renamed(node: Any, place: str) -> Any:
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for one in copy.attribute:
        if one.name == "coordinate_transformation_mode":
            one.s = place.encode()
    return copy


def _axes(
    node: Any, shapes: dict[str, Shape], constants: dict[str, Any], facts: dict[str, Any]
) -> list[_Axis] | None:
    """Return the axes that are resized; None if a scale is not known."""
    before, after = shapes[node.input[0]], shapes[node.output[0]]
    given = [constants.get(name) if name else None for name in (*node.input[1:], "", "", "")[:3]]
    region, scales, sizes = (None if one is None or not one.size else one for one in given)
    if scales is None and sizes is None:
        return None
    named = [axis % len(before) for axis in facts.get("axes", range(len(before)))]
    found = []
    policy = facts.get("keep_aspect_ratio_policy", b"stretch")
    ratios = (
        [] if sizes is None else [size / before[a] for size, a in zip(sizes, named, strict=True)]
    )
    for at, axis in enumerate(named):
        if scales is not None:
            scale = float(scales[at])
        elif policy == b"stretch":
            scale = after[axis] / before[axis]
        else:
            scale = (min if policy == b"not_larger" else max)(ratios)
        one = _Axis(axis, before[axis], after[axis], scale)
        if region is not None and facts.get("coordinate_transformation_mode") == _CROPS.encode():
            one = replace(one, region=(float(region[at]), float(region[at + len(named)])))
        if scale != 1 or one.region != (0.0, 1.0):
            found.append(one)
    return found


def _is_known(
    changed: list[_Axis], facts: dict[str, Any], mode: str, place: str, rank: int
) -> bool:
    """Whether TVM computes a Resize as it is defined."""
    odd = "axes" in facts or facts.get("keep_aspect_ratio_policy", b"stretch") != b"stretch"
    images = rank in _OF_IMAGES and all(one.number >= 2 for one in changed)
    blurs = facts.get("antialias") and any(one.scale < 1 for one in changed)
    if odd or not images or blurs:
        return False
    if place in _BETWEEN_CORNERS:
        return all(one.after > 1 for one in changed)
    if mode != _NEAREST or not all(one.is_told_by_sizes for one in changed):
        return all(one.is_told_by_sizes for one in changed)
    rounded = facts.get("nearest_mode", b"round_prefer_floor")
    return all(
        np.array_equal(
            _neighbours(one, place, rounded),
            _neighbours(replace(one, scale=one.after / one.before), place, rounded, np.float64),
        )
        for one in changed
    )


def _neighbours(axis: _Axis, place: str, rounded: bytes, kind: Any = np.float32) -> Any:
    """Return which pixel each one is taken from; in float32, as ONNX Runtime finds them."""
    index = np.arange(axis.after).astype(kind)
    scale, half = kind(axis.scale), kind(0.5)
    if place == "align_corners":
        found = index * kind(axis.before - 1) / kind(max(1, axis.after - 1))
    elif place == _CROPS:
        begin, end = (kind(one) for one in axis.region)
        last = kind(axis.before - 1)
        if axis.after > 1:
            found = begin * last + index * (end - begin) * last / kind(axis.after - 1)
        else:
            found = half * (begin + end) * last + index
    elif place == _OLD:
        found = (index + half) / scale
    elif place == "asymmetric":
        found = index / scale
    elif place == "pytorch_half_pixel" and axis.after == 1:
        found = index
    else:
        found = (index + half) / scale - half
    whole = {
        b"floor": np.floor(found),
        b"ceil": np.ceil(found),
        b"round_prefer_ceil": np.floor(found + half),
        b"round_prefer_floor": np.ceil(found - half),
    }[rounded]
    return whole.clip(0, axis.before - 1).astype(np.int64)


def _matrix(axis: _Axis, node: Any, model: Any) -> Any:
    """Return the weights (after, before) with which an axis is resized: of ones, each alone."""
    import onnx
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    told = axis.is_told_by_sizes
    one = helper.make_node("Resize", ["x", "", "" if told else "how", "how" if told else ""], ["y"])
    one.attribute.extend(
        each for each in node.attribute if each.name not in ("axes", "keep_aspect_ratio_policy")
    )
    sizes = np.array([axis.after, axis.before], np.int64)
    how = sizes if told else np.array([axis.scale, 1.0], np.float32)
    graph = helper.make_graph(
        [one],
        "axis",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (axis.before, axis.before))],
        [onnx.ValueInfoProto(name="y")],
        [onnx.numpy_helper.from_array(how, "how")],
    )
    alone = helper.make_model(graph, opset_imports=model.opset_import)
    (found,) = ReferenceEvaluator(alone).run(None, {"x": np.eye(axis.before, dtype=np.float32)})
    return found.astype(np.float32)
