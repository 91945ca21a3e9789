"""The files that checkpoints come in: PyTorch's, safetensors and NumPy's archives."""

import pickletools
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.targets.errors import BenchError

if TYPE_CHECKING:
    from torch import Tensor

_PICKLES = 4  # of PyTorch's format before 1.6; the state_dict is the last, raw data follows
_QUANTIZED = (b"QuantizeLinear", b"DequantizeLinear", b"QLinearConv")  # operators of ONNX
_PARALLEL = "module."  # what `torch.nn.DataParallel` puts before every key


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """Return a checkpoint's tensors by their names in the file.

    The ending says what the file is: `.npz`, `.safetensors`, or else a PyTorch `state_dict`, which
    may lie under the key `state_dict` and come from `DataParallel`. Raises BenchError if it cannot
    be read.
    """
    kind, read = _format(path)
    try:
        state = read(path)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BenchError(
            f"checkpoint {path}: not a readable {kind} ({reason[:160]}); it may be truncated: get "
            "it again"
        ) from error
    return _state_dict(state, path)


def read_names(path: Path) -> list[str]:
    """Return what a checkpoint calls its tensors; none if it cannot be read.

    No tensor is loaded and nothing imported, so that the suite's own process may ask. A PyTorch
    file gives every string in it, other ones too.
    """
    try:
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist()]
        if path.suffix.lower() == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, framework="numpy") as file:
                return list(file.keys())
        return list(_strings(path))
    except Exception:  # What is wrong is told when it is loaded.
        return []


def check_is_checkpoint(path: Path, content: bytes) -> None:
    """Raise BenchError for an ONNX network, quantized or not; neither is a checkpoint."""
    if path.suffix.lower() != ".onnx":
        return
    if any(name in content for name in _QUANTIZED):
        raise BenchError(
            f"checkpoint {path}: is a quantized ONNX network; give --weights the float32 "
            "checkpoint that it was made from, and --precision int8"
        )
    raise BenchError(
        f"checkpoint {path}: is an ONNX network; give --weights the checkpoint it was made from"
    )


def _format(path: Path) -> tuple[str, Callable[[Path], Any]]:
    kinds: dict[str, tuple[str, Callable[[Path], Any]]] = {
        ".npz": ("NumPy archive", _read_npz),
        ".safetensors": ("safetensors file", _read_safetensors),
    }
    return kinds.get(path.suffix.lower(), ("PyTorch state_dict", _read_torch))


def _read_torch(path: Path) -> Any:
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _read_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _read_npz(path: Path) -> Any:
    import numpy as np
    import torch

    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    # TensorFlow 2 keeps its graph of objects as text beside the variables.
    return {name: torch.from_numpy(one) for name, one in arrays.items() if one.dtype.kind in "fiu"}


def _state_dict(state: Any, path: Path) -> "dict[str, Tensor]":
    import torch

    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise BenchError(
            f"checkpoint {path}: holds no state_dict; save model.state_dict(), not the model"
        )
    parallel = all(str(key).startswith(_PARALLEL) for key in state)
    return {str(key)[len(_PARALLEL) * parallel :]: tensor for key, tensor in state.items()}


def _strings(path: Path) -> Iterator[str]:
    """Read the strings of a pickled `state_dict` without unpickling it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            data, pickles = archive.read(member), 1
    else:
        data, pickles = path.read_bytes(), _PICKLES
    file = BytesIO(data)
    opcodes = chain.from_iterable(pickletools.genops(file) for _ in range(pickles))
    return (argument for _, argument, _ in opcodes if isinstance(argument, str))
