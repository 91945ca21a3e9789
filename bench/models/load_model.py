"""Networks in PyTorch with their weights."""

from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from mobilebench.bench.models.checkpoint_file import read_tensors
from mobilebench.bench.models.checkpoint_fit import what_differs
from mobilebench.bench.models.checkpoint_keys import torchvision_state
from mobilebench.bench.models.checkpoint_network import network_in
from mobilebench.bench.models.checkpoint_parts import choose_part
from mobilebench.bench.models.subnormal import flush_subnormals
from mobilebench.bench.models.variant import Variant
from mobilebench.bench.models.weights import RANDOM, Weights
from mobilebench.targets.errors import BenchError

if TYPE_CHECKING:
    from torch.nn import Module


def load_model(variant: Variant, weights: Weights) -> "Module":
    """Return the reference model with its weights, in evaluation mode.

    Subnormal weights are 0. Raises BenchError if the checkpoint does not fit the variant.
    """
    model, _ = load_flushed(variant, weights)
    return model


def load_flushed(variant: Variant, weights: Weights) -> "tuple[Module, int]":
    """Return the same, and how many of its weights were subnormal."""
    import torch

    from mobilebench.bench.models.pytorch_reference import make_reference

    if reason := weights.misfit(variant):
        raise BenchError(f"checkpoint {weights.source}: {reason}; it does not fit {variant.name}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed)
        model = make_reference(variant, weights.padding, weights.batch_norm_epsilon)
        if weights.head_epsilon is not None:
            _set_head_epsilon(model, weights.head_epsilon)
        if weights.source == RANDOM:
            _randomise(model)
    if weights.source != RANDOM:
        _load_checkpoint(model, variant, weights)
    model.eval()
    return model, flush_subnormals(model)


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


def _set_head_epsilon(model: "Module", epsilon: float) -> None:
    from torch import nn

    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d) and not name.startswith("features."):
            module.eps = epsilon


def _load_checkpoint(model: "Module", variant: Variant, weights: Weights) -> None:
    expected, source = model.state_dict(), weights.source
    entries = read_tensors(Path(source))
    tensors = network_in(choose_part(entries, weights.part, source), entries)
    try:
        state = torchvision_state(tensors, expected, variant, source)
    except BenchError as error:
        reason = what_differs(tensors, variant)
        raise BenchError(f"{error}; {reason}" if reason else str(error)) from error
    for key, tensor in state.items():
        if not tensor.isfinite().all():
            raise BenchError(f"checkpoint {source}: {key} holds numbers that are not finite")
        if key.endswith(".running_var") and bool((tensor < 0).any()):
            raise BenchError(f"checkpoint {source}: {key} is negative, and no variance is")
        expected[key].copy_(tensor)  # casts float16 to float32
