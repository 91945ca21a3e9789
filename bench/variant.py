"""Which network: the variants of MobileNetV2, their names and the published grid."""

import re
from dataclasses import dataclass

from targets.errors import BenchError, unknown

TASK = "classify"
CLASSES = 1000
MIN_RESOLUTION = 32  # the network halves its input five times
MAX_RESOLUTION = 4096
MIN_WIDTH_MULTIPLIER, MAX_WIDTH_MULTIPLIER = 0.01, 10.0

_NAME = re.compile(
    r"mobilenet_v2_(?P<multiplier>\d{1,2}(\.\d{1,4})?)_(?P<height>\d{1,5})(x(?P<width>\d{1,5}))?"
    r"(_t(?P<expansion>\d{1,3}))?"
)


@dataclass(frozen=True)
class Variant:
    """One MobileNetV2 (arXiv 1801.04381): width multiplier, input size, expansion factor.

    Height and width are the input's, in pixels; they need not be equal.
    """

    width_multiplier: float
    height: int
    width: int
    expansion_factor: int = 6
    task: str = TASK

    @property
    def name(self) -> str:
        """The field's own name: `mobilenet_v2_1.0_224`, `mobilenet_v2_1.0_192x256_t4`."""
        size = f"{self.height}" if self.height == self.width else f"{self.height}x{self.width}"
        expansion = "" if self.expansion_factor == 6 else f"_t{self.expansion_factor}"
        return f"mobilenet_v2_{self.width_multiplier}_{size}{expansion}"

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


def parse_variant(name: str) -> Variant:
    """Read a variant's name, `mobilenet_v2_MULTIPLIER_SIZE[xWIDTH][_tEXPANSION]`.

    Raises BenchError for any other form, and for sizes that the network cannot take.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise unknown("variant", name, (variant.name for variant in published_grid()))
    height = int(match["height"])
    variant = Variant(
        width_multiplier=float(match["multiplier"]),
        height=height,
        width=int(match["width"] or height),
        expansion_factor=int(match["expansion"] or 6),
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
