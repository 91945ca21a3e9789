"""Which network: the variants of the paper's networks, their names and the published grid."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from mobilebench.targets.errors import BenchError, listed, unknown

CLASSIFY, DETECT, SEGMENT = "classify", "detect", "segment"
MOBILENET_V1, MOBILENET_V2 = "mobilenet_v1", "mobilenet_v2"
MIN_RESOLUTION = 32  # the networks halve their input five times
MAX_RESOLUTION = 4096
MIN_WIDTH_MULTIPLIER, MAX_WIDTH_MULTIPLIER = 0.01, 10.0
MIN_DEPTH_MULTIPLIER, MAX_DEPTH_MULTIPLIER = 0.1, 10.0
MAX_CLASSES = 100_000
MAX_HIDDEN = 8
CHANNEL_DIVISOR = 8  # of the published checkpoints
INPUT_CHANNELS = 3
MAX_CHANNELS = 64
OUTPUT_STRIDES = (8, 16, 32)  # of segmenters; with 32 nothing is dilated before the head
READABLE_CHANNELS = (1, 3, 4)  # grey; red, green and blue; these with transparency

CLASSES = {CLASSIFY: 1000, DETECT: 91, SEGMENT: 21}
"""The usual ones, by task. Detection: background, then COCO's category ids up to 90, ten of which
name nothing, as TensorFlow's and torchvision's detectors have them. Segmentation: background, then
VOC's twenty."""

FAMILIES = {  # what names begin with
    "mobilenet_v2": (MOBILENET_V2, CLASSIFY),
    "mobilenet_v1": (MOBILENET_V1, CLASSIFY),
    "ssdlite_mobilenet_v2": (MOBILENET_V2, DETECT),
    "deeplabv3_mobilenet_v2": (MOBILENET_V2, SEGMENT),
}
_NAME = re.compile(
    rf"(?P<family>{'|'.join(FAMILIES)})_(?P<multiplier>\d{{1,2}}(\.\d{{1,4}})?)"
    r"_(?P<height>\d{1,5})(x(?P<width>\d{1,5}))?"
    r"(_t(?P<expansion>\d{1,3}))?(_d(?P<depth>\d{1,2}(\.\d{1,4})?))?(_div(?P<divisor>\d{1,2}))?"
    r"(_os(?P<stride>\d{1,2}))?(?P<plain>_noaspp)?"
    r"(_c(?P<classes>\d{1,6}))?(_h(?P<hidden>\d{1,5}(-\d{1,5})*))?(_in(?P<channels>\d{1,3}))?"
)


TIMM_NAMES = {
    **{f"mobilenetv2_{name}": (float(name) / 100, 1.0) for name in ("035", "050", "075", "100")},
    "mobilenetv2_110d": (1.1, 1.2),
    "mobilenetv2_120d": (1.2, 1.4),
    "mobilenetv2_140": (1.4, 1.0),
}
"""What timm calls its networks at 224 pixels, with their width and depth multipliers."""


