"""The files that checkpoints come in: PyTorch's, safetensors and NumPy's archives."""

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.bench.models.checkpoint_outline import (
    KERAS,
    NPZ,
    PYTORCH,
    SAFETENSORS,
    Inert,
    format_of,
    read_outline,
    unwrapped,
)
from mobilebench.bench.models.checkpoint_refusals import RESAVE, is_of_pytorch
from mobilebench.bench.models.keras_file import read_keras
from mobilebench.targets.errors import BenchError

if TYPE_CHECKING:
    from torch import Tensor

# What PyTorch itself rebuilds tensors and tables from; it refuses those that it does not trust.
_OF_TENSORS = {
    *("torch", "torch._utils", "torch._tensor", "torch.nn.parameter", "torch.serialization"),
    *("torch.storage", "_codecs"),
}
_TRUSTED = ("collections.OrderedDict", "collections.Counter")
_COLOURS = re.compile("\x1b\\[[0-9;]*m")  # of a terminal


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """Return a checkpoint's tensors by their names in the file.

    What lies in nested tables has the tables' names and dots before its own. Objects that are not
    tensors are passed over; none is made. Raises BenchError if the file cannot be read.
    """
    form = format_of(path)
    kind, read = _FORMATS[form]
    try:
        state = read(path)
    except BenchError:
        raise
    except Exception as error:
        if foreign := read_outline(path).foreign:
            raise BenchError(
                f"checkpoint {path}: holds Python objects that cannot be passed over "
                f"({', '.join(foreign[:3])}), and nothing that a file names is run here; {RESAVE}"
            ) from error
        if form == PYTORCH and not is_of_pytorch(path.read_bytes()):
            raise BenchError(
                f"checkpoint {path}: is in no format of checkpoints (PyTorch, safetensors, NumPy's "
                ".npz, Keras)"
            ) from error
        if form == NPZ and "allow_pickle" in str(error):
            raise BenchError(
                f"checkpoint {path}: holds pickled objects and not arrays of numbers; save each "
                "tensor by itself: numpy.savez(FILE, **arrays)"
            ) from error
        reason = _COLOURS.sub("", str(error)).partition("\n")[0] or type(error).__name__
        raise BenchError(
            f"checkpoint {path}: not a readable {kind} ({reason[:160]}); it may be truncated: get "
            "it again"
        ) from error
    tensors = unwrapped(dict(_tensors(state))) if isinstance(state, dict) else {}
    if not tensors:
        raise BenchError(f"checkpoint {path}: holds no state_dict; {RESAVE}")
    return tensors


def _tensors(found: Any, name: str = "") -> "Iterator[tuple[str, Tensor]]":
    import torch

    if isinstance(found, torch.Tensor):
        yield name, found.detach()
    items: Any = ()
    if isinstance(found, dict):
        items = found.items()
    elif isinstance(found, list | tuple):
        items = enumerate(found)
    for key, value in items:
        yield from _tensors(value, f"{name}.{key}" if name else str(key))


class _Dict:
    """What stands for a `defaultdict`: PyTorch fills plain tables alone."""

    def __new__(cls, *_: Any) -> Any:
        return {}


class _List:
    """What stands for a `deque`: PyTorch fills plain lists alone."""

    def __new__(cls, items: Any = (), *_: Any) -> Any:
        return list(items)


_PLAIN: dict[str, type] = {"collections.defaultdict": _Dict, "collections.deque": _List}


def _read_torch(path: Path) -> Any:
    """Load what PyTorch trusts; for every other class that the file names something inert stands.

    So options and loggers that trainers keep beside weights do no harm, and none of them is run.
    """
    import torch

    strange = [
        (_PLAIN.get(name) or type(name, (Inert,), {"name": name}), name)
        for name in read_outline(path).globals
        if name.rpartition(".")[0] not in _OF_TENSORS and name not in _TRUSTED
    ]
    with torch.serialization.safe_globals(strange), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle protocols; what cannot be read is refused
        with path.open("rb") as file:  # by its name PyTorch would take it for safetensors
            return torch.load(file, map_location="cpu", weights_only=True)


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


def _read_keras(path: Path) -> Any:
    import torch

    return {name: torch.from_numpy(array) for name, array in read_keras(path).items()}


_FORMATS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    PYTORCH: ("PyTorch state_dict", _read_torch),
    NPZ: ("NumPy archive", _read_npz),
    KERAS: ("Keras file", _read_keras),
    SAFETENSORS: ("safetensors file", _read_safetensors),
}
