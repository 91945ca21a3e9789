"""What checkpoints of MobileNetV2 call their tensors: torchvision's names, timm's and TF-slim's.

Two PyTorch trainings that many networks come from (pytorch-mobilenet-v2 and mobilenetv2.pytorch)
have torchvision's names but for blocks, whose layers are numbered in one row.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobilebench.bench.models.architecture import Architecture, Block, Padding, architecture_of
from mobilebench.bench.models.checkpoint_head import head_keys
from mobilebench.bench.models.huggingface import HUB_HEAD, HUB_SEGMENTS, HUB_UNUSED, hub_scopes
from mobilebench.bench.models.variant import SEGMENT, Variant
from mobilebench.targets.errors import BenchError, listed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Naming:
    """Whose names a checkpoint has, and how a network so named was trained."""

    owner: str
    stem: str  # the name of the first layer's weights
    prefixes: tuple[str, ...]  # what its names begin with
    padding: Padding = "symmetric"
    batch_norm_epsilon: float = 1e-5  # PyTorch's
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of pixels 0..1; ImageNet's own
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


TORCHVISION = Naming("torchvision", "features.0.0.weight", ("features.",))
# Source: `timm/models/efficientnet.py`, whose names without `tf_` are of networks from PyTorch.
TIMM = Naming("timm", "conv_stem.weight", ("conv_stem.", "blocks."))
# Source: research/slim/nets/mobilenet of TensorFlow's models; `slim.batch_norm` has the epsilon,
# and `preprocessing/inception_preprocessing.py` scales pixels to -1..1.
SLIM = Naming(
    "TF-slim",
    "MobilenetV2/Conv/weights",
    ("MobilenetV2/",),
    padding="same",
    batch_norm_epsilon=1e-3,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)
# Source: `modeling_mobilenet_v2.py` and the configurations of Google's networks on the hub.
HUB = Naming(
    "transformers",
    "mobilenet_v2.conv_stem.first_conv.convolution.weight",
    ("mobilenet_v2.", "conv_stem.first_conv."),
    padding="same",
    batch_norm_epsilon=1e-3,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)
NAMINGS = (TORCHVISION, HUB, TIMM, SLIM)

_AVERAGE = "/ExponentialMovingAverage"
_COUNTER = ".num_batches_tracked"
_CLASSIFIER = "classifier.1"
_FEW = 8  # tensors that a file may lack or have too much, and be of the network still
_IN_BLOCK = re.compile(
    r"(?P<row>features\.\d+\.conv)\.(?P<outer>\d)(\.(?P<inner>\d))?\.(?P<part>\w+)"
)
_LAST = re.compile(r"features\.18\.(.*)")  # "conv." in mobilenetv2.pytorch
_NORM = {  # PyTorch's names and slim's
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
# Which axis of the file's tensor each of PyTorch's (output, input, height, width) is.
_HWIO = (3, 2, 0, 1)
_DEPTHWISE = (2, 3, 0, 1)  # height, width, channels, 1


@dataclass(frozen=True)
class _Layer:
    """A convolution and its batch norm, as torchvision and timm call them, and slim's scope."""

    conv: str
    norm: str
    timm_conv: str
    timm_norm: str
    slim: str
    depthwise: bool = False


@dataclass(frozen=True)
class _Stored:
    """A tensor's name in a checkpoint, and which of its axes PyTorch's are; none: the same ones."""

    name: str
    axes: tuple[int, ...] = ()


def naming_of(names: Iterable[str]) -> Naming | None:
    """Return whose names these are, or None."""
    names = tuple(names)
    found = (naming for naming in NAMINGS if any(one.startswith(naming.prefixes) for one in names))
    return next(found, None)


def torchvision_state(
    state: "Mapping[str, Tensor]", expected: "Mapping[str, Tensor]", variant: Variant, source: str
) -> "dict[str, Tensor]":
    """Return a checkpoint's tensors under torchvision's names, in PyTorch's layout.

    `expected` is the `state_dict` of the variant's model. Of TF-slim's variables the exponential
    moving averages are taken where there are any, as slim's own evaluation does; the background,
    the first of its 1001 classes, is dropped; optimiser slots and `global_step` are passed over.

    Raises BenchError naming `source` for a tensor that is missing, unknown or of another shape.
    """
    # Counters that inference does not use; older checkpoints lack them.
    expected = {key: one for key, one in expected.items() if not key.endswith(_COUNTER)}
    shared = (key for key in expected if key in state and not key.startswith("classifier."))
    naming = TORCHVISION if any(shared) else naming_of(state)
    if naming is None:
        known = ", ".join(f"{one.owner}'s ({one.prefixes[0]}...)" for one in NAMINGS)
        raise BenchError(
            f"checkpoint {source}: its key names are unknown, such as {next(iter(state), 'none')}; "
            f"known are {known}"
        )
    try:
        head = head_keys({name: tuple(one.shape) for name, one in state.items()}, expected)
    except BenchError as error:
        raise BenchError(f"checkpoint {source}: {error}") from error
    if naming is TORCHVISION:
        stored = {key: _Stored(head.get(key) or _as_named(key, state)) for key in expected}
    else:
        architecture = architecture_of(variant)
        if naming is HUB:
            stored = _hub(architecture, variant.task)
        else:
            stored = _timm(architecture, head) if naming is TIMM else _slim(architecture, state)
        if stored.keys() != expected.keys():
            raise BenchError(
                f"checkpoint {source}: has {naming.owner}'s key names, which are known of "
                f"MobileNetV2's classifier alone; {variant.name} needs torchvision's"
            )
    _check_names(state, [one.name for one in stored.values()], naming, source)
    result = {}
    for key, one in stored.items():
        tensor, shape = state[one.name], tuple(expected[key].shape)
        try:
            if key.startswith(_CLASSIFIER):
                tensor = _with_classes(tensor, one, shape[0], background=naming in (SLIM, HUB))
            result[key] = _in_layout(tensor, one, shape)
        except BenchError as error:
            raise BenchError(f"checkpoint {source}: {one.name} {error}") from error
    return result


