"""Checkpoints of quantization-aware training: float weights, and observers that watched them.

Source: the modules of `torch.ao.nn.intrinsic.qat`, in which a convolution has its batch norm under
`bn`, and `torch.ao.quantization.fake_quantize`.
"""

import re
from collections.abc import Collection, Mapping
from typing import TypeVar

from mobilebench.bench.models.checkpoint_outline import TensorOutline
from mobilebench.targets.errors import BenchError

One = TypeVar("One")

_OBSERVER = re.compile(r"(.*\.)?(weight_fake_quant|activation_post_process(_\d+)?)\..*")
_STUB = re.compile(r"(.*\.)?(quant|dequant)\.(scale|zero_point)")
_FUSED = re.compile(r"(?P<row>.*)\.(?P<number>\d+)\.bn\.(?P<part>\w+)")
_PACKED = "_packed_params"
_QUANTIZED = ("qint", "quint")


def is_observed(names: Collection[str]) -> bool:
    """Whether a network was being prepared for integers when it was saved."""
    return any(_OBSERVER.fullmatch(name) for name in names)


def without_observers(entries: Mapping[str, One]) -> dict[str, One]:
    """Return a network's tensors without what observed them, batch norms beside convolutions.

    Other networks are returned as they are.
    """
    if not is_observed(entries):
        return dict(entries)
    kept = {}
    for name, one in entries.items():
        if _OBSERVER.fullmatch(name) or _STUB.fullmatch(name):
            continue
        fused = _FUSED.fullmatch(name)
        beside = f"{fused['row']}.{int(fused['number']) + 1}.{fused['part']}" if fused else name
        kept[beside] = one
    return kept


def check_is_float(tensors: Mapping[str, TensorOutline], source: str) -> None:
    """Raise BenchError for a network that was converted to integers."""
    for name, one in tensors.items():
        if one.dtype.startswith(_QUANTIZED) or _PACKED in name:
            raise BenchError(
                f"checkpoint {source}: holds a network that is converted to 8 bits ({name}); give "
                "the checkpoint before its conversion, and --precision int8"
            )
