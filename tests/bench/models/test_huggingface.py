"""Folders of Hugging Face's hub."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.bench.models.checkpoints import logits, published, timm_state

SMALL = parse_variant("mobilenet_v2_0.35_32")
SEED = Weights(seed=7, padding="same", batch_norm_epsilon=1e-3)
CONFIG = {"model_type": "mobilenet_v2", "depth_multiplier": 0.35, "image_size": 32}
BACKGROUND = {0: "background", **{index: f"n{index}" for index in range(1, 1001)}}
PROCESSOR = {
    "do_resize": True,
    "size": {"shortest_edge": 40},
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 32},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def saved(
    folder: Path,
    state: dict[str, torch.Tensor],
    config: dict[str, Any],
    processor: dict[str, Any] | None = None,
) -> Path:
    folder.mkdir(exist_ok=True)
    save_file({name: one.contiguous() for name, one in state.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    if processor:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def with_background(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    padded = {
        name: torch.cat([state[name][:1] + 9, state[name]])
        for name in ("classifier.weight", "classifier.bias")
    }
    return state | padded


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Return the small classifier's tensors as transformers would have saved them."""
    model = load_model(SMALL, SEED)
    names = published("transformers_keys.txt")
    return dict(zip(names, model.state_dict().values(), strict=True))


def test_a_classifier_computes_what_its_configuration_declares(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    folder = saved(
        tmp_path / "mobilenet_v2_0.35_32",
        with_background(state),
        CONFIG | {"id2label": BACKGROUND},
        PROCESSOR,
    )
    weights = find_weights(str(folder), tmp_path)
    assert weights.label == "mobilenet_v2_0.35_32"
    assert weights.declared_variant == SMALL
    assert (weights.padding, weights.batch_norm_epsilon) == ("same", 1e-3)
    assert (weights.mean, weights.resize, weights.classes) == ((0.5, 0.5, 0.5), 40, 1000)
    assert weights.class_names[:2] == ("n1", "n2")
    expected = logits(load_model(SMALL, SEED), SMALL)
    assert torch.equal(logits(load_model(SMALL, weights), SMALL), expected)
    # The file itself, and PyTorch's of it in bfloat16, are read with what lies beside.
    assert find_weights(str(folder / "model.safetensors"), tmp_path) == weights
    (folder / "model.safetensors").unlink()
    half = {name: one.bfloat16() for name, one in with_background(state).items()}
    torch.save(half, folder / "pytorch_model.bin")
    read = load_model(SMALL, find_weights(str(folder), tmp_path))
    assert torch.equal(read.features[0][0].weight, read.features[0][0].weight.bfloat16().float())


def test_a_segmenter_s_head_has_an_epsilon_of_its_own(tmp_path: Path) -> None:
    variant = parse_variant("deeplabv3_mobilenet_v2_0.35_33_os8_noaspp_c5")
    model = load_model(variant, Weights(seed=7, padding="same"))
    tensors = list(model.state_dict().values())
    unused = [torch.ones(1) for _ in range(6)]  # the last layer of a classifier
    names = published("transformers_segmenter_keys.txt")
    first = next(i for i, name in enumerate(names) if name.startswith("mobilenet_v2.conv_1x1"))
    state = dict(zip(names, [*tensors[:first], *unused, *tensors[first:]], strict=True))
    config = CONFIG | {"output_stride": 8, "image_size": 33}
    weights = find_weights(str(saved(tmp_path / "s", state, config)), tmp_path)
    assert weights.declared_variant is not None
    assert weights.own(weights.declared_variant) == variant
    read = load_model(variant, weights)
    assert {module.eps for module in read.features.modules() if hasattr(module, "eps")} == {1e-3}
    for module in model.features.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-3
    assert torch.equal(logits(read, variant), logits(model, variant))


def test_what_a_configuration_declares_wins_over_what_names_imply(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    config = CONFIG | {"tf_padding": False, "layer_norm_eps": 1e-5, "id2label": {}}
    scaled = PROCESSOR | {"rescale_factor": 1 / 127.5, "image_mean": [1.0, 1.0, 1.0]}
    scaled["image_std"] = [1.0, 1.0, 1.0]
    weights = find_weights(str(saved(tmp_path / "own", state, config, scaled)), tmp_path)
    assert (weights.padding, weights.batch_norm_epsilon) == ("symmetric", 1e-5)
    assert weights.mean == weights.std == (0.5, 0.5, 0.5)
    raw = PROCESSOR | {"do_normalize": False, "do_center_crop": False}
    weights = find_weights(str(saved(tmp_path / "raw", state, config, raw)), tmp_path)
    assert (weights.mean, weights.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_own_classes_and_their_names_come_from_the_configuration(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    cats = {"classifier.weight": torch.zeros(2, 1280), "classifier.bias": torch.zeros(2)}
    config = CONFIG | {"id2label": {"1": "dog", "0": "cat"}}
    weights = find_weights(str(saved(tmp_path / "pets", state | cats, config)), tmp_path)
    assert (weights.classes, weights.class_names) == (2, ("cat", "dog"))
    unnamed = CONFIG | {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}
    weights = find_weights(str(saved(tmp_path / "pets", state | cats, unnamed)), tmp_path)
    assert weights.class_names == ()


def test_timm_s_folder_declares_its_network(tmp_path: Path) -> None:
    config = {
        "architecture": "mobilenetv2_035",
        "pretrained_cfg": {"input_size": [3, 32, 32], "crop_pct": 0.8, "mean": [0.5] * 3},
    }
    state = timm_state(load_model(SMALL, Weights(seed=7)))
    weights = find_weights(str(saved(tmp_path / "timm", state, config)), tmp_path)
    assert weights.declared_variant == SMALL
    assert (weights.padding, weights.resize, weights.mean) == ("symmetric", 40, (0.5, 0.5, 0.5))
    config["architecture"] = "resnet18"
    with pytest.raises(BenchError, match="declares timm's resnet18; known are mobilenetv2_035"):
        find_weights(str(saved(tmp_path / "timm", state, config)), tmp_path)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "vit"}, "declares a vit"),
        ({"hidden_act": "silu"}, r"the activation silu \(hidden_act\) and not relu6"),
        ({"output_stride": 16}, "output stride of 16 for a classifier, which no variant here has"),
        ({"first_layer_is_expansion": False}, "an expansion in its first block"),
        ({"finegrained_output": False}, "a last layer that shrinks by 0.35 too"),
        ({"expand_ratio": 3.5}, "the expansion factor 3.5"),
        ({"depth_multiplier": 0.83}, "rounded otherwise at the width multiplier 0.83"),
        ({"min_depth": 16}, "rounded otherwise"),
        ({"depth_multiplier": 0.25}, "no shortcut in its first block, of 8 channels"),
        ({"architectures": ["MobileNetV2Model"]}, "a network without a head"),
        ({"depth_multiplier": "wide"}, "a value that is not understood .*wide"),
    ],
)
def test_another_network_s_configuration_is_refused(
    state: dict[str, torch.Tensor], tmp_path: Path, config: dict[str, Any], reason: str
) -> None:
    folder = saved(tmp_path / "a", state, CONFIG | config)
    with pytest.raises(BenchError, match=rf"checkpoint {folder}.*config.json .*{reason}"):
        find_weights(str(folder), tmp_path)


