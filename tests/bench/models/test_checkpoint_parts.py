"""Networks in the tables and wrappers of trainers, raw and averaged."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mobilebench.bench.models.checkpoint_file import read_tensors
from mobilebench.bench.models.checkpoint_parts import choose_part
from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError

TINY = parse_variant("mobilenet_v2_0.35_32")
STEM = "features.0.0.weight"
State = dict[str, Any]


# Of a network its first layer and its last; nothing else is looked for in a file.
STATE: State = {
    STEM: torch.arange(432.0).reshape(16, 3, 3, 3),
    "features.0.1.running_mean": torch.ones(16),
    "classifier.1.weight": torch.ones(2, 3),
}
OTHER: State = {name: tensor + 1 for name, tensor in STATE.items()}


def read(path: Path, weights: Weights) -> State:
    """Return the tensors that a run would load, under the network's own names."""
    tensors = read_tensors(path)
    return choose_part(tensors, weights.part, str(path)).of(tensors)


def same(first: State, second: State) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def prefixed(state: State, prefix: str) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


WRAPPERS: dict[str, Callable[[State], State]] = {
    "state_dict": lambda state: {"epoch": 3, "state_dict": state},
    "model": lambda state: {"model": state, "optimizer": {"state": {0: {"step": torch.ones(1)}}}},
    "model_state_dict": lambda state: {"loss": 0.5, "model_state_dict": state},
    "model_ema": lambda state: {"model_ema": prefixed(state, "module.")},
    "state_dict_ema": lambda state: {"state_dict_ema": state},
    "lightning": lambda state: {"state_dict": prefixed(state, "model."), "callbacks": {}},
    "compiled": lambda state: prefixed(state, "_orig_mod."),
    "parallel twice": lambda state: prefixed(state, "module.module."),
    "all of them": lambda state: {"a": {"b": prefixed(state, "module._orig_mod.model.net.")}},
    "parameters": lambda state: {name: torch.nn.Parameter(tensor, requires_grad=False)
                                 for name, tensor in state.items()},
    "a criterion beside it": lambda state: {
        "state_dict": prefixed(state, "model.") | {"criterion.weight": torch.ones(1000)}
    },
}  # fmt: skip


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("archive", [True, False])
def test_a_wrapped_network_is_the_network(wrapper: str, archive: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(WRAPPERS[wrapper](STATE), path, _use_new_zipfile_serialization=archive)
    weights = find_weights(str(path), tmp_path)
    assert weights.label == "a.pth"
    assert weights.remarks == ()
    assert same(read(path, weights), STATE)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    model = load_model(TINY, Weights(seed=7)).to(dtype)
    torch.save({"model": model.state_dict()}, tmp_path / "a.pth")
    loaded = load_model(TINY, find_weights(str(tmp_path / "a.pth"), tmp_path))
    for name, tensor in model.float().state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
        assert loaded.state_dict()[name].dtype == tensor.dtype


BESIDE: dict[str, Callable[[State, State], tuple[State, str, str]]] = {
    "timm": lambda raw, ema: (
        {"state_dict": raw, "state_dict_ema": ema}, "state_dict", "state_dict_ema"
    ),
    "torchvision": lambda raw, ema: (
        {"model": raw, "model_ema": prefixed(ema, "module.") | {"n_averaged": torch.ones(1)}},
        *("model", "model_ema"),
    ),
    "lightning": lambda raw, ema: (
        {"state_dict": prefixed(raw, "model.") | prefixed(ema, "ema_model.module.")},
        *("state_dict.model", "state_dict.ema_model"),
    ),
    "swa": lambda raw, ema: (
        {"net": raw, "better": prefixed(ema, "module.") | {"n_averaged": torch.ones(1)}},
        *("net", "better"),
    ),
    "at the top": lambda raw, ema: (raw | prefixed(ema, "ema."), "raw", "ema"),
}  # fmt: skip


@pytest.mark.parametrize("trainer", BESIDE)
def test_averaged_weights_are_taken_and_raw_ones_on_request(trainer: str, tmp_path: Path) -> None:
    state, raw, averaged = BESIDE[trainer](OTHER, STATE)
    path = tmp_path / "a.pth"
    torch.save(state, path)
    weights = find_weights(str(path), tmp_path)
    assert weights.label == f"a.pth#{averaged}"
    assert weights.notes == (f"takes {averaged}; {raw} beside it can be had with #part=NAME",)
    assert same(read(path, weights), STATE)
    asked = find_weights(f"{path}#part={raw}", tmp_path)
    assert asked.label == f"a.pth#{raw}"
    assert same(read(path, asked), OTHER)
    assert find_weights(asked.pinned_source, tmp_path) == asked


def test_averages_without_statistics_take_the_raw_ones(tmp_path: Path) -> None:
    averaged = {name: one for name, one in STATE.items() if "running" not in name}
    torch.save({"model": OTHER, "ema": averaged}, tmp_path / "a.pth")
    mean = "features.0.1.running_mean"
    found = read(tmp_path / "a.pth", find_weights(str(tmp_path / "a.pth"), tmp_path))
    assert same(found, averaged | {mean: OTHER[mean]})


def test_averages_under_strange_names_are_remarked_on(tmp_path: Path) -> None:
    shadows = [torch.ones(3)] * 10
    torch.save({"model": STATE, "ema": {"shadow_params": shadows}}, tmp_path / "a.pth")
    (remark,) = find_weights(str(tmp_path / "a.pth"), tmp_path).remarks
    assert "ema.shadow_params.0" in remark
    assert "the raw ones are used" in remark


def test_one_of_several_networks_must_be_named() -> None:
    names = [f"{whose}.{STEM}" for whose in ("student", "teacher")]
    with pytest.raises(BenchError, match=r"a\.pth: holds several networks \(student, teacher\); .*"
                                         "#part=NAME"):  # fmt: skip
        choose_part(names, "", "a.pth")
    assert choose_part(names, "teacher", "a.pth").of(dict.fromkeys(names, 1)) == {STEM: 1}
    with pytest.raises(BenchError, match=r"a\.pth: part 'teachers'; did you mean teacher"):
        choose_part(names, "teachers", "a.pth")


def test_python_objects_beside_the_weights_are_named_and_passed_over(tmp_path: Path) -> None:
    beside: State = {"args": argparse.Namespace(lr=0.1), "best": np.float64(71.9), "p": Path()}
    state = beside | {"model": STATE}
    for archive in (True, False):
        torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=archive)
        weights = find_weights(str(tmp_path / "a.pth"), tmp_path)
        assert same(read(tmp_path / "a.pth", weights), STATE)
        assert re.search(r"objects .*argparse\.Namespace, pathlib\.\w+", weights.notes[0])


@pytest.mark.parametrize("archive", [True, False])
def test_a_pickled_model_is_refused_by_its_name(archive: bool, tmp_path: Path) -> None:
    model, name = torch.nn.Conv2d(1, 1, 1), r"torch\.nn\.modules\.conv\.Conv2d"
    for whole, where in ((model, ""), ({"epoch": 3, "model": model}, "under 'model' ")):
        torch.save(whole, tmp_path / "a.pth", _use_new_zipfile_serialization=archive)
        with pytest.raises(BenchError, match=rf"holds {where}a pickled object of {name}"):
            find_weights(str(tmp_path / "a.pth"), tmp_path)


def test_nothing_that_a_file_names_is_called(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "touched",)

    state = {"model": STATE, "evil": Evil()}
    for archive in (True, False):
        torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=archive)
        weights = find_weights(str(tmp_path / "a.pth"), tmp_path)
        with pytest.raises(BenchError, match=r"cannot be passed over \(pathlib\.Path, "):
            read(tmp_path / "a.pth", weights)
        assert not (tmp_path / "touched").exists()
