"""Where a model's weights come from: a seed, or a checkpoint with its manifest."""

import hashlib
import tomllib
from dataclasses import dataclass, replace
from http.client import HTTPException
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlparse

from mobilebench.bench.models.architecture import CLASSES, Padding
from mobilebench.bench.models.checkpoint_file import (
    check_is_checkpoint,
    read_names,
    read_tensors,
)
from mobilebench.bench.models.checkpoint_keys import TORCHVISION, naming_of, torchvision_state
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import CLASSIFY, FAMILIES, MOBILENET_V2, SEGMENT, Variant
from mobilebench.targets.errors import BenchError

if TYPE_CHECKING:
    from torch.nn import Module

RANDOM = "random"
_HASH_MARK = "#sha256="


@dataclass(frozen=True)
class Weights:
    """Which weights a run uses, and what a checkpoint declares about them."""

    source: str = RANDOM  # `random`, or the path of a checkpoint on this machine
    seed: int = 0  # of random weights
    architecture: str | None = None  # declared by a manifest: a variant's family
    width_multiplier: float | None = None  # declared by a manifest
    resolution: int | None = None  # declared by a manifest
    padding: Padding = "symmetric"
    batch_norm_epsilon: float = 1e-5
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of pixels 0..1; ImageNet's own
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    resize: int | None = None  # pixels of an image's shorter side; for a segmenter, the longer
    sha256: str = ""
    origin: str = ""  # declared by a manifest: where they are from
    license: str = ""  # declared by a manifest

    def fits(self, variant: Variant) -> bool:
        """Whether these may be the variant's weights, as far as is declared."""
        same = self.architecture in (None, variant.family)
        return same and self.width_multiplier in (None, variant.width_multiplier)

    def preprocessing(self, variant: Variant) -> Preprocessing:
        """Return what images must become; at another resolution than declared `resize` scales.

        A classifier's images are resized then even without one. A segmenter's are not: they are
        padded, and made smaller only if they do not fit.
        """
        shorter, longer = sorted((variant.height, variant.width))
        if variant.task == SEGMENT:
            side, declared, resize = longer, self.resolution or longer, self.resize
        else:
            side, declared, resize = shorter, self.resolution or variant.height, self.resize
            if resize is None and shorter != declared:
                resize = declared
        if resize is not None:
            resize = round(resize * side / declared)
        return Preprocessing(variant.height, variant.width, resize, self.mean, self.std)

    @property
    def pinned_source(self) -> str:
        """The source with its hash, so that a resumed run notices another file in its place."""
        return f"{self.source}{_HASH_MARK}{self.sha256}" if self.sha256 else self.source

    @property
    def label(self) -> str:
        """The name of these weights in reports."""
        return f"random(seed {self.seed})" if self.source == RANDOM else Path(self.source).name


_MANIFEST_KEYS: dict[str, type | tuple[type, ...]] = {
    "architecture": str,
    "width_multiplier": (int, float),
    "resolution": int,
    "padding": str,
    "batch_norm_epsilon": (int, float),
    "mean": list,
    "std": list,
    "resize": int,
    "classes": int,
    "source": str,
    "license": str,
    "sha256": str,
}


def find_weights(source: str, cache_dir: Path, seed: int = 0) -> Weights:
    """Return what `source` names: `random`, the path of a checkpoint, or its http(s) URL.

    A checkpoint is a PyTorch `state_dict`, a `.safetensors` or an `.npz`; whose names its tensors
    have tells padding, epsilon and normalisation. A manifest (TOML, the same name ending in
    `.toml`) beside it may declare these otherwise, and its width multiplier and SHA-256.
    `#sha256=HASH` after a path is checked too; a URL must carry it, and is fetched once into
    `cache_dir`. Raises BenchError for anything unreadable.
    """
    if source == RANDOM:
        return Weights(seed=seed)
    address, _, digest = source.partition(_HASH_MARK)
    if address.startswith(("http://", "https://")):
        return _read_manifest(_fetch(address, digest.lower(), cache_dir), digest)
    return _read_manifest(Path(address), digest)