def _layers(architecture: Architecture) -> Iterator[_Layer]:
    yield _Layer("features.0.0", "features.0.1", "conv_stem", "bn1", "MobilenetV2/Conv")
    places = [
        (stage, index) for stage, size in enumerate(architecture.stages) for index in range(size)
    ]
    for number, (block, (stage, index)) in enumerate(zip(architecture.blocks, places, strict=True)):
        slim = "MobilenetV2/expanded_conv" + (f"_{number}" if number else "")
        yield from _block(block, f"features.{number + 1}.conv", f"blocks.{stage}.{index}", slim)
    last = f"features.{len(architecture.blocks) + 1}"
    yield _Layer(f"{last}.0", f"{last}.1", "conv_head", "bn2", "MobilenetV2/Conv_1")


def _block(block: Block, here: str, timm: str, slim: str) -> Iterator[_Layer]:
    depthwise, project = f"{slim}/depthwise", f"{slim}/project"
    if block.expands:
        yield _Layer(
            f"{here}.0.0", f"{here}.0.1", f"{timm}.conv_pw", f"{timm}.bn1", f"{slim}/expand"
        )
        yield _Layer(
            f"{here}.1.0", f"{here}.1.1", f"{timm}.conv_dw", f"{timm}.bn2", depthwise, True
        )
        yield _Layer(f"{here}.2", f"{here}.3", f"{timm}.conv_pwl", f"{timm}.bn3", project)
    else:  # in timm a depthwise separable convolution
        yield _Layer(
            f"{here}.0.0", f"{here}.0.1", f"{timm}.conv_dw", f"{timm}.bn1", depthwise, True
        )
        yield _Layer(f"{here}.1", f"{here}.2", f"{timm}.conv_pw", f"{timm}.bn2", project)


def _as_named(key: str, names: Collection[str]) -> str:
    """Return what a checkpoint calls one of torchvision's keys, if it numbers layers in one row.

    With activations between them the layers of a block are 0, 1, 3, 4, 6 and 7, without expansion
    0, 1, 3 and 4; a classifier may have no dropout in its row, and the last convolution lie beside
    the features.
    """
    block = _IN_BLOCK.fullmatch(key)
    if block and f"{block['row']}.0.weight" in names:
        row, outer, inner = block["row"], int(block["outer"]), block["inner"]
        if inner is None:  # the last convolution and its norm, which no activation follows
            number = outer + (4 if f"{row}.6.weight" in names else 2)
        else:
            number = 3 * outer + int(inner)
        return f"{row}.{number}.{block['part']}"
    if key in names:
        return key
    if key.startswith(f"{_CLASSIFIER}."):
        alone = key.replace(_CLASSIFIER, "classifier")
        return alone if alone in names else key
    if last := _LAST.fullmatch(key):
        return f"conv.{last[1]}" if f"conv.{last[1]}" in names else key
    return key


def _timm(architecture: Architecture, head: Mapping[str, str]) -> dict[str, _Stored]:
    """Return what timm calls each of torchvision's keys."""
    stored = {}
    for layer in _layers(architecture):
        stored[f"{layer.conv}.weight"] = _Stored(f"{layer.timm_conv}.weight")
        for part in _NORM:
            stored[f"{layer.norm}.{part}"] = _Stored(f"{layer.timm_norm}.{part}")
    classifier = head or {f"{_CLASSIFIER}.{one}": f"classifier.{one}" for one in ("weight", "bias")}
    return stored | {key: _Stored(name) for key, name in classifier.items()}


