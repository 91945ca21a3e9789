"""Why a checkpoint does not fit: which network it is of, found by trying others."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from mobilebench.bench.models.architecture import architecture_of, v1_architecture_of
from mobilebench.bench.models.checkpoint_head import hidden_in
from mobilebench.bench.models.checkpoint_keys import SLIM, naming_of, torchvision_state
from mobilebench.bench.models.checkpoint_shapes import channels_in, classes_in
from mobilebench.bench.models.variant import (
    CLASSES,
    CLASSIFY,
    DETECT,
    MOBILENET_V1,
    MOBILENET_V2,
    SEGMENT,
    Variant,
)
from mobilebench.targets.errors import BenchError

if TYPE_CHECKING:
    from torch import Tensor

_WIDTHS = (1.0, 0.75, 0.5, 0.35, 1.4, 1.3, 0.25, 0.1, 0.6, 0.8, 0.9, 1.1, 1.2, 1.5, 2.0)
_DEPTHS = (1.0, 1.2, 1.4)
_DIVISORS = (8, 4, 1)
_TASKS = ((CLASSIFY, True), (SEGMENT, True), (SEGMENT, False), (DETECT, True))
# Parts of names, and of which networks they are.
_OTHERS = (
    (
        re.compile(r"(^|\.)(se|se_layer|squeeze_excite)\.|\.block\.\d\.fc\d\.|\.conv_reduce\."),
        "has squeeze-and-excitation layers, as MobileNetV3 and EfficientNet have and MobileNetV2 "
        "has not",
    ),
    (re.compile(r"^features\.\d+\.\d?\.?block\."), "has the blocks of MobileNetV3 or EfficientNet"),
    (re.compile(r"(^|\.)layer[1-4]\.\d+\.conv1\."), "has the names of a ResNet"),
    (re.compile(r"^features\.denseblock\d"), "has the names of a DenseNet"),
    (
        re.compile(r"^features\.\d+\.weight"),
        "has the names of a VGG or AlexNet",
    ),
)
_SQUARE = 4  # axes of a convolution's weights


def what_differs(state: "Mapping[str, Tensor]", variant: Variant) -> str:
    """Return in what a checkpoint's network differs from a variant; empty if that is not known.

    A sentence without a subject and full stop, for the end of another.
    """
    for pattern, problem in _OTHERS:
        if any(pattern.search(name) for name in state):
            return problem
    shapes = {name: tuple(one.shape) for name, one in state.items()}
    large = [shape for shape in shapes.values() if len(shape) == _SQUARE and 5 in shape[-2:]]
    if large and naming_of(state):
        return "has 5x5 convolutions, as EfficientNet and MnasNet have and MobileNetV2 has not"
    found = next((one for one in _candidates(shapes, variant) if _fits(state, one)), None)
    if found:
        own = replace(found, height=variant.height, width=variant.width)
        differences = ", ".join(_differences(own, variant)) or "another network"
        return f"it is of {differences}: that is {own.name}"
    if naming_of(state) is SLIM:  # whose layout is another
        return ""
    odd = sorted({shape[0] for shape in shapes.values() if len(shape) == _SQUARE} - _multiples(8))
    if odd:
        return (
            f"its channels are not rounded to multiples of 8 ({', '.join(map(str, odd[:3]))}); if "
            "they are to multiples of another number, a manifest may say so as channel_divisor"
        )
    return ""


def _multiples(number: int) -> set[int]:
    return set(range(0, 4097, number))


def _candidates(shapes: Mapping[str, tuple[int, ...]], variant: Variant) -> Iterator[Variant]:
    """Yield networks whose convolutions a checkpoint has, as far as their sizes tell."""
    sizes = Counter(prod(shape) for shape in shapes.values() if len(shape) == _SQUARE)
    classes, channels, hidden = classes_in(shapes), channels_in(shapes), hidden_in(shapes)
    tasks = sorted(_TASKS, key=lambda one: one != (variant.task, variant.aspp))
    expansions = dict.fromkeys((variant.expansion_factor, 6, 1, 2, 3, 4))
    for (task, aspp), depth, divisor, expansion, width in product(
        tasks, _DEPTHS, _DIVISORS, expansions, dict.fromkeys((variant.width_multiplier, *_WIDTHS))
    ):
        one = Variant(
            width,
            224,
            224,
            expansion_factor=expansion,
            task=task,
            aspp=aspp,
            classes=classes or CLASSES[task],
            depth_multiplier=depth,
            channel_divisor=divisor,
            hidden=(hidden or ()) if task == CLASSIFY else (),
            channels=channels or variant.channels,
        )
        if sizes >= Counter(_sizes(one)):
            yield one
    for width in dict.fromkeys((variant.width_multiplier, *_WIDTHS)):
        v1 = Variant(width, 224, 224, network=MOBILENET_V1, classes=classes or CLASSES[CLASSIFY])
        layers = v1_architecture_of(v1).layers
        if sizes >= Counter(one.in_channels * one.out_channels for one in layers):
            yield v1


def _sizes(variant: Variant) -> Iterator[int]:
    """Yield how many weights each convolution of the blocks has."""
    for block in architecture_of(variant).blocks:
        if block.expands:
            yield block.in_channels * block.hidden_channels
        yield 9 * block.hidden_channels
        yield block.hidden_channels * block.out_channels


def _fits(state: "Mapping[str, Tensor]", variant: Variant) -> bool:
    import torch

    from mobilebench.bench.models.pytorch_reference import make_reference

    with torch.device("meta"):
        expected = make_reference(variant, "symmetric").state_dict()
    try:
        torchvision_state(state, expected, variant, "")
    except BenchError:
        return False
    return True


def _differences(found: Variant, variant: Variant) -> Iterator[str]:
    """Yield each difference in the field's words."""
    if (found.network, found.task) != (variant.network, variant.task):
        names = {MOBILENET_V1: "MobileNetV1", MOBILENET_V2: "MobileNetV2"}
        tasks = {CLASSIFY: "classifier", DETECT: "detector", SEGMENT: "segmenter"}
        yield f"a {names[found.network]} {tasks[found.task]}"
    elif found.task == SEGMENT and found.aspp != variant.aspp:
        yield "a head with the pyramid" if found.aspp else "a head without the pyramid"
    for words, name in (
        ("width multiplier {}, not {}", "width_multiplier"),
        ("depth multiplier {}, not {}", "depth_multiplier"),
        ("expansion factor {}, not {}", "expansion_factor"),
        ("channels rounded to multiples of {}, not {}", "channel_divisor"),
        ("{} classes, not {}", "classes"),
        ("{} input channels, not {}", "channels"),
        ("hidden layers {} in its classifier, not {}", "hidden"),
    ):
        own, needed = getattr(found, name), getattr(variant, name)
        if own != needed and not (name == "classes" and found.task != variant.task):
            yield words.format(own, needed)
