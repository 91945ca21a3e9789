"""What a checkpoint holds: names, shapes, and objects that are not tensors.

No tensor is loaded, nothing that the file names is imported or called, and PyTorch is not needed,
so that the suite's own process may ask.
"""

import pickle
import re
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from mobilebench.bench.models.keras_file import H5, KERAS_MEMBER, read_keras
from mobilebench.targets.errors import BenchError

Shape = tuple[int, ...]
_Named = TypeVar("_Named")
PYTORCH, NPZ, SAFETENSORS, KERAS = "PyTorch", "NumPy", "safetensors", "Keras"

_ZIP = b"PK\x03\x04"
PICKLE_MEMBER = "data.pkl"  # of the archive that PyTorch saves
_PREAMBLE = 3  # pickles before the one with the tensors, in PyTorch's format before 1.6
_MAX_DEPTH = 12
_HARMLESS = ("torch", "numpy", "collections", "builtins", "copyreg", "_codecs")
_TENSORS = "torch._utils", "torch._tensor"
_TABLES = ("collections.OrderedDict", "collections.defaultdict", "collections.Counter")
# What torch.compile and PyTorch's ways to train large networks put around a module's name.
_AROUND = re.compile(
    r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
_STORAGE = "Storage"
_DTYPES = {  # what PyTorch calls its storages, and their elements
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
}


@dataclass(frozen=True)
class TensorOutline:
    """A tensor without its values."""

    shape: Shape
    dtype: str = ""  # as PyTorch calls it; empty if it is not known


@dataclass(frozen=True)
class Outline:
    """The tensors of a checkpoint by their names, and the objects of other packages in it.

    What lies in a table has the table's name and a dot before its own.
    """

    tensors: dict[str, TensorOutline] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)  # the class of each, by its name
    modules: dict[str, str] = field(default_factory=dict)  # those that are whole networks
    globals: tuple[str, ...] = ()  # everything that the pickle names

    @property
    def foreign(self) -> tuple[str, ...]:
        """Classes of neither PyTorch, NumPy nor Python's basic ones, in order."""
        return tuple(name for name in self.globals if name.split(".")[0] not in _HARMLESS)


def format_of(path: Path) -> str:
    """Return the format of a checkpoint, by its content; by its ending if that is damaged."""
    with path.open("rb") as file:
        head = file.read(9)
    if is_safetensors(head):
        return SAFETENSORS
    if head.startswith(H5):
        return KERAS
    if head.startswith(_ZIP) and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if KERAS_MEMBER in names:
            return KERAS
        return NPZ if names and all(name.endswith(".npy") for name in names) else PYTORCH
    return {".npz": NPZ, ".safetensors": SAFETENSORS}.get(path.suffix.lower(), PYTORCH)


def is_safetensors(content: bytes) -> bool:
    """Whether a file begins as a safetensors file: a header's length, whatever it is, and JSON."""
    return content[8:9] == b"{" and not content.startswith(_ZIP)


def read_outline(path: Path) -> Outline:
    """Return what a checkpoint holds; an empty outline if it cannot be read."""
    try:
        kind = format_of(path)
        if kind == NPZ:
            return Outline(dict(_npz(path)))
        if kind == SAFETENSORS:
            return Outline(unwrapped(dict(_safetensors(path))))
        if kind == KERAS:
            arrays = read_keras(path).items()
            return Outline({name: TensorOutline(x.shape, x.dtype.name) for name, x in arrays})
        found = _pickled(path)
        return replace(found, tensors=unwrapped(found.tensors))
    except BenchError:
        raise
    except Exception:  # What is wrong is told when it is loaded.
        return Outline()


def unwrapped(tensors: dict[str, _Named]) -> dict[str, _Named]:
    """Return a checkpoint's tensors without what wrappers put into the midst of their names."""
    found = {_AROUND.sub("", name): one for name, one in tensors.items()}
    return found if len(found) == len(tensors) else tensors


class Inert:
    """What stands for an object, a class or a function that a pickle names: it does nothing."""

    name = ""  # of what it stands for
    state: Any = None

    def __new__(cls, *arguments: Any, **_: Any) -> Any:
        """Remember with what the class, or the function, would have been called."""
        made = object.__new__(cls)
        made.arguments = arguments
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        self.arguments: tuple[Any, ...]

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def __call__(self, *_: Any) -> Any:
        """Stand for what a method would return."""
        return self

    def append(self, value: Any) -> None:
        """Take an item, as a list would."""

    def extend(self, values: Any) -> None:
        """Take items, as a list would."""

    def add(self, value: Any) -> None:
        """Take an item, as a set would."""


