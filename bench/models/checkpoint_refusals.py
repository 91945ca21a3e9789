"""Files that are no checkpoints: what each is, and what to do instead."""

import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from mobilebench.bench.models.checkpoint_outline import PICKLE_MEMBER, Outline, is_safetensors
from mobilebench.bench.models.keras_file import KERAS_MEMBER
from mobilebench.bench.wrong_file import what_is_said
from mobilebench.targets.errors import BenchError

_QUANTIZED = (b"QuantizeLinear", b"DequantizeLinear", b"QLinearConv")  # operators of ONNX
RESAVE = "where it was made, torch.save(model.state_dict(), FILE), and give that file"
_UNPACK = "unpack it, and give the checkpoint in it"
_CONVERT = "make an .npz archive of it, as the guide to checkpoints shows"
# What files begin with.
_BEGINNINGS = (
    (b"\x1f\x8b", f"is a gzip archive; {_UNPACK}"),
    (b"BZh", f"is a bzip2 archive; {_UNPACK}"),
    (b"\xfd7zXZ", f"is an xz archive; {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"is a Zstandard archive; {_UNPACK}"),
    (b"7z\xbc\xaf", f"is a 7-Zip archive; {_UNPACK}"),
    (b"Rar!", f"is a RAR archive; {_UNPACK}"),
    (b"\x93NUMPY", "is a single NumPy array; give all of them in one .npz (numpy.savez)"),
    (b"GGUF", "is a GGUF file of language models; give --weights a MobileNetV2 checkpoint"),
)
_ENDINGS = {
    ".distcp": "is part of a distributed checkpoint of PyTorch; give --weights its folder",
    ".index": f"is part of a TensorFlow checkpoint; {_CONVERT}",
    ".meta": f"is part of a TensorFlow checkpoint; {_CONVERT}",
    ".pb": "is a TensorFlow graph; give --weights the checkpoint it was frozen from",
    ".mlmodel": "is a Core ML network; give --weights the checkpoint it was made from",
    ".mnn": "is an MNN network; give --weights the checkpoint it was made from",
    ".param": "is an ncnn network; give --weights the checkpoint it was made from",
    ".xml": "is an OpenVINO network; give --weights the checkpoint it was made from",
}
_TFLITE = b"TFL3"  # at byte 4; the identifier of the FlatBuffers schema
_TAR = b"ustar"  # at byte 257
_OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # before 1.6: its magic number, pickled
_PICKLE, _ZIP = b"\x80", b"PK\x03\x04"


def check_is_checkpoint(path: Path, content: bytes) -> None:
    """Raise BenchError for what is recognised as something else, saying what it is.

    What is damaged or unknown is told when it is read.
    """
    if is_safetensors(content):  # whose first bytes may be those of a pickle
        return
    for problem in _problems(path, content):
        raise BenchError(f"checkpoint {path}: {problem}")


def is_of_pytorch(content: bytes) -> bool:
    """Whether a file begins as what torch.save writes, or is empty."""
    return not content or content.startswith((_ZIP, _OLD_TORCH))


def check_is_no_object(path: Path, outline: Outline) -> None:
    """Raise BenchError if an object was pickled in the place of tensors, naming its class."""
    found = outline.modules or outline.objects
    if found:
        where, name = next(iter(found.items()))
        what = f"under {where!r} " if where else ""
        raise BenchError(
            f"checkpoint {path}: holds {what}a pickled object of {name}, and nothing that a file "
            f"names is run here; {RESAVE}"
        )
    if outline.foreign and not outline.tensors:
        raise BenchError(
            f"checkpoint {path}: holds Python's {outline.foreign[0]} and no tensors, and nothing "
            f"that a file names is run here; {RESAVE}"
        )


def _problems(path: Path, content: bytes) -> Iterator[str]:
    if not content:
        yield "not a readable checkpoint (it is empty); get it again"
    head, ending = content[:512], path.suffix.lower()
    yield from (problem for beginning, problem in _BEGINNINGS if head.startswith(beginning))
    if ending not in _ENDINGS and (said := what_is_said(content)):
        yield f"is {said}; that is no checkpoint"
    if head[4:8] == _TFLITE:
        yield "is a TensorFlow Lite network; give --weights the checkpoint it was converted from"
    if head[257:262] == _TAR:
        yield f"is a tar archive; {_UNPACK}"
    if ending == ".onnx":
        yield _onnx(content)
    if content.startswith(_ZIP) and zipfile.is_zipfile(BytesIO(content)):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            yield from _archive(archive.namelist())
    if head.startswith(_PICKLE) and not head.startswith(_OLD_TORCH):
        yield (
            "is a Python pickle that torch.save did not write, and nothing pickled is run here; "
            "make a dictionary of tensors of it, torch.save that, and give that file"
        )
    ending = ".index" if ".data-0" in path.name else ending
    if ending in _ENDINGS:
        yield _ENDINGS[ending]


def _onnx(content: bytes) -> str:
    if any(name in content for name in _QUANTIZED):
        return (
            "is a quantized ONNX network; give --weights the float32 checkpoint that it was made "
            "from, and --precision int8"
        )
    return "is an ONNX network; give --weights the checkpoint it was made from"


def _archive(names: Sequence[str]) -> Iterator[str]:
    """Yield what a ZIP archive is that is neither PyTorch's nor NumPy's."""
    inner = {name.partition("/")[2] for name in names}
    if PICKLE_MEMBER in inner:
        if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
            yield (
                "is a TorchScript archive, a program and not a checkpoint; "
                "torch.save(torch.jit.load(FILE).state_dict(), OTHER), and give that file"
            )
    elif "archive_format" in inner or "models/model.json" in inner:
        yield f"is an exported PyTorch program, not a checkpoint; {RESAVE}"
    elif KERAS_MEMBER not in names and not (names and all(n.endswith(".npy") for n in names)):
        listed = ", ".join(list(names)[:3])
        yield f"is a ZIP archive of other files ({listed}); {_UNPACK}"
