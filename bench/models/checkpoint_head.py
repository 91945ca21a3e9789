"""The linear layers of a classifier in a checkpoint, whatever their numbers are.

Whoever fine-tunes replaces `classifier`, or its last layer, by a layer or by several with a ReLU
and perhaps dropout between them; only those with weights are in the file.
"""

import re
from collections.abc import Collection, Mapping
from itertools import pairwise

from mobilebench.targets.errors import BenchError

_LINEAR = re.compile(r"(?P<before>(?:.*\.)?)classifier(?P<place>(?:\.\d+)*)\.weight")
_BATCH_NORM = re.compile(r"(?:.*\.)?classifier(?:\.\d+)*\.running_mean")
_AXES = 2  # of a linear layer's weights


def linear_layers(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Return what a checkpoint calls its classifier's linear layers, in the order they run.

    Of several networks in one file, such as averaged weights beside others, the first counts.
    """
    found: dict[str, list[tuple[tuple[int, ...], str]]] = {}
    for name, shape in shapes.items():
        match = _LINEAR.fullmatch(name)
        if match and len(shape) == _AXES:
            layers = found.setdefault(match["before"], [])
            layers.append((_place(match["place"]), name.removesuffix(".weight")))
    return [name for _, name in sorted(next(iter(found.values()), []))]


def hidden_in(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...] | None:
    """Return the widths of all linear layers but the last; None if there is no linear layer."""
    layers = linear_layers(shapes)
    return tuple(shapes[f"{name}.weight"][0] for name in layers[:-1]) if layers else None


def head_keys(shapes: Mapping[str, tuple[int, ...]], expected: Collection[str]) -> dict[str, str]:
    """Return by the model's keys `classifier.N.weight` and `.bias` those of a checkpoint.

    None of them if the checkpoint has another number of linear layers. Raises BenchError for layers
    that have no activation between them, or a batch norm.
    """
    layers = linear_layers(shapes)
    own = linear_layers(dict.fromkeys(expected, (1,) * _AXES))
    if len(layers) != len(own):
        return {}
    for one, other in pairwise(layers):
        here, after = _place(one), _place(other)
        if here and after == (*here[:-1], here[-1] + 1):
            raise BenchError(
                f"its layers {one} and {other} have no activation between them, and linear layers "
                "with a ReLU between them can be read; export it to ONNX and give it by --model"
            )
    if len(layers) > 1 and (norm := next(filter(_BATCH_NORM.fullmatch, shapes), None)):
        raise BenchError(
            f"its classifier has a batch norm ({norm}), and linear layers with a ReLU between them "
            "can be read; export it to ONNX and give it by --model"
        )
    return {
        f"{key}.{part}": f"{name}.{part}"
        for key, name in zip(own, layers, strict=True)
        for part in ("weight", "bias")
    }


def _place(name: str) -> tuple[int, ...]:
    """Return the numbers at the end of a name, `classifier.1.3` or `.1.3`."""
    return tuple(int(number) for number in name.split(".") if number.isdigit())
