"""Resize operators of all kinds: what is compiled computes what ONNX defines."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from mobilebench.bench.models.onnx_canonical import canonical, with_shape
from mobilebench.targets.errors import BenchError
from tests.bench.models.own_files import write

SHAPE = (1, 3, 7, 9)
PLACES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDED = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
TWICE, HALF, SMALL, ONE = ([1, 1, 2, 2], [1, 1, 0.5, 0.5], (1, 3, 3, 4), (1, 3, 1, 1))


def resized(
    path: Path, how: Any, shape: tuple[int, ...] = SHAPE, opset: int = 19, **facts: Any
) -> onnx.ModelProto:
    """Return a network that resizes: by scales, a list, or to sizes, a tuple."""
    by_scales = isinstance(how, list)
    values = np.array(how, np.float32 if by_scales else np.int64)
    inputs = ["r", "", "how"] if by_scales else ["r", "", "", "how"]
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Resize", inputs, ["out"])]
    nodes[1].attribute.extend(helper.make_attribute(*one) for one in facts.items())
    return onnx.load(write(path / "net.onnx", nodes, {"how": values}, shape=shape, opset=opset))


def compiled(model: onnx.ModelProto, data: np.ndarray) -> np.ndarray:
    """Return what TVM makes of a network."""
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    module = relax.transform.LegalizeOps()(from_onnx(model, keep_params_in_input=False))
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    found: np.ndarray = machine["main"](tvm.runtime.tensor(data)).numpy()
    return found


def error(model: onnx.ModelProto, shape: tuple[int, ...] = SHAPE) -> float:
    data = np.random.default_rng(1).standard_normal(shape, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (expected,) = ReferenceEvaluator(model).run(None, {"x": data})
    form = canonical(with_shape(model, "x", shape), "x", Path("net.onnx"))
    found = compiled(form, data)
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_images_are_resized_to_sizes(mode: str, place: str, tmp_path: Path) -> None:
    for sizes in (SMALL, (1, 3, 15, 13)):
        model = resized(tmp_path, sizes, mode=mode, coordinate_transformation_mode=place)
        assert error(model) < 1e-5


@pytest.mark.parametrize("place", ["half_pixel", "pytorch_half_pixel", "asymmetric"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_scales_that_sizes_were_rounded_from_are_the_scales(
    mode: str, place: str, tmp_path: Path
) -> None:
    model = resized(tmp_path, HALF, mode=mode, coordinate_transformation_mode=place)
    assert error(model) < 1e-5


@pytest.mark.parametrize("rounded", ROUNDED)
def test_neighbours_are_rounded_as_it_is_said(rounded: str, tmp_path: Path) -> None:
    for scales in (TWICE, HALF, [1, 1, 1.75, 1.25]):
        for place in ("half_pixel", "asymmetric"):
            facts = {"nearest_mode": rounded, "coordinate_transformation_mode": place}
            assert error(resized(tmp_path, scales, mode="nearest", **facts)) == 0


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_one_pixel_of_aligned_corners_is_the_first(mode: str, tmp_path: Path) -> None:
    model = resized(tmp_path, ONE, mode=mode, coordinate_transformation_mode="align_corners")
    assert error(model) < 1e-5


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_smaller_images_are_antialiased(mode: str, tmp_path: Path) -> None:
    for how in (SMALL, HALF, ONE):
        assert error(resized(tmp_path, how, mode=mode, antialias=1)) < 1e-5


def test_symmetric_half_pixels_are_compiled_of_sizes_alone(tmp_path: Path) -> None:
    facts = {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}
    assert error(resized(tmp_path, SMALL, **facts)) < 1e-5
    with pytest.raises(BenchError, match=r"Resize \(linear, half_pixel_symmetric, of axes 2, 3\)"):
        error(resized(tmp_path, HALF, **facts))


@pytest.mark.parametrize(
    ("how", "shape", "facts"),
    [
        ([2.0, 1.5], SHAPE, {"axes": [2, 3]}),
        ((14, 20), SHAPE, {"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}),
        ([1, 1, 1.7], (1, 3, 8), {}),
        ([1, 1, 2, 2, 2], (1, 2, 3, 4, 3), {}),
    ],
)
def test_axes_that_are_named_and_other_ranks_are_resized(
    how: Any, shape: tuple[int, ...], facts: dict[str, Any], tmp_path: Path
) -> None:
    assert error(resized(tmp_path, how, shape, mode="linear", **facts), shape) < 1e-5


def test_rows_and_columns_before_channels_are_resized_to_neighbours_alone(tmp_path: Path) -> None:
    shape, how = (1, 5, 6, 3), [1, 2, 2, 1]
    assert error(resized(tmp_path, how, shape, mode="nearest"), shape) == 0
    with pytest.raises(BenchError, match=r"of axes 1, 2\) is of a kind that is not compiled right"):
        error(resized(tmp_path, how, shape, mode="linear"), shape)
