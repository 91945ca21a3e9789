"""One form of every ONNX file: shapes fixed, constants folded, batch norms in convolutions.

What compiles and runs a network is given this form; what it computes is compared with the file as
it was.
"""

import re
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from mobilebench.bench.models.onnx_network import Shape
from mobilebench.bench.models.onnx_resize import with_known_resizes
from mobilebench.targets.errors import BenchError

_OPSET = 13  # older files are brought to it: scales by channel, axes as inputs
_SIZE_LIMIT = 2**22  # elements of constants that are folded
_SEVERAL_OUTPUTS = ("Split", "TopK", "Unique")


def with_shape(model: Any, name: str, shape: Shape) -> Any:
    """Return a copy of a model whose input has a shape, and whose other shapes are not told."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    weights = {one.name for one in copy.graph.initializer}
    kept = [one for one in copy.graph.input if one.name not in weights]
    del copy.graph.input[:]
    copy.graph.input.extend(kept)  # of files before IR 4, whose weights are inputs too
    for one in copy.graph.input:
        if one.name == name:
            dims = one.type.tensor_type.shape.dim
            del dims[:]
            for size in shape:
                dims.add().dim_value = size
    for one in copy.graph.output:
        one.type.tensor_type.ClearField("shape")
    return copy


def canonical(model: Any, input_name: str, path: Path) -> Any:
    """Return a model, whose input has its shape already, as it is compiled.

    Its input is called `input`, its outputs as files may be; whole numbers that it puts out become
    floating-point numbers. Raises BenchError if a shape depends on values.
    """
    import onnx
    import onnx_ir
    from onnxscript import optimizer, rewriter
    from onnxscript.rewriter.rules import common

    upgraded = _upgraded(model)
    graph = onnx_ir.from_proto(upgraded)
    rules = (
        common.fuse_batchnorm_into_conv_rule,
        common.fuse_batchnorm_into_gemm_rule,
        common.fuse_pad_into_conv_rule,
        *common.fuse_hardswish_rules(),
    )
    fold = partial(
        optimizer.optimize_ir,
        input_size_limit=_SIZE_LIMIT,
        output_size_limit=_SIZE_LIMIT,
        # By default it is left, with all that is computed from it, such as where to pad.
        should_fold=lambda node: True if node.op_type == "ConstantOfShape" else None,
    )
    fold(graph)
    while folded := _fold_several_outputs(onnx_ir.to_proto(graph)):
        graph = onnx_ir.from_proto(folded)
        fold(graph)
    rewriter.rewrite(graph, pattern_rewrite_rules=rules)
    fold(graph)
    _rename(graph.graph, input_name)
    found = onnx_ir.to_proto(graph)
    _put_out_floats(found)
    _forget_open_shapes(found)  # inferred before all constants were known
    del found.metadata_props[:]
    for entry in (*found.graph.node, *found.graph.value_info, *found.graph.initializer):
        del entry.metadata_props[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(found, strict_mode=True, data_prop=True)
        if with_known_resizes(inferred, shapes_of(inferred), path):
            inferred = onnx.shape_inference.infer_shapes(inferred, strict_mode=True, data_prop=True)
        _check_outputs(inferred, path)
        onnx.checker.check_model(inferred, full_check=True)
    except BenchError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise BenchError(f"model {path}: its shapes contradict each other: {reason}") from error
    return inferred


def _check_outputs(model: Any, path: Path) -> None:
    """Raise BenchError for an output that cannot be compared, or whose shape is not known."""
    made = {name for node in model.graph.node for name in node.output}
    shapes = shapes_of(model)
    for one in model.graph.output:
        if one.name not in made:
            raise BenchError(
                f"model {path}: output {one.name!r} is the same for every input; export the "
                "network without it"
            )
        if not one.type.tensor_type.HasField("shape") or not _is_known(one):
            raise BenchError(
                f"model {path}: the shape of output {one.name!r} is not known{_since(model)}; "
                "export the network without what makes a shape of values, for example before its "
                "post-processing"
            )
        if not shapes[one.name]:
            raise BenchError(
                f"model {path}: output {one.name!r} is a single number without axes; export it "
                "with the batch's axis"
            )


def _since(model: Any) -> str:
    """Return since which operator shapes are not known, as a part of a sentence."""
    told = {one.name for one in (*model.graph.value_info, *model.graph.output) if _is_told(one)}
    for node in model.graph.node:
        if any(name and name not in told for name in node.output):
            return f" (from its operator {node.op_type} on)"
    return ""


def _is_told(value: Any) -> bool:
    return bool(value.type.tensor_type.HasField("shape") and _is_known(value))


def shapes_of(model: Any) -> dict[str, Shape]:
    """Return the shapes of all tensors whose sizes are known, weights included."""
    found = {one.name: tuple(one.dims) for one in model.graph.initializer}
    for one in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        if _is_known(one):
            found[one.name] = tuple(dim.dim_value for dim in one.type.tensor_type.shape.dim)
    return found


def _forget_open_shapes(model: Any) -> None:
    """Have shapes inferred again that were not known when they were."""
    told = [one for one in model.graph.value_info if _is_known(one)]
    del model.graph.value_info[:]
    model.graph.value_info.extend(told)
    for one in model.graph.output:
        if not _is_known(one):
            one.type.tensor_type.ClearField("shape")


def _is_known(value: Any) -> bool:
    return all(dim.HasField("dim_value") for dim in value.type.tensor_type.shape.dim)


def _fold_several_outputs(model: Any) -> Any | None:
    """Return a model without operators of several outputs that read constants alone, if it has any.

    The optimizer folds those of one output; a Split of sizes is what decides a shape.
    """
    import onnx
    from onnx.reference import ReferenceEvaluator

    constants = {one.name: one for one in model.graph.initializer}
    small = [
        node
        for node in model.graph.node
        if len(node.output) > 1
        and node.op_type in _SEVERAL_OUTPUTS
        and all(name in constants for name in node.input)
        and all(prod(constants[name].dims) <= _SIZE_LIMIT for name in node.input)
    ]
    for node in small:
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "one", [], outputs)
        graph.initializer.extend(constants[name] for name in node.input)
        one = onnx.helper.make_model(graph, opset_imports=model.opset_import)
        for output, value in zip(outputs, ReferenceEvaluator(one).run(None, {}), strict=True):
            model.graph.initializer.append(onnx.numpy_helper.from_array(value, output.name))
        model.graph.node.remove(node)
    return model if small else None


def _upgraded(model: Any) -> Any:
    """Return a model with operators as of a later opset; as it is where that cannot be done."""
    import onnx

    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    if opset >= _OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, _OPSET)
    except Exception:  # it has no adapter for every operator
        return model


def _rename(graph: Any, input_name: str) -> None:
    """Give input and outputs names that every runtime and file system takes."""
    taken: dict[str, str] = {}
    for output in graph.outputs:
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", output.name or "output").strip("._-") or "output"
        if name in ("input", "inputs") or name in taken.values():
            name = f"{name}_{len(taken)}"
        taken[output.name] = name
    new = taken | {input_name: "input"}
    values = [*graph.inputs, *graph.initializers.values()]
    values += [value for node in graph.all_nodes() for value in node.outputs]
    for value in values:
        if value.name not in new and value.name in new.values():
            value.name = f"{value.name}_inside"
    renamed = [(value, new[value.name]) for value in values if value.name in new]
    for value, name in renamed:
        value.name = name


def _put_out_floats(model: Any) -> None:
    import onnx

    for output in model.graph.output:
        kind = output.type.tensor_type.elem_type
        if kind in (onnx.TensorProto.FLOAT, onnx.TensorProto.UNDEFINED):
            continue
        inner = f"{output.name}_as_computed"
        for node in model.graph.node:
            node.output[:] = [inner if name == output.name else name for name in node.output]
            node.input[:] = [inner if name == output.name else name for name in node.input]
        cast = onnx.helper.make_node("Cast", [inner], [output.name], to=onnx.TensorProto.FLOAT)
        model.graph.node.append(cast)
        output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
