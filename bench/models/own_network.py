"""A network of one's own, from its ONNX file to what is compiled and what it is compared with."""

import json
import re
import time
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.bench.cache import cached, content_key, file_sha256, source_key
from mobilebench.bench.models.huggingface import name_of
from mobilebench.bench.models.onnx_canonical import canonical, shapes_of, with_shape
from mobilebench.bench.models.onnx_facts import (
    is_quantized,
    layout_of,
    puts_out_probabilities,
    size_of_graph,
    task_of,
)
from mobilebench.bench.models.onnx_file import input_shape_of, read_model
from mobilebench.bench.models.onnx_folder import images_beside
from mobilebench.bench.models.onnx_in_pytorch.elementwise import UNKNOWN
from mobilebench.bench.models.onnx_in_pytorch.network import (
    Network,
    infer_each,
    opset_of,
    unknown_operators,
)
from mobilebench.bench.models.onnx_network import OnnxNetwork, Shape
from mobilebench.bench.models.outputs import (
    Floats,
    Inputs,
    Outputs,
    check_finite,
    save_outputs,
    seeded_inputs,
)
from mobilebench.targets.errors import BenchError

MODEL, REFERENCE, FACTS = "model.onnx", "reference.npz", "facts.json"
_SEED = 2018
_LONGEST_NAME = 80
_ROUNDING = 1e-6


def read_network(path: Path, given_shape: Shape | None, cache_dir: Path) -> OnnxNetwork:
    """Read an ONNX file, and make what is compiled of it and what it is compared with.

    `given_shape` is the input's, where the file leaves it open. Raises BenchError for a file that
    cannot be measured, saying why.
    """
    path = path.absolute()
    model, sha256 = read_model(path)
    value, shape = input_shape_of(model, given_shape, path, _usual_shape(path))
    name = _name(path, given_shape)
    directory = _directory(name, sha256, shape, cache_dir)

    def fill(scratch: Path) -> None:
        start = time.perf_counter()
        fixed = with_shape(model, value.name, shape)
        found = canonical(fixed, value.name, path)
        (scratch / MODEL).write_bytes(found.SerializeToString(deterministic=True))
        shapes = shapes_of(found)
        layout = layout_of(found, "input", shape)
        outputs = tuple((one.name, shapes[one.name]) for one in found.graph.output)
        missing = next(iter(unknown_operators(fixed.graph)), "")
        network = OnnxNetwork(
            name=name,
            source=str(path),
            sha256=sha256,
            given_shape=given_shape,
            input_shape=shape,
            layout=layout,
            outputs=outputs,
            task=task_of(found, layout, shape, outputs),
            quantized=is_quantized(found),
            probabilities=puts_out_probabilities(found),
            missing=missing,
            rounding_error=0.0,
            **asdict(size_of_graph(found)),
        )
        taken_s = time.perf_counter() - start
        inputs = seeded_inputs(shape, _SEED)
        network, answers = _answered(fixed, network, inputs)
        network = replace(network, constant=_is_constant(answers))
        save_outputs(scratch / REFERENCE, dict(outputs), answers, inputs=inputs)
        facts = {
            "network": asdict(network),
            "onnx_sha256": file_sha256(scratch / MODEL),
            "to_onnx_s": taken_s,
        }
        (scratch / FACTS).write_text(json.dumps(facts))

    cached(directory, fill)
    facts = json.loads((directory / FACTS).read_text())
    return _network(facts["network"] | {"source": str(path)})


def prepared(network: OnnxNetwork, cache_dir: Path) -> tuple[Path, dict[str, Any]]:
    """Return the directory of what was made of a network, made again if it is gone, and its facts.

    Raises BenchError if the file is another one by now.
    """
    directory = _directory(network.name, network.sha256, network.input_shape, cache_dir)
    if not directory.is_dir():
        again = read_network(Path(network.source), network.given_shape, cache_dir)
        if again.sha256 != network.sha256:
            raise BenchError(f"model {network.source}: has changed since the run began")
    facts: dict[str, Any] = json.loads((directory / FACTS).read_text())
    return directory, facts


