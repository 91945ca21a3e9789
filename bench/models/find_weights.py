"""Reads what weights are: of a checkpoint, a folder, or an ONNX file of one's own."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlparse

from mobilebench.bench.models.checkpoint_head import hidden_in
from mobilebench.bench.models.checkpoint_keys import HUB, SLIM, TIMM, TORCHVISION, Naming, naming_of
from mobilebench.bench.models.checkpoint_network import network_in
from mobilebench.bench.models.checkpoint_outline import Outline, read_outline
from mobilebench.bench.models.checkpoint_partial import check_is_whole
from mobilebench.bench.models.checkpoint_parts import PART_MARK, Choice, choose_part
from mobilebench.bench.models.checkpoint_qat import check_is_float, is_observed
from mobilebench.bench.models.checkpoint_refusals import check_is_checkpoint, check_is_no_object
from mobilebench.bench.models.checkpoint_shapes import aspp_in, channels_in, classes_in, family_in
from mobilebench.bench.models.hub_images import HubImages
from mobilebench.bench.models.huggingface import (
    HUB_HEAD_EPSILON,
    HUB_SEGMENTS,
    read_hub_network,
    weights_in,
)
from mobilebench.bench.models.keras_file import input_scale
from mobilebench.bench.models.manifest import class_names_in, parse_manifest
from mobilebench.bench.models.onnx_folder import images_beside
from mobilebench.bench.models.onnx_network import ONNX, OTHER, Network, OnnxNetwork
from mobilebench.bench.models.variant import (
    CLASSES,
    CLASSIFY,
    FAMILIES,
    INPUT_CHANNELS,
    MOBILENET_V2,
    SEGMENT,
)
from mobilebench.bench.models.weights import HASH_MARK, RANDOM, Weights
from mobilebench.targets.errors import BenchError

_HUB_KINDS = ((MOBILENET_V2, CLASSIFY), (MOBILENET_V2, SEGMENT))
_OWN_KEYS = ("classes", "mean", "std", "resize", "source", "license")


def find_weights(source: str, cache_dir: Path, seed: int = 0) -> Weights:
    """Return what `source` names: `random`, the path of a checkpoint, or its http(s) URL.

    A checkpoint is what PyTorch saved, a `.safetensors`, an `.npz`, or a folder of Hugging Face's;
    whose names its tensors have, or the folder's configuration, tells padding, epsilon and
    normalisation. A manifest (TOML, the same name ending in `.toml`) beside it may declare these
    otherwise, and its width multiplier and SHA-256.
    `#sha256=HASH` after a path is checked too; a URL must carry it, and is fetched once into
    `cache_dir`. Of several networks in a file `#part=NAME` before that names one; of a raw and an
    averaged one the averaged is taken. Raises BenchError for anything unreadable.
    """
    if source == RANDOM:
        return Weights(seed=seed)
    named, _, digest = source.partition(HASH_MARK)
    address, _, part = named.partition(PART_MARK)
    if address.startswith(("http://", "https://")):
        return _read_manifest(_fetch(address, digest.lower(), cache_dir), digest, part)
    return _read_manifest(Path(address), digest, part)


def own_weights(network: OnnxNetwork) -> Weights:
    """Return the weights that an ONNX file has, with what lies beside it declares.

    That is a manifest, or else the configuration that Optimum exports.
    """
    remarks: tuple[str, ...] = ()
    if network.missing:
        remarks = (f"compared with ONNX Runtime: PyTorch has no {network.missing} here",)
    if network.constant:
        remarks += (
            "it answers every input alike, so that a runtime which computes something else would "
            "not be noticed; are its weights those of a trained network?",
        )
    own = Weights(source=network.source, architecture=ONNX, sha256=network.sha256, remarks=remarks)
    manifest_path = Path(network.source).with_suffix(".toml")
    if not manifest_path.exists():
        images = images_beside(Path(network.source))
        return own if images is None else _with_images(own, network, images)
    manifest = parse_manifest(manifest_path)
    foreign = [key for key in manifest if key not in _OWN_KEYS]
    if foreign:
        raise BenchError(
            f"manifest {manifest_path}: {foreign[0]} is a checkpoint's; an ONNX file's manifest "
            f"may have {', '.join(_OWN_KEYS)}"
        )
    return replace(
        own,
        mean=tuple(manifest.get("mean", own.mean)),
        std=tuple(manifest.get("std", own.std)),
        resize=manifest.get("resize"),
        origin=manifest.get("source", ""),
        license=manifest.get("license", ""),
        class_names=class_names_in(manifest, network.classes, manifest_path),
    )


def _with_images(own: Weights, network: OnnxNetwork, images: HubImages) -> Weights:
    names = images.class_names
    return replace(
        own,
        mean=images.mean or own.mean,
        std=images.std or own.std,
        resize=images.resize,
        class_names=names if len(names) in (network.labels, network.labels - 1) else (),
        remarks=(*own.remarks, *images.remarks),
    )


def _is_told(network: OnnxNetwork) -> bool:
    """Whether something beside a file says how images become its input."""
    path = Path(network.source)
    if path.with_suffix(".toml").exists():
        return True
    images = images_beside(path)
    return images is not None and images.mean is not None


def assumed_of(network: Network) -> str:
    """Return what is assumed of how images become a network's input; empty if it is known."""
    if not isinstance(network, OnnxNetwork) or network.task == OTHER:
        return ""
    if _is_told(network):
        return ""
    manifest_path = Path(network.source).with_suffix(".toml")
    return (
        "images are shown with ImageNet's mean and standard deviation, as the file does "
        f"not tell them; if it wants others, say them in {manifest_path}: mean, std, resize"
    )


