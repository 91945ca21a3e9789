"""What `--model` names: ONNX files, or folders with one, each read in a process that may crash."""

from collections.abc import Sequence
from pathlib import Path

from mobilebench.bench.models.onnx_file import parse_shape
from mobilebench.bench.models.onnx_folder import onnx_in
from mobilebench.bench.models.onnx_network import OnnxNetwork
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import Worker, WorkerError

_READER = "mobilebench.bench.models.own_network"
_HASH_MARK = "#sha256="


def find_models(
    sources: Sequence[str], input_shape: str, cache_dir: Path, time_limit_s: float
) -> tuple[OnnxNetwork, ...]:
    """Return the networks of ONNX files, or of folders with one, by their paths.

    Each path may end in `#sha256=HASH`.
    Two paths to the same content are one network. Raises BenchError for a file that cannot be
    measured, or is not the one that the hash names.
    """
    shape = parse_shape(input_shape)
    if shape and not sources:
        raise BenchError(f"--input-shape {input_shape}: is a --model's; a variant's name says it")
    found: dict[tuple[str, str], OnnxNetwork] = {}
    for source in sources:
        path, _, digest = source.partition(_HASH_MARK)
        network = _read(Path(path), shape, cache_dir, time_limit_s)
        if digest and digest.lower() != network.sha256:
            raise BenchError(f"model {path}: its SHA-256 is {network.sha256[:16]}..., not {digest}")
        found.setdefault((network.name, network.sha256), network)
    return tuple(found.values())


def pinned(network: OnnxNetwork) -> str:
    """Return a network's path with its hash, so that a resumed run notices another file there."""
    return f"{network.source}{_HASH_MARK}{network.sha256}"


def _read(
    path: Path, shape: tuple[int, ...] | None, cache_dir: Path, time_limit_s: float
) -> OnnxNetwork:
    path = onnx_in(path) if path.is_dir() else path
    if not path.is_file():  # without a process for it
        raise BenchError(f"model {path}: no such file; give --model an ONNX file")
    try:
        with Worker(_READER) as reader:
            network: OnnxNetwork = reader.call(
                "read_network", path, shape, cache_dir, timeout_s=time_limit_s
            )
            return network
    except WorkerError as error:
        raise BenchError(f"model {path}: cannot be read: {error}") from error
