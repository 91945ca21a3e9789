"""Checkpoints with timm's and TF-slim's names, made from a reference model by the published lists.

`timm_keys.txt` is the `state_dict` of timm's `mobilenetv2_100`, `timm_120d_keys.txt` that of
`mobilenetv2_120d`, `slim_variables.txt` the model
variables of slim's `mobilenet_v2`. Both are in the order in which the network runs, which is
torchvision's order too.
"""

from pathlib import Path

import numpy as np
import torch

from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.mobilenet_v2 import MobileNetV2
from mobilebench.bench.models.variant import Variant
from mobilebench.bench.models.weights import Weights

Arrays = dict[str, np.ndarray]

# Who reads slim's names pads and normalises as slim does.
AS_SLIM = Weights(seed=7, padding="same", batch_norm_epsilon=1e-3)
_LAYERS = 19  # of MobileNetV2 without a depth multiplier, classifier apart
AVERAGE = "/ExponentialMovingAverage"


def published(file: str) -> list[str]:
    return Path(__file__).with_name(file).read_text().split()


def timm_state(model: MobileNetV2) -> dict[str, torch.Tensor]:
    """Return a model's `state_dict` as timm would have saved it."""
    deep = len(model.features) > _LAYERS
    names = published("timm_120d_keys.txt" if deep else "timm_keys.txt")
    return dict(zip(names, model.state_dict().values(), strict=True))


def slim_arrays(model: MobileNetV2, variant: Variant) -> Arrays:
    """Return a model's variables as slim would have saved them, a background class first."""
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    names = published("slim_variables.txt")
    if variant.expansion_factor == 1:
        names = [name for name in names if "/expand/" not in name]
    arrays = {}
    for name, tensor in zip(names, state.values(), strict=True):
        array = tensor.numpy()
        if name.endswith("depthwise_weights"):
            array = np.einsum("cmhw->hwcm", array)
        elif name.endswith("Logits/Conv2d_1c_1x1/weights"):
            array = np.pad(array.T, ((0, 0), (1, 0)), constant_values=9.0)[None, None]
        elif name.endswith("weights"):
            array = np.einsum("oihw->hwio", array)
        elif name.endswith("biases"):
            array = np.pad(array, (1, 0), constant_values=9.0)
        arrays[name] = np.ascontiguousarray(array)
    return arrays


def tensors(arrays: Arrays) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def logits(model: MobileNetV2, variant: Variant) -> torch.Tensor:
    """Return what a model answers on one image of noise."""
    image = torch.randn(variant.input_shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        answer: torch.Tensor = model(image)
    return answer


def load(path: Path, variant: Variant) -> MobileNetV2:
    """Load a checkpoint as a run does."""
    return load_model(variant, find_weights(str(path), path.parent))
