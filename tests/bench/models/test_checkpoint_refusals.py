"""Files that are no checkpoints."""

import io
import pickle
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mobilebench.bench.models.find_weights import find_weights
from mobilebench.targets.errors import BenchError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 14212972\n"


class Doubled(torch.nn.Module):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 2 * input


def script(path: Path) -> None:
    torch.jit.save(torch.jit.script(Doubled()), str(path))


def program(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:  # as torch.export.save names what it writes
        for name in ("archive_format", "models/model.json", "data/weights/weight_0"):
            archive.writestr(f"net/{name}", b"x")


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/mobilenet.pth", b"x")


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("mobilenet.pth"), io.BytesIO())


FILES: dict[str, tuple[Callable[[Path], object] | bytes, str]] = {
    "one.npy": (b"\x93NUMPY\x01\x00" + bytes(64), "is a single NumPy array; give all of them"),
    "empty.pth": (b"", "is empty.*; get it again"),
    "pointer.pth": (POINTER, "is a Git LFS pointer.*`git lfs pull`"),
    "page.pth": (b"\n<!DOCTYPE html>\n<html><title>Sign in</title>", "is an HTML page"),
    "page.safetensors": (b"<html lang=en>", "is an HTML page"),
    "page.onnx": (b"<html lang=en>", "is an HTML page"),
    "denied.pth": (
        b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message>",
        r"is a storage's error message \(AccessDenied: Access Denied\).*may need a login",
    ),
    "error.safetensors": (
        b'{"error": "Repository not found"}',
        r"is an error message in JSON \(Repository not found\)",
    ),
    "index.json": (b'{"weight_map": {"a": "b"}}', "is a JSON document; that is no checkpoint"),
    "notes.pth": (b"Top-1 is 71.9 %\nafter", r"is a text file \('Top-1 is 71.9 %'\)"),
    "net.tflite": (b"\x1c\0\0\0TFL3" + bytes(20), "is a TensorFlow Lite network"),
    "lite.pth": (b"\x20\0\0\0TFL3" + bytes(20), "is a TensorFlow Lite network"),
    "script.pt": (script, r"is a TorchScript archive.*torch\.jit\.load"),
    "net.pt2": (program, "is an exported PyTorch program"),
    "plain.pkl": (
        lambda path: path.write_bytes(pickle.dumps({"w": np.ones(3)})),
        r"a Python pickle that torch\.save did not write",
    ),
    "zipped.pth": (zipped, r"ZIP archive of other files \(weights/mobilenet.pth\); unpack"),
    "net.pth.gz": (b"\x1f\x8b\x08\0", "is a gzip archive; unpack"),
    "net.pth.tar": (tarred, "is a tar archive; unpack"),
    "model.ckpt-1.index": (b"\0\0\0", r"part of a TensorFlow checkpoint; make an \.npz"),
    "model.ckpt-1.data-00000-of-00001": (b"\0\0\0", "part of a TensorFlow checkpoint"),
    "frozen.pb": (b"\x0a\x10", "is a TensorFlow graph"),
    "net.xml": (b"<?xml version='1.0'?><net>", "is an OpenVINO network"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_checkpoint_is_refused_as_what_it_is(name: str, tmp_path: Path) -> None:
    made, expected = FILES[name]
    path = tmp_path / name
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        made(path)
    with pytest.raises(BenchError, match=expected) as refusal:
        find_weights(str(path), tmp_path)
    sentence = str(refusal.value)
    assert sentence.startswith(f"checkpoint {path}: ")
    assert "\n" not in sentence
    assert "truncated" not in sentence


def test_a_safetensors_file_is_read_whatever_its_first_byte_is(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    for length in range(0, 256, 8):  # of the header, of which the file begins with the length
        save_file({"one": torch.ones(2)}, path, {"remark": "x" * length})
        if path.read_bytes().startswith(b"\x80"):  # as pickles do
            break
    else:
        pytest.fail("no header of that length")
    assert find_weights(str(path), tmp_path).sha256


def test_a_file_of_keras_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    with pytest.raises(BenchError, match=r"h5py is not installed; pip install 'mobilebench\[keras"):
        find_weights(str(tmp_path / "net.h5"), tmp_path)