@dataclass(frozen=True)
class Variant:
    """One of the networks of arXiv 1801.04381: MobileNetV2, alone or under a head, or V1.

    Height and width are the input's, in pixels; they need not be equal. Output stride and ASPP are
    a segmenter's: by what its features are smaller than its input, and whether the head has atrous
    spatial pyramid pooling (the paper's Table 7 has both). Classes are what the network has logits
    of, a detector's and a segmenter's background among them; 0 stands for the usual ones.

    A depth multiplier is timm's: each stage but the first and the last has so many times the
    blocks, rounded up, and the width multiplier does not change the stem and the last layer.
    Channels are rounded to multiples of the divisor, of which TensorFlow's DeepLab has 1 below a
    width multiplier of 1. Hidden layers are a classifier's before its last one, each with a ReLU.
    """

    width_multiplier: float
    height: int
    width: int
    expansion_factor: int = 6
    task: str = CLASSIFY
    network: str = MOBILENET_V2
    output_stride: int = 16
    aspp: bool = True
    classes: int = 0
    depth_multiplier: float = 1.0
    channel_divisor: int = CHANNEL_DIVISOR
    hidden: tuple[int, ...] = ()
    channels: int = INPUT_CHANNELS

    def __post_init__(self) -> None:
        if not self.classes:
            object.__setattr__(self, "classes", CLASSES[self.task])

    @property
    def name(self) -> str:
        """The field's own name: `mobilenet_v2_1.0_224`, `deeplabv3_mobilenet_v2_1.0_513_os8`."""
        size = f"{self.height}" if self.height == self.width else f"{self.height}x{self.width}"
        expansion = "" if self.expansion_factor == 6 else f"_t{self.expansion_factor}"
        depth = "" if self.depth_multiplier == 1 else f"_d{self.depth_multiplier}"
        usual = self.channel_divisor == CHANNEL_DIVISOR
        divisor = "" if usual else f"_div{self.channel_divisor}"
        stride = "" if self.output_stride == 16 else f"_os{self.output_stride}"
        head = "" if self.aspp else "_noaspp"
        classes = "" if self.classes == CLASSES[self.task] else f"_c{self.classes}"
        hidden = f"_h{'-'.join(map(str, self.hidden))}" if self.hidden else ""
        channels = "" if self.channels == INPUT_CHANNELS else f"_in{self.channels}"
        backbone = f"{self.width_multiplier}_{size}{expansion}{depth}{divisor}"
        return f"{self.family}_{backbone}{stride}{head}{classes}{hidden}{channels}"

    @property
    def family(self) -> str:
        """What its name begins with: the network, and the head if it has one."""
        kind = (self.network, self.task)
        return next(name for name, other in FAMILIES.items() if other == kind)

    @property
    def labels(self) -> int:
        """How many classes its answers tell apart: of a single logit two, by its sign."""
        return max(2, self.classes)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Batch, channels, height, width (NCHW)."""
        return (1, self.channels, self.height, self.width)


def published_grid() -> list[Variant]:
    """Return the 22 variants with checkpoints in TensorFlow's model garden (slim), widest first."""
    sizes = (224, 192, 160, 128, 96)
    wide = [Variant(multiplier, 224, 224) for multiplier in (1.4, 1.3)]
    return wide + [
        Variant(multiplier, size, size) for multiplier in (1.0, 0.75, 0.5, 0.35) for size in sizes
    ]


def small_grid() -> list[Variant]:
    """Return the variants that `mobilebench run` measures when nothing else is asked for."""
    return [
        Variant(multiplier, size, size)
        for multiplier, size in ((0.35, 96), (0.35, 160), (0.5, 160), (0.75, 192), (1.0, 224))
    ]


def paper_grid() -> list[Variant]:
    """Return the paper's own networks: V1 and V2, the detector, the segmenter with both heads."""
    return [
        Variant(1.0, 224, 224, network=MOBILENET_V1),
        Variant(1.0, 224, 224),
        Variant(1.4, 224, 224),
        Variant(1.0, 320, 320, task=DETECT),
        Variant(1.0, 513, 513, task=SEGMENT, aspp=False),
        Variant(1.0, 513, 513, task=SEGMENT),
    ]


def timm_grid() -> list[Variant]:
    """Return timm's networks with a depth multiplier."""
    return [
        Variant(width, 224, 224, depth_multiplier=depth)
        for width, depth in TIMM_NAMES.values()
        if depth != 1
    ]


GRIDS = {
    "published": published_grid,
    "small": small_grid,
    "paper": paper_grid,
    "timm": timm_grid,
}
"""Groups of variants, which may be named instead of one."""