def test_images_that_are_prepared_otherwise_are_told(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    squeezed = PROCESSOR | {"size": {"height": 40, "width": 48}, "do_center_crop": False}
    weights = find_weights(str(saved(tmp_path / "squeezed", state, CONFIG, squeezed)), tmp_path)
    assert weights.resize == 40
    assert "squeezes images to 40x48" in weights.remarks[0]
    swapped = PROCESSOR | {"do_flip_channel_order": True}
    with pytest.raises(BenchError, match="shows blue before red"):
        find_weights(str(saved(tmp_path / "swapped", state, CONFIG, swapped)), tmp_path)


def test_a_size_of_two_different_sides_is_left_to_the_variant_s_name(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    for number, (config, processor) in enumerate(
        (
            ({"image_size": [32, 48]}, None),
            ({}, PROCESSOR | {"crop_size": {"height": 32, "width": 48}}),
        )
    ):
        folder = saved(tmp_path / f"wide{number}", state, CONFIG | config, processor)
        weights = find_weights(str(folder), tmp_path)
        assert weights.declared_variant is None
        assert weights.fits(parse_variant("mobilenet_v2_0.35_32x48"))


@pytest.mark.parametrize("channels", [1, 4])
def test_a_processor_of_other_channels_is_read(
    state: dict[str, torch.Tensor], tmp_path: Path, channels: int
) -> None:
    stem = {next(iter(state)): torch.ones(16, channels, 3, 3)}
    own = {"image_mean": [0.5] * channels, "image_std": [0.25] * channels}
    folder = saved(tmp_path / "own", state | stem, CONFIG, PROCESSOR | own)
    weights = find_weights(str(folder), tmp_path)
    assert (weights.channels, weights.std) == (channels, (0.25,) * channels)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"folder without model\.safetensors or pytorch_model"):
        find_weights(str(tmp_path), tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(BenchError, match="split over several files"):
        find_weights(str(tmp_path), tmp_path)


def test_the_hub_s_cache_names_its_networks(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    cache = tmp_path / "models--google--mobilenet_v2_0.35_96"
    (cache / "snapshots").mkdir(parents=True)
    folder = saved(cache / "snapshots" / "3f2a", state, CONFIG)
    blob = (folder / "model.safetensors").rename(tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(blob)
    weights = find_weights(str(folder), tmp_path)
    assert weights.label == "mobilenet_v2_0.35_96"
    assert weights.declared_variant == SMALL
    assert find_weights(weights.pinned_source, tmp_path) == weights


@pytest.mark.slow
def test_networks_that_transformers_made_answer_as_in_transformers(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    # PyTorch is the one that is installed here.
    torch_lies = Path(torch.__file__).parent.parent
    (Path(packages.stdout.strip()) / "torch.pth").write_text(f"{torch_lies}\n")
    quiet = [python, "-m", "pip", "install", "--quiet", "transformers>=5,<6"]
    subprocess.run(quiet, check=True)
    made, program = tmp_path / "made", Path(__file__).with_name("make_transformers.py")
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    subprocess.run([python, program, made], check=True, env=environment)
    folders = sorted(made.iterdir())
    assert len(folders) > 20
    for folder in folders:
        if folder.name.startswith("refused "):
            with pytest.raises(BenchError, match=folder.name.removeprefix("refused ")):
                find_weights(str(folder), tmp_path)
        else:
            assert _error(folder, tmp_path) < 1e-5, folder.name


def _error(folder: Path, cache: Path) -> float:
    """Return the relative L2 error of a network against what transformers answered."""
    weights = find_weights(str(folder), cache)
    assert weights.declared_variant is not None
    variant = weights.own(weights.declared_variant)
    expected = torch.load(folder / "expected.pt")
    with torch.inference_mode():
        found = load_model(variant, weights)(expected["images"])
    answers = expected["answers"]
    if answers.ndim == 4:  # which transformers leaves small
        answers = torch.nn.functional.interpolate(
            answers, found.shape[2:], mode="bilinear", align_corners=True
        )
    if folder.name == "background":
        answers = answers[:, 1:]
    return float(torch.linalg.norm(found - answers) / torch.linalg.norm(answers))
