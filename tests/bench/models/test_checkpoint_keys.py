"""Checkpoints with torchvision's, timm's and TF-slim's names."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mobilebench.bench.models.checkpoint_keys import torchvision_state
from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.bench.models.checkpoints import (
    AS_SLIM,
    AVERAGE,
    Arrays,
    load,
    logits,
    slim_arrays,
    tensors,
    timm_state,
)

TINY = parse_variant("mobilenet_v2_0.35_32")
SEED = Weights(seed=7)
STEM = "MobilenetV2/Conv/weights"
DEPTHWISE = "MobilenetV2/expanded_conv/depthwise/depthwise_weights"
LOGITS = "MobilenetV2/Logits/Conv2d_1c_1x1/weights"


@pytest.fixture
def slim() -> Arrays:
    """Return slim's variables of the tiny variant."""
    return slim_arrays(load_model(TINY, AS_SLIM), TINY)


def saved(arrays: Arrays, directory: Path) -> Path:
    np.savez(directory / "slim.npz", **arrays)  # type: ignore[arg-type]
    return directory / "slim.npz"


@pytest.mark.parametrize(
    "name", ["mobilenet_v2_0.35_32", "mobilenet_v2_1.4_32", "mobilenet_v2_1.2_32_d1.4_c37"]
)
def test_timm_s_state_dict_computes_what_the_model_computes(name: str, tmp_path: Path) -> None:
    variant = parse_variant(name)
    model = load_model(variant, SEED)
    torch.save(timm_state(model), tmp_path / "timm.pth")
    save_file(timm_state(model), tmp_path / "model.safetensors")
    for file in ("timm.pth", "model.safetensors"):
        weights = find_weights(str(tmp_path / file), tmp_path)
        assert (weights.padding, weights.batch_norm_epsilon) == ("symmetric", 1e-5)
        assert weights.mean == SEED.mean
        assert torch.equal(logits(load_model(variant, weights), variant), logits(model, variant))


# An odd size is padded otherwise than an even one; without expansion there is a layer less.
@pytest.mark.parametrize("name", ["0.35_32", "0.35_33", "1.4_32", "0.35_32_t1"])
def test_slim_s_variables_compute_what_the_model_computes(name: str, tmp_path: Path) -> None:
    variant = parse_variant(f"mobilenet_v2_{name}")
    model = load_model(variant, AS_SLIM)
    arrays = slim_arrays(model, variant)
    saved(arrays, tmp_path)
    torch.save(tensors(arrays), tmp_path / "slim.pth")
    save_file(tensors(arrays), tmp_path / "slim.safetensors")
    for file in ("slim.npz", "slim.pth", "slim.safetensors"):
        weights = find_weights(str(tmp_path / file), tmp_path)
        assert (weights.padding, weights.batch_norm_epsilon) == ("same", 1e-3)
        assert weights.mean == weights.std == (0.5, 0.5, 0.5)
        assert torch.equal(logits(load_model(variant, weights), variant), logits(model, variant))


def test_torchvision_s_names_may_come_in_any_file(tmp_path: Path) -> None:
    model = load_model(TINY, SEED)
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("_tracked")}
    np.savez(tmp_path / "tiny.npz", **{key: tensor.numpy() for key, tensor in state.items()})
    save_file(state, tmp_path / "tiny.safetensors")
    for file in ("tiny.npz", "tiny.safetensors"):
        assert torch.equal(logits(load(tmp_path / file, TINY), TINY), logits(model, TINY))


@pytest.mark.parametrize("name", ["0.35_32", "0.35_32_t1"])
@pytest.mark.parametrize("apart", [False, True])
def test_blocks_may_be_numbered_in_one_row(name: str, apart: bool, tmp_path: Path) -> None:
    variant = parse_variant(f"mobilenet_v2_{name}")
    model = load_model(variant, SEED)
    layers = {"0.0": 0, "0.1": 1, "1.0": 3, "1.1": 4, "2": 6, "3": 7}
    without = {"0.0": 0, "0.1": 1, "1": 3, "2": 4}
    state = {}
    for there, tensor in model.state_dict().items():
        key = there
        if block := re.fullmatch(r"(features\.(\d+)\.conv)\.([\d.]+)\.(\w+)", key):
            numbers = without if block[2] == "1" or "t1" in name else layers
            key = f"{block[1]}.{numbers[block[3]]}.{block[4]}"
        elif apart:  # as mobilenetv2.pytorch names the last convolution
            key = key.replace("features.18.", "conv.")
        state[key.replace("classifier.1.", "classifier.")] = tensor
    torch.save(state, tmp_path / "flat.pth")
    assert "features.1.conv.3.weight" in state
    weights = find_weights(str(tmp_path / "flat.pth"), tmp_path)
    assert (weights.padding, weights.batch_norm_epsilon) == ("symmetric", 1e-5)
    assert torch.equal(logits(load_model(variant, weights), variant), logits(model, variant))