def load_model(variant: Variant, weights: Weights) -> "Module":
    """Return the reference model with its weights, in evaluation mode.

    Raises BenchError if the checkpoint does not fit the variant.
    """
    import torch

    from mobilebench.bench.models.pytorch_reference import make_reference

    if not weights.fits(variant):
        raise BenchError(
            f"checkpoint {weights.source}: its manifest declares "
            f"{weights.architecture or 'a network'} of width multiplier "
            f"{weights.width_multiplier}, which does not fit {variant.name}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed)
        model = make_reference(variant, weights.padding, weights.batch_norm_epsilon)
        if weights.source == RANDOM:
            _randomise(model)
    if weights.source != RANDOM:
        _load_checkpoint(model, variant, weights.source)
    model.eval()
    return model


def _randomise(model: "Module") -> None:
    """Draw batch-norm statistics too, from torch's global generator.

    With the initial ones (mean 0, variance 1, scale 1, shift 0) batch norm is the identity, and a
    compiler that dropped it or its bias would still look right. Gains keep activations near unit
    variance (He et al., arXiv 1502.01852: the square root of 2 after a ReLU), so that rounding
    does not grow from layer to layer and the tolerance can be tight.
    """
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            # An expansion is what reads a linear bottleneck; all others read ReLU6 or the image.
            expansion = module.kernel_size == (1, 1) and module.out_channels > module.in_channels
            gain = 1.0 if expansion else sqrt(2)
            nn.init.normal_(module.weight, 0.0, gain / sqrt(module.weight[0].numel()))
        elif isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.normal_(module.bias, 0.2, 0.3)
            module.running_mean.normal_(0.0, 0.2)
            module.running_var.uniform_(0.7, 1.3)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.05)
            nn.init.normal_(module.bias, 0.0, 0.1)


def _load_checkpoint(model: "Module", variant: Variant, source: str) -> None:
    expected = model.state_dict()
    state = torchvision_state(read_tensors(Path(source)), expected, variant, source)
    for key, tensor in state.items():
        expected[key].copy_(tensor)  # casts float16 to float32


def _read_manifest(path: Path, expected: str) -> Weights:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchError(f"checkpoint {path}: {error.strerror}; give --weights a file") from error
    check_is_checkpoint(path, content)
    digest = hashlib.sha256(content).hexdigest()
    _check_digest(path, digest, expected or digest, "the hash asked for")
    naming = naming_of(read_names(path)) or TORCHVISION
    weights = Weights(
        source=str(path.resolve()),
        padding=naming.padding,
        batch_norm_epsilon=naming.batch_norm_epsilon,
        mean=naming.mean,
        std=naming.std,
        sha256=digest,
    )
    manifest_path = path.with_suffix(".toml")
    if not manifest_path.exists():
        return weights
    manifest = _parse_manifest(manifest_path)
    _check_digest(path, digest, manifest.get("sha256", digest), manifest_path.name)
    multiplier = manifest.get("width_multiplier")
    return replace(
        weights,
        architecture=manifest.get("architecture"),
        width_multiplier=None if multiplier is None else float(multiplier),
        resolution=manifest.get("resolution"),
        padding=manifest.get("padding", weights.padding),
        batch_norm_epsilon=float(manifest.get("batch_norm_epsilon", weights.batch_norm_epsilon)),
        mean=tuple(manifest.get("mean", weights.mean)),
        std=tuple(manifest.get("std", weights.std)),
        resize=manifest.get("resize"),
        origin=manifest.get("source", ""),
        license=manifest.get("license", ""),
    )


def _check_digest(path: Path, found: str, expected: str, authority: str) -> None:
    if found != expected.lower():
        raise BenchError(
            f"checkpoint {path}: its SHA-256 is {found[:16]}..., but {authority} says "
            f"{expected[:16]}...; it is damaged or another file: get it again"
        )


def _parse_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(f"manifest {path}: {error}") from error
    for key, value in manifest.items():
        if key not in _MANIFEST_KEYS:
            raise BenchError(
                f"manifest {path}: unknown key {key!r}; allowed are {', '.join(_MANIFEST_KEYS)}"
            )
        if not isinstance(value, _MANIFEST_KEYS[key]) or isinstance(value, bool):
            raise BenchError(f"manifest {path}: {key} cannot be {value!r}")
    for key in ("mean", "std"):
        values = manifest.get(key, (1.0, 1.0, 1.0))
        numbers = all(type(value) in (int, float) for value in values)
        if len(values) != 3 or not numbers or (key == "std" and not all(v > 0 for v in values)):
            raise BenchError(f"manifest {path}: {key} must be three numbers, not {values!r}")
    if not 0 < manifest.get("batch_norm_epsilon", 1e-5) < 1:
        raise BenchError(f"manifest {path}: batch_norm_epsilon must be between 0 and 1")
    for key in ("resolution", "resize"):
        if manifest.get(key, 1) < 1:
            raise BenchError(f"manifest {path}: {key} must be above 0")
    _, task = FAMILIES.get(str(manifest.get("architecture")), (MOBILENET_V2, CLASSIFY))
    allowed: dict[str, tuple[object, ...]] = {
        "architecture": tuple(FAMILIES),
        "padding": get_args(Padding),
        "classes": (CLASSES[task],),
    }
    for key, values in allowed.items():
        if manifest.get(key, values[0]) not in values:
            raise BenchError(
                f"manifest {path}: {key} is {manifest[key]!r}; known: {', '.join(map(str, values))}"
            )
    return manifest


def _fetch(address: str, digest: str, cache_dir: Path) -> Path:
    """Download a checkpoint once; `torch.hub` writes it atomically and checks the hash."""
    if len(digest) != 64:
        raise BenchError(
            f"checkpoint {address}: append {_HASH_MARK}HASH, so that what arrives is checked"
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