def check_takes_images(network: OnnxNetwork) -> None:
    """Raise BenchError unless it is known how images become a network's input."""
    manifest_path = Path(network.source).with_suffix(".toml")
    if network.channels != 3 or network.task == OTHER:
        raise BenchError(
            f"model {network.source}: takes {network.input_shape} and puts out "
            f"{[list(shape) for _, shape in network.outputs]}; images with labels need an input of "
            "three channels, and classes of the image or of each pixel; leave out --data"
        )
    if network.missing:
        raise BenchError(
            f"model {network.source}: accuracy is compared with PyTorch's, which has no "
            f"{network.missing} here; leave out --data"
        )
    if not _is_told(network):
        raise BenchError(
            f"model {network.source}: say in {manifest_path} how images become its input: mean "
            "and std of the three channels, of pixels 0 to 1, and resize, of the shorter side"
        )


def _read_manifest(path: Path, expected: str, part: str) -> Weights:
    path = weights_in(path) if path.is_dir() else path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchError(f"checkpoint {path}: {error.strerror}; give --weights a file") from error
    check_is_checkpoint(path, content)
    digest = hashlib.sha256(content).hexdigest()
    _check_digest(path, digest, expected or digest, "the hash asked for")
    outline = read_outline(path)
    check_is_whole(path, outline.tensors)
    choice = choose_part(outline.tensors, part, str(path))
    check_is_float(outline.tensors, str(path))
    tensors = network_in(choice, outline.tensors)
    naming = naming_of(tensors)
    if naming is None:
        check_is_no_object(path, outline)
        naming = TORCHVISION
    shapes = {name: one.shape for name, one in tensors.items()}
    weights = Weights(
        # A file in the hub's cache is a link to where it lies without its configuration.
        source=str(path.parent.resolve() / path.name),
        padding=naming.padding,
        batch_norm_epsilon=naming.batch_norm_epsilon,
        mean=naming.mean,
        std=naming.std,
        architecture=family_in(shapes),
        aspp=aspp_in(shapes),
        classes=classes_in(shapes),
        hidden=hidden_in(shapes),
        channels=channels_in(shapes),
        sha256=digest,
        part=choice.name,
        notes=tuple(_notes(choice, outline)),
        remarks=tuple(_remarks(choice, outline, hidden_in(shapes) or ())),
    )
    if naming is SLIM and (scale := input_scale(path)):
        mean, std = scale
        weights = replace(weights, mean=(mean,) * 3, std=(std,) * 3)
    if naming in (HUB, TIMM):
        weights = _declared_by_hub(weights, naming, segments=f"{HUB_SEGMENTS}.weight" in tensors)
    manifest_path = path.with_suffix(".toml")
    if not manifest_path.exists():
        _check_channels(weights, manifest_path)
        return weights
    manifest = parse_manifest(manifest_path)
    _check_digest(path, digest, manifest.get("sha256", digest), manifest_path.name)
    multiplier, depth = manifest.get("width_multiplier"), manifest.get("depth_multiplier")
    names = class_names_in(manifest, weights.classes, manifest_path)
    classes = weights.classes if names else manifest.get("classes", weights.classes)
    divisor = manifest.get("channel_divisor")
    if weights.classes not in (None, classes):
        raise BenchError(
            f"manifest {manifest_path}: classes is {classes}, the checkpoint has "
            f"{weights.classes}; correct it or leave it out"
        )
    weights = replace(
        weights,
        architecture=manifest.get("architecture", weights.architecture),
        width_multiplier=weights.width_multiplier if multiplier is None else float(multiplier),
        depth_multiplier=weights.depth_multiplier if depth is None else float(depth),
        channel_divisor=divisor or weights.channel_divisor,
        resolution=manifest.get("resolution", weights.resolution),
        classes=classes,
        padding=manifest.get("padding", weights.padding),
        batch_norm_epsilon=float(manifest.get("batch_norm_epsilon", weights.batch_norm_epsilon)),
        mean=tuple(manifest.get("mean", weights.mean)),
        std=tuple(manifest.get("std", weights.std)),
        resize=manifest.get("resize", weights.resize),
        origin=manifest.get("source", ""),
        license=manifest.get("license", ""),
        class_names=names or weights.class_names,
    )
    _check_channels(weights, manifest_path)
    return weights


