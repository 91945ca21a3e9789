"""The program that converts a PyTorch model for LiteRT, in the converter's own environment.

`python -m mobilebench.bench.runtimes.litert_convert DIRECTORY` reads `workload.pickle`
there and writes `model.tflite` beside it.
"""

import pickle
import sys
from pathlib import Path

import litert_torch
import torch

from mobilebench.bench.models.weights import load_model


def main() -> None:
    """Convert; the input is NHWC, as LiteRT's kernels want it."""
    directory = Path(sys.argv[1])
    workload = pickle.loads((directory / "workload.pickle").read_bytes())
    model = load_model(workload.variant, workload.weights)
    image = torch.zeros(workload.variant.input_shape).permute(0, 2, 3, 1)
    channels_last = litert_torch.to_channel_last_io(model, args=[0])
    litert_torch.convert(channels_last.eval(), (image,)).export(str(directory / "model.tflite"))


if __name__ == "__main__":
    main()
