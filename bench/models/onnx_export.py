"""From PyTorch to ONNX, with the outputs that every runtime must reproduce."""

import json
import logging
import time
import warnings
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.bench.cache import cached, content_key, file_sha256, source_key
from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.input_type import FLOATS
from mobilebench.bench.models.load_model import load_flushed, load_model
from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.outputs import (
    INPUT_NAME,
    Floats,
    Inputs,
    Outputs,
    check_finite,
    save_outputs,
    seeded_inputs,
)
from mobilebench.bench.models.own_network import MODEL, REFERENCE, prepared
from mobilebench.bench.models.variant import Variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError

OPSET = 20
_REFERENCE_SEED = 2018  # the year of the paper


@dataclass(frozen=True)
class Quantization:
    """How a network was quantized."""

    float_onnx_path: Path  # the network before
    calibration: str  # the name of the images
    float_outputs_path: Path  # .npz of PyTorch's outputs of that network, on the same inputs
    relative_l2_error: float  # of the quantized network in PyTorch, against the float32 one
    quantize_s: float


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file and what PyTorch answers: of seeded inputs, or of images of the calibration."""

    name: str  # of the variant
    onnx_path: Path
    onnx_sha256: str
    reference_path: Path  # .npz with `inputs` and each output by its name
    to_onnx_s: float
    quantization: Quantization | None = None
    flushed_weights: int = 0  # that were subnormal in the checkpoint, and are 0
    input_type: str = FLOATS  # one of INPUT_TYPES

    def reference(self) -> tuple[Inputs, Outputs]:
        """Return inputs and PyTorch's outputs."""
        with np.load(self.reference_path) as arrays:
            inputs, *outputs = (arrays[name] for name in arrays.files)
            return inputs, tuple(outputs)

    def float_outputs(self) -> Outputs | None:
        """Return PyTorch's outputs of the network before it was quantized; None if it is not."""
        if self.quantization is None:
            return None
        with np.load(self.quantization.float_outputs_path) as arrays:
            return tuple(arrays[name] for name in arrays.files)


def to_onnx(variant: Network, weights: Weights, cache_dir: Path) -> OnnxModel:
    """Export a variant with its weights to ONNX, or find it exported already.

    Of a network of the user's own it is the canonical form of its file.

    Raises BenchError if the checkpoint does not fit or the file fails the checker.
    """
    if isinstance(variant, OnnxNetwork):
        return _own_model(variant, cache_dir)
    key = content_key(
        asdict(variant),
        # The path of a checkpoint is no content; its hash is.
        (weights.sha256, weights.part) if weights.sha256 else (weights.source, weights.seed),
        (weights.padding, weights.batch_norm_epsilon, weights.head_epsilon),
        (OPSET, _REFERENCE_SEED, *map(version, ("torch", "onnx", "onnxscript"))),
        source_key(Path(__file__).parent),
    )
    directory = cached(
        cache_dir / "onnx" / f"{variant.name}-{key}", lambda path: _fill(variant, weights, path)
    )
    damaged = BenchError(f"export {directory}: is damaged; delete it to have it made again")
    try:
        facts = json.loads((directory / "facts.json").read_text())
        whole = file_sha256(directory / "model.onnx") == facts["onnx_sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise damaged from error
    if not whole:
        raise damaged
    return OnnxModel(
        name=variant.name,
        onnx_path=directory / "model.onnx",
        onnx_sha256=facts["onnx_sha256"],
        reference_path=directory / "reference.npz",
        to_onnx_s=facts["to_onnx_s"],
        flushed_weights=facts["flushed_weights"],
    )


def _own_model(network: OnnxNetwork, cache_dir: Path) -> OnnxModel:
    directory, facts = prepared(network, cache_dir)
    if file_sha256(directory / MODEL) != facts["onnx_sha256"]:
        raise BenchError(f"export {directory}: is damaged; delete it to have it made again")
    return OnnxModel(
        name=network.name,
        onnx_path=directory / MODEL,
        onnx_sha256=facts["onnx_sha256"],
        reference_path=directory / REFERENCE,
        to_onnx_s=facts["to_onnx_s"],
    )


def check_weights(variant: Variant, weights: Weights) -> None:
    """Raise BenchError if the weights cannot be read or do not fit the variant."""
    load_model(variant, weights)


def infer_one_by_one(model: Any, inputs: Floats) -> Outputs:
    """Return PyTorch's outputs for inputs (N, 3, H, W); other runtimes are asked the same way."""
    import torch

    found = []
    with torch.inference_mode():
        for image in inputs:
            outputs = model(torch.from_numpy(image[None]))
            found.append(outputs if isinstance(outputs, tuple) else (outputs,))
    return tuple(torch.cat(one).numpy() for one in zip(*found, strict=True))


def check_onnx(path: Path) -> None:
    """Raise BenchError if the file is not a valid ONNX model."""
    import onnx

    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BenchError(f"ONNX file {path}: fails the checker: {reason}") from error


def _fill(variant: Variant, weights: Weights, directory: Path) -> None:
    model, flushed = load_flushed(variant, weights)
    start = time.perf_counter()
    onnx_path = directory / "model.onnx"
    _export(model, variant, onnx_path)
    to_onnx_s = time.perf_counter() - start
    check_onnx(onnx_path)
    inputs = seeded_inputs(variant.input_shape, _REFERENCE_SEED)
    outputs = infer_one_by_one(model, inputs)
    check_finite(outputs, outputs_of(variant), f"checkpoint {weights.source}", "PyTorch")
    save_outputs(directory / "reference.npz", outputs_of(variant), outputs, inputs=inputs)
    facts = {"onnx_sha256": file_sha256(onnx_path), "to_onnx_s": to_onnx_s}
    facts["flushed_weights"] = flushed
    (directory / "facts.json").write_text(json.dumps(facts))


def _export(model: Any, variant: Variant, path: Path) -> None:
    import torch

    # The exporter warns of torchvision's absence and of its own deprecations, once per export.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (torch.zeros(variant.input_shape),),
            dynamo=True,
            external_data=False,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(outputs_of(variant)),
        )
    assert program is not None
    proto = program.model_proto
    # Stack traces of this machine's paths; without them equal models are equal files.
    del proto.metadata_props[:]
    for entry in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        del entry.metadata_props[:]
    path.write_bytes(proto.SerializeToString(deterministic=True))
