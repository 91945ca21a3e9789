"""Networks as Hugging Face's hub has them: a folder of weights, and what its JSON files declare.

Source: `configuration_mobilenet_v2.py`, `modeling_mobilenet_v2.py` and the image processor of
transformers; `pretrained_cfg` of timm.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebench.bench.models.architecture import Architecture, Padding, round_channels
from mobilebench.bench.models.checkpoint_partial import check_is_no_part
from mobilebench.bench.models.hub_images import (
    CONFIG,
    HubImages,
    as_values,
    read_images,
    read_json,
)
from mobilebench.bench.models.variant import OUTPUT_STRIDES, TIMM_NAMES
from mobilebench.targets.errors import BenchError

_FILES = ("model.safetensors", "pytorch_model.bin")
ONNX_FILE = "model.onnx"  # as Optimum calls what it exports
_INDEX = ".index.json"
_FAMILIES = {"mobilenet_v2": ("mobilenet_v2", "deeplabv3_mobilenet_v2")}
_HEAD = "segmentation_head."
_BACKGROUND = "background"

_CHANNELS = (32, 16, 24, 32, 64, 96, 160, 320)  # of the stem and each stage, at width 1
_TO_ONNX = "export it to ONNX and give it by --model"
_HEADLESS = "MobileNetV2Model"


@dataclass(frozen=True)
class HubNetwork:
    """What a folder declares about its network; None where it says nothing."""

    architecture: str
    width_multiplier: float | None = None
    depth_multiplier: float | None = None
    expansion_factor: int | None = None
    output_stride: int | None = None
    channel_divisor: int | None = None
    resolution: int | None = None
    resize: int | None = None  # pixels of an image's shorter side
    padding: Padding = "symmetric"
    batch_norm_epsilon: float = 1e-5
    mean: tuple[float, ...] | None = None  # of each channel
    std: tuple[float, ...] | None = None
    class_names: tuple[str, ...] = ()  # without the background of 1001 classes
    drops_background: bool = False
    remarks: tuple[str, ...] = ()  # where images are prepared otherwise than here


def weights_in(folder: Path) -> Path:
    """Return the file of a folder that has the weights; raises BenchError if none has."""
    for name in _FILES:
        if (folder / name).is_file():
            return folder / name
    if any((folder / f"{name}{_INDEX}").is_file() for name in _FILES):
        raise BenchError(
            f"checkpoint {folder}: its weights are split over several files; save them as one, "
            "with save_pretrained(FOLDER, max_shard_size='1GB')"
        )
    if (folder / "saved_model.pb").is_file():
        raise BenchError(
            f"checkpoint {folder}: is a TensorFlow SavedModel; give the Keras file or the "
            "checkpoint that it was made from"
        )
    check_is_no_part(folder)
    if next(folder.glob("*.onnx"), None):
        raise BenchError(f"checkpoint {folder}: is a folder with an ONNX file; give it by --model")
    raise BenchError(
        f"checkpoint {folder}: is a folder without {' or '.join(_FILES)}; give the file that has "
        "the weights"
    )


def name_of(path: Path) -> str:
    """Return what to call weights whose file is named like every other; the hub's own name."""
    folder = path.parent
    exported = path.name == ONNX_FILE and (folder / CONFIG).is_file()
    if not (path.name in _FILES or exported) or not folder.name:
        return path.name
    if folder.parent.name == "snapshots":  # of the hub's cache: models--OWNER--NAME/snapshots/HASH
        return folder.parent.parent.name.split("--")[-1]
    return folder.name


def read_hub_network(path: Path, *, segments: bool) -> HubNetwork | None:
    """Return what lies beside a file of weights; None if there is no such `config.json`.

    `segments` tells a segmenter from a classifier, which its tensors' names do. Raises BenchError
    for a network that is not to be had here, and for files that cannot be read.
    """
    config_path = path.parent / CONFIG
    if not config_path.is_file():
        return None
    config = read_json(config_path)
    try:
        if isinstance(config.get("pretrained_cfg"), dict):
            return _timm(config)
        if "model_type" in config:
            return _transformers(config, read_images(path.parent, config), segments)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BenchError(
            f"checkpoint {path}: {CONFIG} or what lies beside it has a value that is not "
            f"understood ({error})"
        ) from error
    except BenchError as error:
        raise BenchError(f"checkpoint {path}: {CONFIG} {error}") from error
    return None


def hub_scopes(architecture: Architecture) -> Iterator[str]:
    """Yield what transformers calls each convolution with its batch norm, in their order."""
    yield "mobilenet_v2.conv_stem.first_conv"
    for number, block in enumerate(architecture.blocks):
        scope = f"mobilenet_v2.layer.{number - 1}" if number else "mobilenet_v2.conv_stem"
        if block.expands:
            yield f"{scope}.expand_1x1"
        yield f"{scope}.conv_3x3"
        yield f"{scope}.reduce_1x1"
    yield "mobilenet_v2.conv_1x1"