def parse_variant(name: str) -> Variant:
    """Read a variant's name: `FAMILY_MULTIPLIER_SIZE[xWIDTH]`, and what is not as usual.

    FAMILY is mobilenet_v2, mobilenet_v1, ssdlite_mobilenet_v2 or deeplabv3_mobilenet_v2. What may
    follow is, in this order, `_t4` (expansion factor), `_d1.4` (depth multiplier), `_div1` (channel
    divisor), `_os8` and `_noaspp` (of segmenters), `_c37` (classes), `_h512-128` (hidden layers of
    a classifier) and `_in1` (input channels). timm's names are understood too.
    Raises BenchError for any other form, and for sizes that the network cannot take.
    """
    if name in TIMM_NAMES:
        multiplier, depth = TIMM_NAMES[name]
        return Variant(multiplier, 224, 224, depth_multiplier=depth)
    match = _NAME.fullmatch(name)
    if not match:
        known = (variant.name for variant in [*published_grid(), *paper_grid(), *timm_grid()])
        advice = (
            f"give a name like {MOBILENET_V2}_1.0_224, or {listed(tuple(GRIDS))} (`mobilebench "
            "variants` lists them), or another network as an ONNX file: --model"
        )
        raise unknown("variant", name, (*GRIDS, *known, *TIMM_NAMES), advice)
    network, task = FAMILIES[match["family"]]
    height = int(match["height"])
    variant = Variant(
        width_multiplier=float(match["multiplier"]),
        height=height,
        width=int(match["width"] or height),
        expansion_factor=int(match["expansion"] or 6),
        task=task,
        network=network,
        output_stride=int(match["stride"] or 16),
        aspp=match["plain"] is None,
        depth_multiplier=float(match["depth"] or 1),
        channel_divisor=int(match["divisor"] or CHANNEL_DIVISOR),
        hidden=tuple(map(int, (match["hidden"] or "").split("-"))) if match["hidden"] else (),
        channels=int(match["channels"] or INPUT_CHANNELS),
        classes=CLASSES[task] if match["classes"] is None else int(match["classes"]) or -1,
    )
    _check(variant, name)
    return variant


def _check(variant: Variant, name: str) -> None:
    for reason in chain(_out_of_range(variant), _out_of_place(variant)):
        raise BenchError(f"variant {name!r}: {reason}")


def _out_of_range(variant: Variant) -> Iterator[str]:
    if not MIN_WIDTH_MULTIPLIER <= variant.width_multiplier <= MAX_WIDTH_MULTIPLIER:
        yield (
            f"the width multiplier must be above 0, {MIN_WIDTH_MULTIPLIER:g} to "
            f"at most {MAX_WIDTH_MULTIPLIER:g}; published ones are 0.35 to 1.4"
        )
    if not all(MIN_RESOLUTION <= one <= MAX_RESOLUTION for one in variant.input_shape[2:]):
        yield (
            f"the input is {variant.height}x{variant.width}; each side must "
            f"be {MIN_RESOLUTION} to {MAX_RESOLUTION} pixels"
        )
    if not 1 <= variant.expansion_factor <= 64:
        yield "the expansion factor must be 1 to 64; the paper's is 6"
    if not MIN_DEPTH_MULTIPLIER <= variant.depth_multiplier <= MAX_DEPTH_MULTIPLIER:
        yield (
            f"the depth multiplier must be {MIN_DEPTH_MULTIPLIER:g} to {MAX_DEPTH_MULTIPLIER:g}; "
            "timm's are 1.2 and 1.4"
        )
    if not 1 <= variant.channel_divisor <= 64:
        yield "channels are rounded to multiples of 1 to 64; published ones of 8"
    least = 2 if variant.task == DETECT else 1
    if not least <= variant.classes <= MAX_CLASSES:
        background = ", of which the first is background" if variant.task == DETECT else ""
        yield f"the number of classes must be {least} to {MAX_CLASSES}{background}"
    if not all(1 <= one <= MAX_CLASSES for one in variant.hidden):
        yield f"a hidden layer must have 1 to {MAX_CLASSES} channels"
    if len(variant.hidden) > MAX_HIDDEN:
        yield f"a classifier may have {MAX_HIDDEN} hidden layers at most"
    if not 1 <= variant.channels <= MAX_CHANNELS:
        yield f"the number of input channels must be 1 to {MAX_CHANNELS}"


def _out_of_place(variant: Variant) -> Iterator[str]:
    if variant.network == MOBILENET_V1 and variant.expansion_factor != 6:
        yield "MobileNetV1 expands nothing; leave out the _t"
    if variant.network == MOBILENET_V1 and variant.depth_multiplier != 1:
        yield "MobileNetV1 has no depth multiplier; leave out the _d"
    if variant.network == MOBILENET_V1 and variant.channel_divisor != CHANNEL_DIVISOR:
        yield "MobileNetV1 rounds no channels; leave out the _div"
    if variant.task != SEGMENT and (variant.output_stride != 16 or not variant.aspp):
        yield "_os and _noaspp are for deeplabv3_mobilenet_v2 only"
    if variant.output_stride not in OUTPUT_STRIDES:
        yield "the output stride must be 16 or 8, as in the paper, or 32"
    if variant.hidden and variant.task != CLASSIFY:
        yield "hidden layers (_h) are for classifiers only"
