"""Checkpoints that are not a whole network yet: what each is, and how to make one of it.

Source: the names that PyTorch's FSDP, pruning and parametrizations, DeepSpeed, PEFT and PyTorch's
optimizers give to what they save.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from mobilebench.bench.models.checkpoint_outline import TensorOutline
from mobilebench.targets.errors import BenchError

_MERGE = "merge them where they were made (model.merge_and_unload()), and save the state_dict"
_ONE = "save them as one, with save_pretrained(FOLDER, max_shard_size='1GB')"
_ZERO = "make one of them with its zero_to_fp32.py, and give that file"
_JOINED = (
    "make one of it with `python -m torch.distributed.checkpoint.format_utils dcp_to_torch`, and "
    "give that file"
)
# Names of tensors, and what has them.
_NAMES = (
    (
        re.compile(r"(.*\.)?_?flat_param(_\d+)?"),
        "is of FSDP, which has flattened the weights ({}); save a full state_dict "
        "(get_model_state_dict with full_state_dict=True)",
    ),
    (re.compile(r".*(\.|_)lora_[AB]\..*"), f"has LoRA's adapters ({{}}); {_MERGE}"),
    (
        re.compile(r".*single_partition_of_fp32_groups.*"),
        f"is one of DeepSpeed's files ({{}}), which hold parts of the weights; {_ZERO}",
    ),
    (
        re.compile(r".*\.parametrizations\..*"),
        "has a parametrized layer ({}); call torch.nn.utils.parametrize.remove_parametrizations, "
        "and save the state_dict",
    ),
    (
        re.compile(r".*\.(weight|bias)_mask"),
        "is pruned, with masks beside the weights ({}); call torch.nn.utils.prune.remove, and save "
        "the state_dict",
    ),
)
_STATE = re.compile(r"(.*\.)?state\.\d+\.\w+")  # of an optimizer
_SHARD = re.compile(r".*-\d{5}-of-(?!00001)\d{5}\.\w+")
_WEIGHT = ".weight"  # observers of ranges may be empty
_FOLDERS = (
    (".metadata", f"is a distributed checkpoint of PyTorch; {_JOINED}"),
    ("adapter_config.json", f"has LoRA's adapters alone; {_MERGE}"),
    ("*model_states.pt", f"is DeepSpeed's, with parts of the weights in several files; {_ZERO}"),
    ("global_step*", f"is DeepSpeed's, with parts of the weights in several files; {_ZERO}"),
)


def check_is_whole(path: Path, tensors: Mapping[str, TensorOutline]) -> None:
    """Raise BenchError for a file that holds a part of a network, or none yet."""
    if _SHARD.fullmatch(path.name):
        raise BenchError(f"checkpoint {path}: is one of the files of a network; {_ONE}")
    for pattern, problem in _NAMES:
        for name in tensors:
            if pattern.fullmatch(name):
                raise BenchError(f"checkpoint {path}: {problem.format(name)}")
    if empty := [
        name for name, one in tensors.items() if 0 in one.shape and name.endswith(_WEIGHT)
    ]:
        raise BenchError(
            f"checkpoint {path}: has tensors without elements ({empty[0]}), as DeepSpeed leaves "
            f"them whose weights lie in several files; {_ZERO}"
        )
    if tensors and all(map(_STATE.fullmatch, tensors)):
        raise BenchError(
            f"checkpoint {path}: holds the state of an optimizer alone; give the file with the "
            "network's weights"
        )


def check_is_no_part(folder: Path) -> None:
    """Raise BenchError for a folder in which a network is split, or beside which one is."""
    for name, problem in _FOLDERS:
        if next(folder.glob(name), None):
            raise BenchError(f"checkpoint {folder}: {problem}")
