from typing import Any

import numpy as np

from tests.schedules.passes.run_pass import run_pass


def constants(module: Any) -> list[np.ndarray]:
    from tvm import relax
    from tvm.ir import GenericConst

    found = []

    def visit(expression: Any) -> None:
        if isinstance(expression, GenericConst):
            found.append(expression.value.numpy())

    relax.analysis.post_order_visit(module["main"], visit)
    return found


def module_of(build: Any) -> Any:
    from tvm import relax

    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((2, 3), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(build(builder, x))
        builder.emit_func_output(result)
    return builder.finalize()


def test_transpose_and_reshape_of_a_constant_are_folded() -> None:
    from tvm import relax

    from mobilebench.schedules.passes.fold_layout import FoldLayout

    values = np.arange(6, dtype=np.float32).reshape(3, 2)

    def build(builder: Any, x: Any) -> Any:
        turned = builder.emit(relax.op.permute_dims(relax.const(values)))
        flat = builder.emit(relax.op.reshape(turned, (1, 2, 3)))
        return relax.op.add(x, builder.emit(relax.op.reshape(flat, (2, 3))))

    module = run_pass(FoldLayout(), module_of(build))
    (constant,) = constants(module)
    np.testing.assert_array_equal(constant, values.T)
    assert "permute_dims" not in str(module)
    assert "reshape" not in str(module)


def test_transpose_of_a_variable_is_kept() -> None:
    import tvm
    from tvm import relax

    from mobilebench.schedules.passes.fold_layout import FoldLayout

    module = module_of(lambda builder, x: relax.op.permute_dims(x, (1, 0)))
    tvm.ir.assert_structural_equal(run_pass(FoldLayout(), module), module)


def test_two_transposes_in_a_row_become_one_or_none() -> None:
    from tvm import relax

    from mobilebench.schedules.passes.fold_layout import FoldLayout

    def there_and_back(builder: Any, x: Any) -> Any:
        return relax.op.permute_dims(builder.emit(relax.op.permute_dims(x, (1, 0))), (1, 0))

    def thrice(builder: Any, x: Any) -> Any:
        return relax.op.permute_dims(builder.emit(there_and_back(builder, x)), (1, 0))

    assert str(run_pass(FoldLayout(), module_of(there_and_back))).count("permute_dims") == 0
    assert str(run_pass(FoldLayout(), module_of(thrice))).count("permute_dims") == 1