HUB_HEAD = {
    "pooled": f"{_HEAD}conv_pool",
    "branches.0": f"{_HEAD}conv_aspp",
    "join": f"{_HEAD}conv_projection",
}
"""The layers of a segmenter's head, and what transformers calls them."""
HUB_UNUSED = "mobilenet_v2.conv_1x1."  # of a segmenter
HUB_SEGMENTS = f"{_HEAD}classifier.convolution"
HUB_HEAD_EPSILON = 1e-5  # of the head's batch norms, whatever the config says of the others


def _transformers(config: dict[str, Any], images: HubImages, segments: bool) -> HubNetwork:
    kind = config["model_type"]
    if kind not in _FAMILIES:
        raise BenchError(f"declares a {kind}; of the hub's networks mobilenet_v2 can be read")
    stride = int(config.get("output_stride", 32))
    if problem := next(_unlike(config, stride, segments), ""):
        raise BenchError(f"declares {problem}, which no variant here has; {_TO_ONNX}")
    named = images.class_names
    drops = (
        not segments and images.classes == 1001 and (not named or named[0].lower() == _BACKGROUND)
    )
    return HubNetwork(
        architecture=_FAMILIES[kind][segments],
        width_multiplier=float(config.get("depth_multiplier", 1.0)),  # of channels, in TensorFlow
        expansion_factor=int(config.get("expand_ratio", 6)),
        output_stride=stride if segments else None,
        channel_divisor=_divisor(config),
        resolution=images.side,
        resize=None if segments else images.resize,
        padding="same" if config.get("tf_padding", True) else "symmetric",
        batch_norm_epsilon=float(config.get("layer_norm_eps", 1e-3)),
        mean=images.mean,
        std=images.std,
        class_names=named[drops:],
        drops_background=drops,
        remarks=() if segments else images.remarks,
    )


def _unlike(config: dict[str, Any], stride: int, segments: bool) -> Iterator[str]:
    """Yield what a network of transformers has otherwise than all variants, whatever their names.

    Source: `apply_depth_multiplier`, which rounds to whole numbers before it rounds to multiples,
    and `MobileNetV2Stem`, which adds no shortcut.
    """
    width, divisor = float(config.get("depth_multiplier", 1.0)), _divisor(config)
    expansion, least = float(config.get("expand_ratio", 6)), int(config.get("min_depth", 8))
    if _HEADLESS in (config.get("architectures") or ()):
        yield f"a network without a head ({_HEADLESS})"
    if config.get("hidden_act", "relu6") != "relu6":
        yield f"the activation {config['hidden_act']} (hidden_act) and not relu6"
    if stride not in (OUTPUT_STRIDES if segments else (32,)):
        yield f"an output stride of {stride} for a {'segmenter' if segments else 'classifier'}"
    if not config.get("first_layer_is_expansion", True):
        yield "an expansion in its first block (first_layer_is_expansion)"
    if not (segments or config.get("finegrained_output", True)) and width < 1:
        yield f"a last layer that shrinks by {width} too (finegrained_output)"
    if expansion != int(expansion) or expansion < 2:
        yield f"the expansion factor {expansion} (expand_ratio)"
    theirs = [
        max(least, round_channels(round(channels * width), divisor)) for channels in _CHANNELS
    ]
    if theirs != [round_channels(channels * width, divisor) for channels in _CHANNELS]:
        yield f"channels that are rounded otherwise at the width multiplier {width}"
    wide = [round(one * expansion) for one in theirs[1:]]
    if wide != [max(least, round_channels(one, divisor)) for one in wide]:
        yield f"expansions that are rounded to multiples of {divisor}"
    if theirs[0] == theirs[1]:
        yield f"no shortcut in its first block, of {theirs[0]} channels"


def _divisor(config: dict[str, Any]) -> int:
    return int(config.get("depth_divisible_by", 8))


def _timm(config: dict[str, Any]) -> HubNetwork:
    name, declared = str(config.get("architecture", "")), config["pretrained_cfg"]
    if name not in TIMM_NAMES:
        raise BenchError(f"declares timm's {name or 'network'}; known are {', '.join(TIMM_NAMES)}")
    width, depth = TIMM_NAMES[name]
    size = declared.get("test_input_size") or declared.get("input_size")
    share = declared.get("test_crop_pct") or declared.get("crop_pct")
    resolution = int(size[-1]) if size else None
    return HubNetwork(
        architecture="mobilenet_v2",
        width_multiplier=width,
        depth_multiplier=depth,
        resolution=resolution,
        resize=int(resolution / share) if resolution and share else None,
        mean=as_values(declared["mean"]) if declared.get("mean") else None,
        std=as_values(declared["std"]) if declared.get("std") else None,
    )
