"""The flatbuffer that LiteRT runs, converted from the PyTorch model on this machine."""

import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.bench.cache import cached, content_key
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import Variant
from mobilebench.bench.runtimes.litert_cpu import MODEL
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.targets.errors import BenchError

_CONVERTER, _QUANTIZER = "litert-torch==0.10.0", "litert-quantizer==0.11.0"


def convert(workload: Workload, directory: Path, cache_dir: Path) -> None:
    """Write the flatbuffer into `directory`.

    The converter's requirements contradict TVM's, so it has an environment of its own, made the
    first time (1 GB). What it is given is an exported PyTorch program, so that it needs nothing of
    this project. Raises BenchError if making the environment or the conversion fails.
    """
    python = _environment("converter", _CONVERTER, f"torch=={_version('torch')}", within=cache_dir)
    program = directory / "program.pt2"
    _export_channels_last(workload, program)
    _run([python, "-I", _program("litert_convert.py"), str(program), str(directory / MODEL)])
    program.unlink()


def quantize(workload: Workload, directory: Path, cache_dir: Path) -> None:
    """Write what LiteRT's quantiser makes of the flatbuffer, in an environment of its own too.

    Raises BenchError if making the environment or the quantisation fails.
    """
    assert workload.converted
    images = [image.transpose(0, 2, 3, 1) for image in workload.calibration_inputs()]
    inputs = directory / "inputs.npy"
    np.save(inputs, np.stack(images))
    python = _environment("quantizer", _QUANTIZER, within=cache_dir)
    files = workload.converted / MODEL, inputs, directory / MODEL
    _run([python, "-I", _program("litert_quantize.py"), *map(str, files)])
    inputs.unlink()


def _environment(name: str, *packages: str, within: Path) -> str:
    """Return the Python of an environment with some packages, made unless it is there already."""
    environment = within / f"litert-{name}-{content_key(packages, sys.version)}"

    def fill(scratch: Path) -> None:
        venv.create(scratch, with_pip=True)
        _run([str(scratch / "bin" / "python"), "-P", "-m", "pip", "install", "--quiet", *packages])

    return str(cached(environment, fill) / "bin" / "python")


def _version(package: str) -> str:
    """Return an installed version without what names the build."""
    return version(package).partition("+")[0]


def _program(name: str) -> str:
    return str(Path(__file__).with_name(name))


def _export_channels_last(workload: Workload, path: Path) -> None:
    """Write the PyTorch model with an input of (batch, H, W, 3), as LiteRT's kernels want it."""
    import torch

    class ChannelsLast(torch.nn.Module):  # type: ignore[misc]
        """A model whose input has its channels last."""

        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, image: torch.Tensor) -> Any:
            """Run the model on an image of (1, H, W, 3)."""
            return self.model(image.permute(0, 3, 1, 2))

    assert isinstance(workload.variant, Variant)
    model = ChannelsLast(load_model(workload.variant, workload.weights)).eval()
    image = torch.zeros(workload.input_shape).permute(0, 2, 3, 1).contiguous()
    torch.export.save(torch.export.export(model, (image,)), path)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise BenchError(f"LiteRT's tools: {lines[-1]}")
