"""The program that quantizes a model for LiteRT.

It runs in an environment of its own, which has litert-quantizer and nothing of this project:
`python -I litert_quantize.py FLOAT.tflite INPUTS.npy MODEL.tflite`.
"""

import sys

import numpy as np
from litert_quantizer import quantizer, recipe


def main() -> None:
    """Quantize weights and activations to 8 bits, calibrated with inputs (N, batch, H, W, 3).

    The model's input and outputs stay floating-point numbers, as with every other runtime.
    """
    source, inputs_path, destination = sys.argv[1:]
    inputs = np.load(inputs_path)
    how = recipe.static_wi8_ai8()
    for outer in ("INPUT", "OUTPUT"):
        how.append(
            {"regex": ".*", "operation": outer, "algorithm_key": "no_quantize", "op_config": {}}
        )
    tool = quantizer.Quantizer(source, how)
    signature, name = _signature(source)
    data = {signature: [{name: images} for images in inputs]}
    tool.quantize(tool.calibrate(data, num_threads=1), serialize_to_path=destination)


def _signature(model: str) -> tuple[str, str]:
    """Return the names of the model's only signature and of its input."""
    from ai_edge_litert.interpreter import Interpreter

    ((signature, tensors),) = Interpreter(model).get_signature_list().items()
    (name,) = tensors["inputs"]
    return signature, name


if __name__ == "__main__":
    main()