def _check_channels(weights: Weights, manifest: Path) -> None:
    """Raise BenchError unless mean and standard deviation are of each channel of the input."""
    channels = weights.channels or INPUT_CHANNELS
    if {len(weights.mean), len(weights.std)} != {channels}:
        example = ", ".join(["0.5"] * channels)
        raise BenchError(
            f"manifest {manifest}: the checkpoint takes {channels} input channels; mean and std "
            f"must be of each, e.g. mean = [{example}]"
        )


def _declared_by_hub(weights: Weights, naming: Naming, *, segments: bool) -> Weights:
    """Return weights with what a configuration beside them declares."""
    classes = weights.classes
    hub = read_hub_network(Path(weights.source), segments=segments)
    if naming is HUB:
        if not segments and classes == CLASSES[CLASSIFY] + 1 and (not hub or hub.drops_background):
            classes = CLASSES[CLASSIFY]
        family = next(name for name, kind in FAMILIES.items() if kind == _HUB_KINDS[segments])
        head = HUB_HEAD_EPSILON if segments else None
        aspp = False if segments else None
        weights = replace(
            weights, architecture=family, classes=classes, head_epsilon=head, aspp=aspp
        )
    if hub is None:
        return weights
    declared = {name: value for name, value in asdict(hub).items() if value is not None}
    declared.pop("drops_background")
    declared["remarks"] = (*weights.remarks, *hub.remarks)
    return replace(weights, **declared)


def _notes(choice: Choice, outline: Outline) -> Iterator[str]:
    if choice.others:
        others = ", ".join(one.name for one in choice.others)
        yield f"takes {choice.name}; {others} beside it can be had with {PART_MARK}NAME"
    if outline.foreign:
        yield f"passes over Python objects beside the weights: {', '.join(outline.foreign[:3])}"


def _remarks(choice: Choice, outline: Outline, hidden: tuple[int, ...]) -> Iterator[str]:
    if hidden:
        yield (
            "ReLU is taken to follow the classifier's hidden layers, since a checkpoint does not "
            "say; with another activation, export the network to ONNX and give it by --model"
        )
    if is_observed(outline.tensors):
        yield (
            "the checkpoint is of quantization-aware training: its float weights are used, with "
            "ReLU6 and without its observers and ranges"
        )
    if choice.unmatched:
        yield (
            f"the checkpoint has averaged weights too, under names that are not understood "
            f"({choice.unmatched}); the raw ones are used"
        )


def _check_digest(path: Path, found: str, expected: str, authority: str) -> None:
    if found != expected.lower():
        raise BenchError(
            f"checkpoint {path}: its SHA-256 is {found[:16]}..., but {authority} says "
            f"{expected[:16]}...; it is damaged or another file: get it again"
        )


def _fetch(address: str, digest: str, cache_dir: Path) -> Path:
    """Download a checkpoint once; `torch.hub` writes it atomically and checks the hash."""
    if len(digest) != 64:
        raise BenchError(
            f"checkpoint {address}: append {HASH_MARK}HASH, so that what arrives is checked"
        )
    import torch

    try:
        path = cache_dir / "checkpoints" / digest[:16] / Path(urlparse(address).path).name
        if path.is_file():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(path), hash_prefix=digest, progress=False)
    except (OSError, RuntimeError, ValueError, HTTPException) as error:
        raise BenchError(f"checkpoint {address}: {error}") from error
    return path
