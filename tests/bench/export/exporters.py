"""Programs that write a small network as an ONNX file, each in an environment of its own."""

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import torch

SIDE = 64

TORCH = """
import sys, torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.Hardswish(),
    nn.Conv2d(16, 16, 5, 1, 2, groups=16), nn.ReLU6(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 37),
).eval()
names = {"input_names": ["image"], "output_names": ["scores"]}
open_ = {"image": {0: "n", 2: "h", 3: "w"}}
torch.onnx.export(
    model, (torch.zeros(1, 3, 64, 64),), sys.argv[1], dynamo=False, opset_version=11,
    dynamic_axes=open_, **names,
)
"""

# timm imports torchvision, of which networks need one class alone.
TIMM = """
import sys, types
from unittest.mock import MagicMock
import torch
from torch import nn

class Absent(types.ModuleType):
    __path__ = []
    FrozenBatchNorm2d = type("FrozenBatchNorm2d", (nn.Module,), {})
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()

for name in (
    "", ".ops", ".ops.misc", ".models", ".models.feature_extraction", ".transforms",
    ".transforms.functional", ".datasets", ".utils",
):
    sys.modules["torchvision" + name] = Absent("torchvision" + name)
import timm
torch.manual_seed(0)
model = timm.create_model("mobilenetv3_small_050").eval()
torch.onnx.export(model, (torch.zeros(1, 3, 64, 64),), sys.argv[1], external_data=True)
"""

# With Keras' own random weights all activations vanish, and every image has the same answer.
KERAS = """
import subprocess, sys, tempfile
import keras, numpy
keras.utils.set_random_seed(0)
model = keras.applications.MobileNetV2((64, 64, 3), alpha=0.35, weights=None, classes=37)
generator = numpy.random.default_rng(0)
for weight in model.weights:
    if weight.name in ("moving_variance", "gamma"):
        weight.assign(generator.uniform(0.7, 1.3, weight.shape))
    if weight.name == "kernel":
        *taps, inputs, _ = weight.shape
        sums = numpy.prod(taps) * (1 if "depthwise" in weight.path else inputs)
        weight.assign(generator.normal(0, (2 / sums) ** 0.5, weight.shape))
with tempfile.TemporaryDirectory() as saved:
    model.export(saved, verbose=False)
    command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", saved]
    subprocess.run([*command, "--output", sys.argv[1], "--opset", "17"], check=True)
"""


@dataclass(frozen=True)
class Exporter:
    """A program, and what it needs beside PyTorch, or instead of it."""

    program: str
    packages: tuple[str, ...] = ()
    with_torch: bool = True


EXPORTERS = {
    "torch": Exporter(TORCH),
    "timm": Exporter(TIMM, ("timm", "huggingface_hub")),
    "tf2onnx": Exporter(KERAS, ("tensorflow-cpu", "tf2onnx"), with_torch=False),
}


def write_network(exporter: Exporter, environments: Path, path: Path) -> None:
    """Write an ONNX file; raises CalledProcessError if the environment cannot be made."""
    python = sys.executable
    if exporter.packages:
        environment = environments / exporter.packages[0]
        venv.create(environment, with_pip=True)
        python = str(environment / "bin" / "python")
        alone = ["--no-deps"] if exporter.with_torch else []
        install = [python, "-m", "pip", "install", "--quiet", *alone, *exporter.packages]
        subprocess.run(install, check=True, capture_output=True)
    here = {"PYTHONPATH": str(Path(torch.__file__).parents[1])} if exporter.with_torch else {}
    quiet = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "-c", exporter.program, str(path)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | here | quiet)