def _answered(model: Any, network: OnnxNetwork, inputs: Floats) -> tuple[OnnxNetwork, Outputs]:
    """Return PyTorch's answers in float64, or ONNX Runtime's and what PyTorch has no form of."""
    import torch

    missing = network.missing
    if not missing:
        try:
            exact, usual = (
                infer_each(Network(model.graph, opset_of(model), kind), inputs)
                for kind in (torch.float64, torch.float32)
            )
        except BenchError as error:  # an operator of a kind that it has no form of
            missing = str(error).removeprefix(UNKNOWN).removesuffix(" is not known")
        else:
            for outputs in (exact, usual):
                _check_finite(outputs, network, "PyTorch")
            rounding = 0.0 if network.quantized else _distance(usual, exact)
            return replace(network, rounding_error=rounding), exact
    network = replace(network, missing=missing)
    found = answers_of_onnx_runtime(model, network, inputs)
    _check_finite(found, network, "ONNX Runtime")
    return network, found


def _is_constant(outputs: Outputs) -> bool:
    """Whether all inputs have the same answers, but for rounding."""
    return all(np.ptp(one, axis=0).max() <= _ROUNDING * np.abs(one).max() for one in outputs)


def _check_finite(outputs: Outputs, network: OnnxNetwork, reference: str) -> None:
    names = [name for name, _ in network.outputs]
    check_finite(outputs, names, f"model {network.source}", reference)


def _distance(found: Outputs, expected: Outputs) -> float:
    """Return the largest relative L2 error of an output of an input."""
    errors = [0.0]
    for one, other in zip(found, expected, strict=True):
        rows, right = (each.reshape(len(each), -1).astype(np.float64) for each in (one, other))
        norms = np.linalg.norm(right, axis=1)
        errors += [
            float(np.linalg.norm(row - target) / norm)
            for row, target, norm in zip(rows, right, norms, strict=True)
            if norm > 0
        ]
    return max(errors)


def answers_of_onnx_runtime(model: Any, network: OnnxNetwork, inputs: Inputs) -> Outputs:
    """Return ONNX Runtime's answers; raises BenchError if it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise BenchError(
            f"model {network.source}: PyTorch has no operator {network.missing} to compare with; "
            "ONNX Runtime has: pip install 'mobilebench[baselines]'"
        ) from error
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4  # what it refuses is raised, too
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), quiet, providers=["CPUExecutionProvider"]
        )
        (name,) = (one.name for one in session.get_inputs())
        found = [session.run(None, {name: one[None]}) for one in inputs]
    except Exception as error:  # its own kinds have no family
        reason = str(error).strip().splitlines()[0][:200]
        raise BenchError(
            f"model {network.source}: cannot be computed; PyTorch has no form of "
            f"{network.missing}, and ONNX Runtime says: {reason}"
        ) from error
    return tuple(np.concatenate(each).astype(np.float32) for each in zip(*found, strict=True))


def _usual_shape(path: Path) -> Shape | None:
    """Return the input's shape (1, C, H, W) that the files beside declare; None if they do not."""
    images = images_beside(path)
    if images is None or not images.sides:
        return None
    return (1, images.channels or 3, images.sides[0], images.sides[-1])


def _name(path: Path, given_shape: Shape | None) -> str:
    called = name_of(path)
    stem = path.stem if called == path.name else called  # of a folder with a file like all others
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("._-")[:_LONGEST_NAME] or "network"
    return f"{stem}_{'x'.join(map(str, given_shape))}" if given_shape else stem


def _directory(name: str, sha256: str, shape: Shape, cache_dir: Path) -> Path:
    versions = [_version(one) for one in ("torch", "onnx", "onnxscript", "onnxruntime")]
    here = Path(__file__).parent
    sources = source_key(*sorted(here.glob("onnx_*.py")), here / "onnx_in_pytorch", Path(__file__))
    key = content_key(sha256, shape, versions, sources)
    return cache_dir / "onnx" / f"{name}-{key}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _network(table: dict[str, Any]) -> OnnxNetwork:
    """Return a network from JSON, where tuples are lists."""
    outputs = tuple((name, tuple(shape)) for name, shape in table["outputs"])
    given = table["given_shape"]
    return OnnxNetwork(
        **table
        | {
            "outputs": outputs,
            "input_shape": tuple(table["input_shape"]),
            "given_shape": tuple(given) if given else None,
        }
    )