class _Table(dict[Any, Any]):
    """What stands for dictionaries that are not Python's plain ones."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None: ...


class _Unpickler(pickle.Unpickler):
    """Rebuilds tables; whatever else a pickle names becomes a new inert class."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin-1")  # what Python 2 pickled; others are not affected
        self.globals: dict[str, None] = {}

    def find_class(self, module: str, name: str) -> Any:
        # What Python 2 called it, and protocols before 3 still do.
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f"{module}.{name}"
        self.globals[full] = None
        if full in _TABLES:
            return type(name, (_Table,), {})  # a new one, since a pickle may change it
        return type(name, (Inert,), {"name": full})

    def persistent_load(self, pid: Any) -> Any:
        """Return a storage's tuple: "storage", its class, key, device, number of elements."""
        # Before 1.6 the classes of modules came so too, with their source.
        return pid[1] if pid[0] == "module" else pid


def _pickled(path: Path) -> Outline:
    """Read PyTorch's formats, the archive and the one before 1.6."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            member = next(name for name in names if name.endswith(f"/{PICKLE_MEMBER}"))
            unpickler = _Unpickler(BytesIO(archive.read(member)))
            found = unpickler.load()
    else:
        file = BytesIO(path.read_bytes())
        for _ in range(_PREAMBLE):
            _Unpickler(file).load()
        unpickler = _Unpickler(file)
        found = unpickler.load()
    tensors: dict[str, TensorOutline] = {}
    objects: dict[str, str] = {}
    modules: dict[str, str] = {}
    for name, one in _flat(found):
        if tensor := _tensor(one):
            tensors[name] = tensor
        elif isinstance(one, Inert):
            objects[name] = _class(one)
            if isinstance(one.state, dict) and "_modules" in one.state:
                modules[name] = objects[name]
    objects = {name: one for name, one in objects.items() if not one.startswith(_HARMLESS[1:])}
    return Outline(tensors, objects, modules, tuple(unpickler.globals))


def _flat(found: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield what lies in nested tables and lists, by dotted names."""
    items: Any = ()
    if isinstance(found, dict):
        items = found.items()
    elif type(found) in (list, tuple):
        items = enumerate(found)
    elif isinstance(found, Inert):
        yield name, found
    if depth < _MAX_DEPTH:
        for key, value in items:
            yield from _flat(value, f"{name}.{key}" if name else str(key), depth + 1)


def _tensor(found: Any) -> TensorOutline | None:
    """Return the outline of a tensor from the call that would rebuild it; None if it is none.

    Source: `torch._utils._rebuild_tensor_v2` (storage, offset, size, ...) and
    `_rebuild_parameter` (data, ...).
    """
    if not isinstance(found, Inert) or not found.name.startswith(_TENSORS):
        return None
    inner = found.arguments
    if "parameter" in found.name:
        return _tensor(inner[0]) if inner else None
    if "from_type" in found.name and len(inner) > 2:  # function, class, arguments, state
        return _tensor(inner[0](*inner[2]))
    if len(inner) < 3 or not isinstance(inner[0], tuple):
        return None
    size = inner[2].arguments[0] if isinstance(inner[2], Inert) else inner[2]
    return TensorOutline(tuple(int(one) for one in size), _dtype(inner))


def _dtype(arguments: tuple[Any, ...]) -> str:
    declared = [one.name for one in arguments if isinstance(one, type) and issubclass(one, Inert)]
    if declared:  # of `_rebuild_tensor_v3`, after a storage without a type
        return str(declared[-1]).removeprefix("torch.")
    storage = getattr(arguments[0][1], "__name__", "").removesuffix(_STORAGE)
    return _DTYPES.get(storage, storage.lower())


def _class(found: Inert) -> str:
    """Return the class of an object that a pickle would make."""
    if found.name.startswith("copyreg.") and found.arguments:
        found = found.arguments[0]
    return found.name


def _npz(path: Path) -> Iterator[tuple[str, TensorOutline]]:
    from numpy.lib import format as npy

    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                old = npy.read_magic(file) == (1, 0)
                read = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
                shape, _, dtype = read(file)
            yield name.removesuffix(".npy"), TensorOutline(shape, dtype.name)


def _safetensors(path: Path) -> Iterator[tuple[str, TensorOutline]]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        for name in list(file.keys()):
            one = file.get_slice(name)
            dtype = one.get_dtype().lower()
            long = {"bf": "bfloat", "f": "float", "i": "int", "u": "uint"}
            kind = dtype.rstrip("0123456789")
            yield (
                name,
                TensorOutline(tuple(one.get_shape()), long.get(kind, kind) + dtype[len(kind) :]),
            )