def test_keys_of_a_parallel_model_lose_their_prefix(tmp_path: Path) -> None:
    model = load_model(TINY, SEED)
    for state in (model.state_dict(), timm_state(model)):
        parallel = {f"module.{key}": tensor for key, tensor in state.items()}
        torch.save({"epoch": 3, "state_dict": parallel}, tmp_path / "parallel.pth")
        assert torch.equal(logits(load(tmp_path / "parallel.pth", TINY), TINY), logits(model, TINY))


def test_the_first_layers_match_tensorflow(slim: Arrays, tmp_path: Path) -> None:
    # By the definitions of tf.nn.conv2d, tf.nn.depthwise_conv2d and batch normalisation.
    model = load(saved(slim, tmp_path), TINY)
    image = np.random.default_rng(0).normal(size=(32, 32, 3)).astype(np.float32)
    stem, depthwise = slim[STEM], slim[DEPTHWISE][..., 0]

    def windows(pixels: np.ndarray, before: int, stride: int) -> np.ndarray:
        padded = np.pad(pixels, ((before, 2 - before), (before, 2 - before), (0, 0)))
        views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
        return views[: len(pixels) : stride, : len(pixels) : stride]  # rows, columns, C, 3, 3

    def normalised(pixels: np.ndarray, scope: str) -> np.ndarray:
        gamma, beta, mean, variance = (
            slim[f"{scope}/BatchNorm/{name}"]
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return np.clip(gamma * (pixels - mean) / np.sqrt(variance + 0.001) + beta, 0, 6)

    # Of an even input SAME pads the right and the bottom at stride 2, all sides at stride 1.
    first = np.einsum("yxchw,hwco->yxo", windows(image, 0, 2), stem)
    first = normalised(first, "MobilenetV2/Conv")
    second = np.einsum("yxchw,hwc->yxc", windows(first, 1, 1), depthwise)
    second = normalised(second, "MobilenetV2/expanded_conv/depthwise")
    with torch.inference_mode():
        found = model.features[0](torch.from_numpy(image).permute(2, 0, 1)[None])
        np.testing.assert_allclose(found[0].permute(1, 2, 0), first, rtol=1e-4, atol=1e-5)
        found = model.features[1].conv[0](found)
    np.testing.assert_allclose(found[0].permute(1, 2, 0), second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [STEM, DEPTHWISE])
def test_height_and_width_are_not_swapped(slim: Arrays, tmp_path: Path, name: str) -> None:
    before = logits(load(saved(slim, tmp_path), TINY), TINY)
    turned = np.ascontiguousarray(slim[name].swapaxes(0, 1))
    after = logits(load(saved(slim | {name: turned}, tmp_path), TINY), TINY)
    assert not torch.allclose(before, after, rtol=1e-3)


@pytest.mark.parametrize("statistics_too", [False, True])
def test_moving_averages_are_preferred(slim: Arrays, tmp_path: Path, statistics_too: bool) -> None:
    # A trainer may average batch norm's own statistics or leave them as they are.
    model = load_model(TINY, AS_SLIM)
    averaged = [name for name in slim if statistics_too or "/moving_" not in name]
    arrays = dict(slim)
    for name in averaged:
        arrays |= {name + AVERAGE: slim[name], name: np.full_like(slim[name], 0.5)}
    assert torch.equal(logits(load(saved(arrays, tmp_path), TINY), TINY), logits(model, TINY))
    del arrays[STEM + AVERAGE]
    with pytest.raises(BenchError, match=f"lacks {STEM + AVERAGE}"):
        load(saved(arrays, tmp_path), TINY)


def test_optimizer_slots_are_ignored(slim: Arrays, tmp_path: Path) -> None:
    kept = {f"{name}/{slot}": slim[name] * 0 for name in slim for slot in ("RMSProp", "RMSProp_1")}
    kept |= {"global_step": np.array(5_000_000), "graph": np.array(b"of objects")}
    model = load(saved(kept | slim, tmp_path), TINY)
    assert torch.equal(logits(model, TINY), logits(load_model(TINY, AS_SLIM), TINY))


def test_slim_s_checkpoint_may_have_no_background(slim: Arrays, tmp_path: Path) -> None:
    biases = LOGITS.replace("weights", "biases")
    plain = slim | {LOGITS: slim[LOGITS][..., 1:], biases: slim[biases][1:]}
    model = load(saved(plain, tmp_path), TINY)
    assert torch.equal(logits(model, TINY), logits(load_model(TINY, AS_SLIM), TINY))


def test_a_manifest_wins_over_what_names_imply(slim: Arrays, tmp_path: Path) -> None:
    path = saved(slim, tmp_path)
    path.with_suffix(".toml").write_text(
        'padding = "symmetric"\nbatch_norm_epsilon = 1e-5\nmean = [0.4, 0.4, 0.4]'
    )
    weights = find_weights(str(path), tmp_path)
    assert (weights.padding, weights.batch_norm_epsilon) == ("symmetric", 1e-5)
    assert (weights.mean, weights.std) == ((0.4, 0.4, 0.4), (0.5, 0.5, 0.5))
    assert torch.equal(
        logits(load_model(TINY, weights), TINY), logits(load_model(TINY, SEED), TINY)
    )


def test_epsilon_changes_what_is_computed() -> None:
    fine, coarse = (
        load_model(TINY, Weights(seed=7, batch_norm_epsilon=epsilon)) for epsilon in (1e-5, 1e-3)
    )
    assert not torch.allclose(logits(fine, TINY), logits(coarse, TINY), rtol=1e-4)


def refused(state: dict[str, Any], directory: Path) -> str:
    """Return with what sentence a state is refused, as a PyTorch file or an archive."""
    if any(isinstance(value, np.ndarray) for value in state.values()):
        path = saved(state, directory)
    else:
        path = directory / "other.pth"
        torch.save(state, path)
    with pytest.raises(BenchError) as refusal:
        load(path, TINY)
    sentence = str(refusal.value)
    assert sentence.startswith(f"checkpoint {path}: ")
    assert "\n" not in sentence
    return sentence


def test_a_missing_tensor_is_named_as_the_file_would_name_it(slim: Arrays, tmp_path: Path) -> None:
    model = load_model(TINY, SEED)
    state: dict[str, Any]
    for owner, state, name in (
        ("torchvision", model.state_dict(), "features.3.conv.1.1.running_var"),
        ("timm", timm_state(model), "blocks.1.1.bn2.running_var"),
        ("TF-slim", slim, "MobilenetV2/expanded_conv_2/depthwise/BatchNorm/moving_variance"),
    ):
        assert name in state
        rest = {key: value for key, value in state.items() if key != name}
        sentence = refused(rest, tmp_path)
        assert f"lacks {name}; all else is {owner}'s; save the whole state_dict()" in sentence
        assert "another network" not in sentence


def test_all_that_is_missing_and_too_much_is_named_if_it_is_little(tmp_path: Path) -> None:
    state = dict(load_model(TINY, SEED).state_dict())
    assert "lacks classifier.1.bias; all else" in refused(
        without(state, "classifier.1.bias"), tmp_path
    )
    other = without(state, "classifier.1.") | {"head.linear.weight": torch.zeros(4, 7)}
    assert (
        "lacks classifier.1.weight and classifier.1.bias and has head.linear.weight, which the "
        "model has not; all else is torchvision's"
    ) in refused(other, tmp_path)
    less = without(state, "features.9.")
    assert "(15 keys missing, 0 unknown); its key names are torchvision's, but of another net" in (
        refused(less, tmp_path)
    )


def without(state: dict[str, Any], beginning: str) -> dict[str, Any]:
    return {name: one for name, one in state.items() if not name.startswith(beginning)}


def test_an_unknown_tensor_is_named(slim: Arrays, tmp_path: Path) -> None:
    model = load_model(TINY, SEED)
    quantised = "MobilenetV2/Conv/act_quant/min"
    assert f"has {quantised}, which" in refused(slim | {quantised: slim[STEM]}, tmp_path)
    deeper = {"blocks.1.2.conv_pw.weight": torch.zeros(1)}
    sentence = refused(timm_state(model) | deeper, tmp_path)
    assert "has blocks.1.2.conv_pw.weight, which the model has not" in sentence


def test_unknown_key_names_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    sentence = refused({"layer1.0.conv1.weight": torch.zeros(1)}, tmp_path)
    for part in ("layer1.0.conv1.weight", "features.", "conv_stem.", "MobilenetV2/"):
        assert part in sentence
    assert "holds no state_dict" in refused({}, tmp_path)


def test_a_wrong_shape_is_reported_in_the_file_s_layout(tmp_path: Path) -> None:
    wide = parse_variant("mobilenet_v2_1.0_32")
    model = load_model(wide, SEED)
    for state, name, found, needed in (
        (timm_state(model), "conv_stem.weight", (32, 3, 3, 3), (16, 3, 3, 3)),
        (slim_arrays(model, wide), STEM, (3, 3, 3, 32), (3, 3, 3, 16)),
    ):
        sentence = refused(state, tmp_path)
        assert f"{name} has shape {found}, the variant needs {needed}" in sentence
        assert "it is of width multiplier 1.0, not 0.35" in sentence


def test_a_wrong_number_of_classes_is_reported(slim: Arrays, tmp_path: Path) -> None:
    state = timm_state(load_model(TINY, SEED))
    sentence = refused(state | {"classifier.weight": torch.zeros(10, 1280)}, tmp_path)
    assert "has 10 classes, not 1000; it does not fit mobilenet_v2_0.35_32" in sentence
    # A background is slim's alone.
    sentence = refused(state | {"classifier.weight": torch.zeros(1001, 1280)}, tmp_path)
    assert "has 1001 classes" in sentence
    sentence = refused(slim | {LOGITS: slim[LOGITS][..., :91]}, tmp_path)
    assert "has 91 classes, not 1000" in sentence


def test_a_tensor_of_other_dimensions_is_refused(slim: Arrays, tmp_path: Path) -> None:
    for name, array in ((STEM, slim[STEM][0]), (LOGITS, slim[LOGITS][0, 0])):
        assert name in refused(slim | {name: array}, tmp_path)


def test_timm_s_and_slim_s_names_are_of_the_classifier_alone(slim: Arrays) -> None:
    model = load_model(TINY, SEED)
    detector = model.state_dict() | {"head.weight": torch.zeros(3)}
    for state in (timm_state(model), tensors(slim)):
        with pytest.raises(BenchError, match=r"checkpoint some\.pth: .* classifier alone"):
            torchvision_state(state, detector, TINY, "some.pth")


def test_integer_tensors_are_refused(tmp_path: Path) -> None:
    state = timm_state(load_model(TINY, SEED))
    whole = {"conv_stem.weight": state["conv_stem.weight"].to(torch.int8)}
    assert "conv_stem.weight holds torch.int8" in refused(state | whole, tmp_path)


def test_a_classifier_may_be_a_convolution_of_one_tap(tmp_path: Path) -> None:
    model = load_model(TINY, SEED)
    state = model.state_dict()
    state["classifier.1.weight"] = state["classifier.1.weight"][:, :, None, None]
    torch.save(state, tmp_path / "tiny.pth")
    assert torch.equal(logits(load(tmp_path / "tiny.pth", TINY), TINY), logits(model, TINY))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: one.to(torch.float8_e4m3fn), "holds torch.float8_e4m3fn, not floats; is the"),
        (lambda one: one.to_sparse(), "is a sparse tensor; save it as a dense one"),
    ],
)
def test_tensors_of_other_kinds_are_refused(change: Any, reason: str, tmp_path: Path) -> None:
    state = load_model(TINY, SEED).state_dict()
    state["features.0.0.weight"] = change(state["features.0.0.weight"])
    torch.save(state, tmp_path / "tiny.pth")
    with pytest.raises(BenchError, match=f"features.0.0.weight {reason}"):
        load(tmp_path / "tiny.pth", TINY)
