"""Checkpoints that are not a whole network yet."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError

ONE = torch.ones(4)
FILES: dict[str, tuple[dict[str, Any], str]] = {
    "fsdp.pth": (
        {"model": {"_fsdp_wrapped_module._flat_param": ONE}},
        r"of FSDP, which has flattened the weights .*full_state_dict=True",
    ),
    "lora.pth": (
        {"base_model.model.classifier.1.lora_A.default.weight": ONE},
        r"LoRA's adapters \(base_model.*lora_A.*merge_and_unload",
    ),
    "optim_states.pt": (
        {"optimizer_state_dict": {"single_partition_of_fp32_groups": [ONE]}},
        r"one of DeepSpeed's files .*zero_to_fp32\.py",
    ),
    "model_states.pt": (
        {"module": {"features.0.0.weight": torch.empty(0)}},
        r"tensors without elements \(module\.features\.0\.0\.weight\), as DeepSpeed leaves",
    ),
    "normed.pth": (
        {"classifier.1.parametrizations.weight.original0": ONE},
        r"a parametrized layer .*remove_parametrizations",
    ),
    "pruned.pth": (
        {"features.1.conv.1.weight_orig": ONE, "features.1.conv.1.weight_mask": ONE},
        r"is pruned, with masks .*prune\.remove",
    ),
    "adam.pth": (
        {"optimizer": {"state": {0: {"step": ONE, "exp_avg": ONE}}, "param_groups": [{"lr": 0.1}]}},
        "holds the state of an optimizer alone",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_part_of_a_network_is_refused_as_what_it_is(name: str, tmp_path: Path) -> None:
    content, expected = FILES[name]
    torch.save(content, tmp_path / name)
    with pytest.raises(BenchError, match=expected) as refusal:
        find_weights(str(tmp_path / name), tmp_path)
    assert "\n" not in str(refusal.value)


def test_one_of_several_files_is_refused_and_an_only_one_is_read(tmp_path: Path) -> None:
    state = load_model(parse_variant("mobilenet_v2_0.35_32"), Weights(seed=3)).state_dict()
    shard, only = (tmp_path / f"model-00001-of-0000{count}.safetensors" for count in (2, 1))
    for path in (shard, only):
        save_file(state, path)
    assert find_weights(str(only), tmp_path).classes == 1000
    with pytest.raises(BenchError, match="is one of the files of a network; save them as one"):
        find_weights(str(shard), tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".metadata", "a distributed checkpoint of PyTorch; make one of it with `python -m torch"),
        ("adapter_config.json", "has LoRA's adapters alone; merge them"),
        ("global_step10/mp_rank_00_model_states.pt", r"is DeepSpeed's.*zero_to_fp32\.py"),
        ("mp_rank_00_model_states.pt", "is DeepSpeed's"),
        ("model.onnx", "a folder with an ONNX file; give it by --model"),
    ],
)
def test_a_folder_of_parts_is_refused_as_what_it_is(name: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    with pytest.raises(BenchError, match=reason):
        find_weights(str(tmp_path / "run"), tmp_path)


def test_an_archive_of_pickled_objects_is_not_called_truncated(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", state=np.array({"one": 1}, dtype=object))
    variant = parse_variant("mobilenet_v2_0.35_32")
    with pytest.raises(BenchError, match="holds pickled objects and not arrays") as refusal:
        load_model(variant, Weights(source=str(tmp_path / "net.npz")))
    assert "truncated" not in str(refusal.value)


def test_the_moments_of_an_optimizer_are_no_averaged_weights(tmp_path: Path) -> None:
    model = load_model(parse_variant("mobilenet_v2_0.35_32"), Weights(seed=3))
    adam = torch.optim.Adam(model.parameters(), amsgrad=True)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    adam.step()
    state = {"model": model.state_dict(), "optimizer": adam.state_dict()}
    torch.save(state, tmp_path / "last.pth")
    weights = find_weights(str(tmp_path / "last.pth"), tmp_path)
    assert (weights.notes, weights.remarks) == ((), ())
