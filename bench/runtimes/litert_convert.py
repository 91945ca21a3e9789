"""The program that converts an exported PyTorch program for LiteRT.

It runs in an environment of its own, which has PyTorch and litert-torch and nothing of this
project: `python -I litert_convert.py PROGRAM.pt2 MODEL.tflite`.
"""

import sys

import litert_torch
import torch


def main() -> None:
    """Convert a program that `torch.export.save` has written, for the inputs it was traced with."""
    source, destination = sys.argv[1:]
    program = torch.export.load(source)
    assert program.example_inputs, "every traced program has them"
    inputs, _ = program.example_inputs
    litert_torch.convert(program.module(), inputs).export(destination)


if __name__ == "__main__":
    main()
