"""Which weights a run uses, and what is known of them."""

from dataclasses import dataclass, replace
from pathlib import Path

from mobilebench.bench.models.architecture import Padding
from mobilebench.bench.models.checkpoint_parts import PART_MARK
from mobilebench.bench.models.huggingface import name_of
from mobilebench.bench.models.onnx_network import ONNX, Network, OnnxNetwork
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import FAMILIES, MOBILENET_V2, SEGMENT, Variant

RANDOM = "random"
HASH_MARK = "#sha256="


@dataclass(frozen=True)
class Weights:
    """Which weights a run uses, and what a checkpoint declares about them."""

    source: str = RANDOM  # `random`, or the path of a checkpoint on this machine
    seed: int = 0  # of random weights
    architecture: str | None = None  # a variant's family, by the tensors' names or a manifest
    width_multiplier: float | None = None  # declared by a manifest
    depth_multiplier: float | None = None  # declared by a manifest
    expansion_factor: int | None = None  # declared by a hub's configuration, as the next two
    output_stride: int | None = None
    aspp: bool | None = None
    resolution: int | None = None  # declared by a manifest
    classes: int | None = None  # that the checkpoint has logits of
    channel_divisor: int | None = None  # declared by a manifest
    hidden: tuple[int, ...] | None = None  # of a classifier's layers before the last
    channels: int | None = None  # of its input
    padding: Padding = "symmetric"
    batch_norm_epsilon: float = 1e-5
    head_epsilon: float | None = None  # of a segmenter's head, where it is another
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # of pixels 0..1; ImageNet's own
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    resize: int | None = None  # pixels of an image's shorter side; for a segmenter, the longer
    sha256: str = ""
    part: str = ""  # which network of the checkpoint, if it has several
    notes: tuple[str, ...] = ()  # how the file was read, for whoever gives it
    remarks: tuple[str, ...] = ()  # what readers of a row should know of the checkpoint
    origin: str = ""  # declared by a manifest: where they are from
    license: str = ""  # declared by a manifest
    class_names: tuple[str, ...] = ()  # declared by a manifest, with or without the background

    @property
    def declared_variant(self) -> Variant | None:
        """The variant that a manifest declares; None if it leaves width or resolution out."""
        if self.width_multiplier is None or self.resolution is None:
            return None
        network, task = FAMILIES[self.architecture or MOBILENET_V2]
        return Variant(
            self.width_multiplier,
            self.resolution,
            self.resolution,
            task=task,
            network=network,
            depth_multiplier=self.depth_multiplier or 1.0,
            expansion_factor=self.expansion_factor or 6,
            output_stride=self.output_stride or 16,
            aspp=self.aspp is not False,
        )

    def own(self, variant: Variant) -> Variant:
        """Return the variant with what the checkpoint has of its own, unless its name says others.

        These are classes, hidden layers, input channels, depth and rounding of channels. That of a
        network of another architecture is left as it is.
        """
        if self.architecture not in (None, variant.family):
            return variant
        usual = Variant(variant.width_multiplier, variant.height, variant.width, task=variant.task)
        found = {
            name: getattr(self, name)
            for name in _OWN
            if name != "width_multiplier"
            if getattr(self, name) is not None and getattr(variant, name) == getattr(usual, name)
        }
        return replace(variant, **found)

    def misfit(self, variant: Network) -> str:
        """Return why these cannot be the variant's weights, as far as is known; empty if so."""
        if isinstance(variant, OnnxNetwork):
            same = (self.architecture, self.sha256) == (ONNX, variant.sha256)
            return "" if same else "is not the file's own"
        if self.architecture not in (None, variant.family):
            return f"is a {self.architecture}"
        for name, words in _OWN.items():
            own, needed = getattr(self, name), getattr(variant, name)
            if own not in (None, needed):
                return f"has {words.format(_shown(own))}, not {_shown(needed)}"
        return ""

    def fits(self, variant: Network) -> bool:
        """Whether these may be the variant's weights, as far as is known."""
        return not self.misfit(variant)

    def preprocessing(self, variant: Network) -> Preprocessing:
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
        mean, std = self.mean, self.std
        if self.source == RANDOM and variant.channels != len(mean):
            mean = std = (0.5,) * variant.channels
        return Preprocessing(variant.height, variant.width, resize, mean, std)

    @property
    def pinned_source(self) -> str:
        """The source with its hash, so that a resumed run notices another file in its place."""
        part = f"{PART_MARK}{self.part}" if self.part else ""
        return f"{self.source}{part}{HASH_MARK}{self.sha256}" if self.sha256 else self.source

    @property
    def label(self) -> str:
        """The name of these weights in reports; it says which of a file's several."""
        if self.source == RANDOM:
            return f"random(seed {self.seed})"
        if self.architecture == ONNX:
            return f"{self.file_name}@{self.sha256[:12]}"
        return self.file_name + (f"#{self.part}" if self.part else "")

    @property
    def file_name(self) -> str:
        """The name of the checkpoint, without where it lies."""
        return name_of(Path(self.source))


_OWN = {  # in words
    "width_multiplier": "the width multiplier {}",
    "depth_multiplier": "the depth multiplier {}",
    "expansion_factor": "the expansion factor {}",
    "output_stride": "the output stride {}",
    "aspp": "{}",
    "channel_divisor": "the channel divisor {}",
    "classes": "{} classes",
    "hidden": "hidden layers of {} channels",
    "channels": "{} input channels",
}
"""What a checkpoint may have otherwise than the variant that was named."""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "a pyramid (ASPP)" if value else "no pyramid (_noaspp)"
    return (" and ".join(map(str, value)) or "no") if isinstance(value, tuple) else f"{value}"
