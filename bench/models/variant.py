"""Which network: the variants of the paper's networks, their names and the published grid."""

import re
from dataclasses import dataclass

from mobilebench.targets.errors import BenchError, unknown

CLASSIFY, DETECT, SEGMENT = "classify", "detect", "segment"
MOBILENET_V1, MOBILENET_V2 = "mobilenet_v1", "mobilenet_v2"
MIN_RESOLUTION = 32  # the networks halve their input five times
MAX_RESOLUTION = 4096
MIN_WIDTH_MULTIPLIER, MAX_WIDTH_MULTIPLIER = 0.01, 10.0

FAMILIES = {  # what names begin with
    "mobilenet_v2": (MOBILENET_V2, CLASSIFY),
    "mobilenet_v1": (MOBILENET_V1, CLASSIFY),
    "ssdlite_mobilenet_v2": (MOBILENET_V2, DETECT),
    "deeplabv3_mobilenet_v2": (MOBILENET_V2, SEGMENT),
}
_NAME = re.compile(
    rf"(?P<family>{'|'.join(FAMILIES)})_(?P<multiplier>\d{{1,2}}(\.\d{{1,4}})?)"
    r"_(?P<height>\d{1,5})(x(?P<width>\d{1,5}))?"
    r"(_t(?P<expansion>\d{1,3}))?(_os(?P<stride>\d{1,2}))?(?P<plain>_noaspp)?"
)


@dataclass(frozen=True)
class Variant:
    """One of the networks of arXiv 1801.04381: MobileNetV2, alone or under a head, or V1.

    Height and width are the input's, in pixels; they need not be equal. The last two fields are a
    segmenter's: by what its features are smaller than its input, and whether the head has atrous
    spatial pyramid pooling (the paper's Table 7 has both).
    """

    width_multiplier: float
    height: int
    width: int
    expansion_factor: int = 6
    task: str = CLASSIFY
    network: str = MOBILENET_V2
    output_stride: int = 16
    aspp: bool = True

    @property
    def name(self) -> str:
        """The field's own name: `mobilenet_v2_1.0_224`, `deeplabv3_mobilenet_v2_1.0_513_os8`."""
        size = f"{self.height}" if self.height == self.width else f"{self.height}x{self.width}"
        expansion = "" if self.expansion_factor == 6 else f"_t{self.expansion_factor}"
        stride = "" if self.output_stride == 16 else f"_os{self.output_stride}"
        head = "" if self.aspp else "_noaspp"
        return f"{self.family}_{self.width_multiplier}_{size}{expansion}{stride}{head}"

    @property
    def family(self) -> str:
        """What its name begins with: the network, and the head if it has one."""
        kind = (self.network, self.task)
        return next(name for name, other in FAMILIES.items() if other == kind)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Batch, channels, height, width (NCHW)."""
        return (1, 3, self.height, self.width)


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


def parse_variant(name: str) -> Variant:
    """Read a variant's name, `FAMILY_MULTIPLIER_SIZE[xWIDTH][_tEXPANSION]`.

    FAMILY is mobilenet_v2, mobilenet_v1, ssdlite_mobilenet_v2 or deeplabv3_mobilenet_v2; names of
    the last may end in `_os8` and `_noaspp`. Raises BenchError for any other form, and for sizes
    that the network cannot take.
    """
    match = _NAME.fullmatch(name)
    if not match:
        known = [*published_grid(), *paper_grid()]
        raise unknown("variant", name, (variant.name for variant in known))
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
    )
    _check(variant, name)
    return variant


def _check(variant: Variant, name: str) -> None:
    if not MIN_WIDTH_MULTIPLIER <= variant.width_multiplier <= MAX_WIDTH_MULTIPLIER:
        raise BenchError(
            f"variant {name!r}: the width multiplier must be above 0, {MIN_WIDTH_MULTIPLIER:g} to "
            f"at most {MAX_WIDTH_MULTIPLIER:g}; published ones are 0.35 to 1.4"
        )
    for size in (variant.height, variant.width):
        if not MIN_RESOLUTION <= size <= MAX_RESOLUTION:
            raise BenchError(
                f"variant {name!r}: the input is {variant.height}x{variant.width}; each side must "
                f"be {MIN_RESOLUTION} to {MAX_RESOLUTION} pixels"
            )
    if not 1 <= variant.expansion_factor <= 64:
        raise BenchError(
            f"variant {name!r}: the expansion factor must be 1 to 64; the paper's is 6"
        )
    if variant.network == MOBILENET_V1 and variant.expansion_factor != 6:
        raise BenchError(f"variant {name!r}: MobileNetV1 expands nothing; leave out the _t")
    if variant.task != SEGMENT and (variant.output_stride != 16 or not variant.aspp):
        raise BenchError(f"variant {name!r}: _os and _noaspp are for deeplabv3_mobilenet_v2 only")
    if variant.output_stride not in (8, 16):
        raise BenchError(f"variant {name!r}: the output stride must be 16 or 8, as in the paper")