def _hub(architecture: Architecture, task: str) -> dict[str, _Stored]:
    """Return what transformers calls each of torchvision's keys, of a classifier or a segmenter."""
    scopes = zip(_layers(architecture), hub_scopes(architecture), strict=True)
    layers = [(layer.conv, layer.norm, scope) for layer, scope in scopes]
    classifier = "classifier"
    if task == SEGMENT:
        head = ((f"{ours}.0", f"{ours}.1", scope) for ours, scope in HUB_HEAD.items())
        layers, classifier = [*layers[:-1], *head], HUB_SEGMENTS
    stored = {}
    for conv, norm, scope in layers:
        stored[f"{conv}.weight"] = _Stored(f"{scope}.convolution.weight")
        for part in _NORM:
            stored[f"{norm}.{part}"] = _Stored(f"{scope}.normalization.{part}")
    for part in ("weight", "bias"):
        stored[f"{_CLASSIFIER}.{part}"] = _Stored(f"{classifier}.{part}")
    return stored


def _slim(architecture: Architecture, names: Collection[str]) -> dict[str, _Stored]:
    """Return which of slim's variables each of torchvision's keys is, and how that lies."""
    averaged = any(name.endswith(_AVERAGE) for name in names)

    def variable(name: str, axes: tuple[int, ...] = (0,)) -> _Stored:
        # All that is trained is averaged, or nothing; batch norm's statistics need not be.
        average = averaged and ("/moving_" not in name or name + _AVERAGE in names)
        return _Stored(name + _AVERAGE if average else name, axes)

    stored = {}
    for layer in _layers(architecture):
        weights = variable(f"{layer.slim}/weights", _HWIO)
        if layer.depthwise:
            weights = variable(f"{layer.slim}/depthwise_weights", _DEPTHWISE)
        stored[f"{layer.conv}.weight"] = weights
        for part, name in _NORM.items():
            stored[f"{layer.norm}.{part}"] = variable(f"{layer.slim}/BatchNorm/{name}")
    logits = "MobilenetV2/Logits/Conv2d_1c_1x1"
    stored[f"{_CLASSIFIER}.weight"] = variable(f"{logits}/weights", _HWIO)
    stored[f"{_CLASSIFIER}.bias"] = variable(f"{logits}/biases")
    return stored


def _check_names(names: Collection[str], needed: list[str], naming: Naming, source: str) -> None:
    missing = [name for name in needed if name not in names]
    if naming is SLIM:
        scopes = tuple(name.removesuffix(_AVERAGE) for name in needed)
        slots = tuple(f"{scope}/" for scope in scopes)
        inner = [name for name in names if name.startswith(SLIM.prefixes)]
        extra = [name for name in inner if name not in scopes and not name.startswith(slots)]
    else:
        known = set(needed)
        extra = [name for name in names if name not in known and not name.endswith(_COUNTER)]
        if naming is HUB and HUB_SEGMENTS + ".weight" in known:  # a segmenter has no use for it
            extra = [name for name in extra if not name.startswith(HUB_UNUSED)]
    if not missing and not extra:
        return
    if len(missing) + len(extra) > _FEW:
        problem = f"lacks {missing[0]}" if missing else f"has {extra[0]}, which the model has not"
        raise BenchError(
            f"checkpoint {source}: {problem} ({len(missing)} keys missing, {len(extra)} unknown); "
            f"its key names are {naming.owner}'s, but of another network"
        )
    lacks = f"lacks {listed(missing, 'and')}" if missing else ""
    has = f"has {listed(extra, 'and')}, which the model has not" if extra else ""
    rest = "save the whole state_dict()" if missing else "leave that out if nothing reads it"
    raise BenchError(
        f"checkpoint {source}: {' and '.join(filter(None, (lacks, has)))}; all else is "
        f"{naming.owner}'s; {rest}, or export the network to ONNX and give it by --model"
    )


def _with_classes(tensor: "Tensor", stored: _Stored, classes: int, background: bool) -> "Tensor":
    """Drop slim's background; refuse another number of classes."""
    axis = stored.axes[0] if stored.axes else 0
    found = tensor.shape[axis] if axis < tensor.ndim else 0
    if background and found == classes + 1:
        return tensor.narrow(axis, 1, classes)
    if found != classes:
        raise BenchError(f"has {found} classes; the variant has {classes}")
    return tensor


def _in_layout(tensor: "Tensor", stored: _Stored, shape: tuple[int, ...]) -> "Tensor":
    axes = stored.axes or tuple(range(len(shape)))
    if not stored.axes and tuple(tensor.shape) == (*shape, 1, 1):  # so it may be elsewhere
        return _in_layout(tensor.flatten(1), stored, shape)
    whole = shape + (1,) * (len(axes) - len(shape))  # slim's classifier is a 1x1 convolution
    needed = tuple(whole[axes.index(axis)] for axis in range(len(axes)))
    if tuple(tensor.shape) != needed:
        raise BenchError(f"has shape {tuple(tensor.shape)}, the variant needs {needed}")
    if not tensor.is_floating_point() or tensor.dtype.itemsize < 2:
        raise BenchError(f"holds {tensor.dtype}, not floats; is the checkpoint quantised?")
    if str(tensor.layout) != "torch.strided":
        raise BenchError("is a sparse tensor; save it as a dense one (to_dense())")
    return tensor.permute(axes).reshape(shape)
