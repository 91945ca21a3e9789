"""The files that checkpoints come in."""

import subprocess
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mobilebench.bench.models.checkpoint_file import read_tensors
from mobilebench.bench.models.checkpoint_outline import read_outline
from mobilebench.targets.errors import BenchError

STATE = {"MobilenetV2/Conv/weights": torch.arange(6.0).reshape(2, 3), "b.bias": torch.ones(3)}


def save_npz(path: Path) -> None:
    np.savez_compressed(path, **{name: tensor.numpy() for name, tensor in STATE.items()})


def save_older(path: Path) -> None:
    """Save as PyTorch before 1.6 did."""
    torch.save(STATE, path, _use_new_zipfile_serialization=False)


FILES: dict[str, Callable[[Path], None]] = {
    "new.pth": lambda path: torch.save(STATE, path),
    "older.pth.tar": save_older,
    "model.safetensors": lambda path: save_file(STATE, path),
    "slim.npz": save_npz,
    "CAPITALS.NPZ": lambda path: save_npz(path.open("wb")),  # type: ignore[arg-type]
}


@pytest.fixture(params=FILES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a checkpoint in each of the formats."""
    path = tmp_path / request.param
    FILES[request.param](path)
    return path


def test_tensors_are_read(file: Path) -> None:
    tensors = read_tensors(file)
    assert tensors.keys() == STATE.keys()
    assert all(torch.equal(tensors[name], STATE[name]) for name in STATE)


def test_names_are_read_without_pytorch(file: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from mobilebench.bench.models.checkpoint_outline import read_outline\n"
        "for name, one in read_outline(Path(sys.argv[1])).tensors.items():\n"
        "    print(name, one.dtype, *one.shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["MobilenetV2/Conv/weights float32 2 3", "b.bias float32 3"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused_in_one_line(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(BenchError, match=f"checkpoint {file}: not a readable .*get it again") as no:
        read_tensors(file)
    assert "\n" not in str(no.value)


def test_an_unreadable_file_has_no_names(file: Path) -> None:
    for damaged in (b"", b"PK\x03\x04 and no more", b"\x80\x02}q\x00", bytes(range(256))):
        file.write_bytes(damaged)
        assert read_outline(file).tensors == {}


def test_text_in_an_archive_is_ignored(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", graph=np.array(b"of objects"), step=np.array(3), w=np.ones(2))
    assert read_tensors(tmp_path / "a.npz").keys() == {"step", "w"}


def test_python_s_own_containers_beside_the_weights_do_no_harm(tmp_path: Path) -> None:
    beside = {"seen": {1, 2}, "last": deque([1, 2], 5), "runs": Counter("ab")}
    scores = defaultdict(list, {"top1": [70.0]})
    torch.save({"state_dict": defaultdict(None, STATE), **beside, "s": scores}, tmp_path / "a.pth")
    tensors = read_tensors(tmp_path / "a.pth")
    assert tensors.keys() == {f"state_dict.{name}" for name in STATE}
    assert tensors.keys() == read_outline(tmp_path / "a.pth").tensors.keys()


@pytest.mark.parametrize("around", ["_orig_mod", "_fsdp_wrapped_module"])
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_wrappers_in_the_midst_of_names_are_left_out(
    around: str, name: str, tmp_path: Path
) -> None:
    state = {f"features.{around}.0.weight": torch.ones(3), f"{around}.fc.{around}.b": torch.ones(2)}
    (save_file if name.endswith(".safetensors") else torch.save)(state, tmp_path / name)
    names = {"features.0.weight", "fc.b"}
    assert read_tensors(tmp_path / name).keys() == names
    assert read_outline(tmp_path / name).tensors.keys() == names


def test_pickled_objects_in_an_archive_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", weights=np.array([Path()], dtype=object))
    with pytest.raises(BenchError, match=r"evil.npz: holds pickled objects and not arrays"):
        read_tensors(tmp_path / "evil.npz")


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(BenchError, match=r"one.npz: not a readable NumPy archive"):
        read_tensors(tmp_path / "one.npz")


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + bytes(64), bytes(5000)])
def test_what_is_in_no_format_is_not_called_truncated(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(BenchError, match=r"a\.pth: is in no format of checkpoints \(PyTorch, saf"):
        read_tensors(tmp_path / "a.pth")
