"""The network that is taken of a checkpoint, with its head where it usually is.

Whoever fine-tunes may keep the features under a name of their own and put a new layer beside them:
`backbone.features...` and `fc.weight`.
"""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from mobilebench.bench.models.checkpoint_head import linear_layers
from mobilebench.bench.models.checkpoint_keys import TIMM, TORCHVISION, naming_of
from mobilebench.bench.models.checkpoint_parts import Choice
from mobilebench.bench.models.checkpoint_qat import without_observers


class _Shaped(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...


One = TypeVar("One", bound=_Shaped)

_USUAL = "classifier"
_HEADS = (_USUAL, "fc", "head", "last_linear")
_CONVOLUTION = 4  # axes of its weights


def network_in(choice: Choice, entries: Mapping[str, One]) -> dict[str, One]:
    """Return the tensors of the network that was chosen, or whatever is known of them.

    What observed it in training is dropped. A head of linear layers is called `classifier`, if the
    network has none of that name and the head takes as many values as a convolution gives. A head
    that does not fit keeps its name.
    """
    network = without_observers(choice.of(entries))
    if naming_of(network) not in (TORCHVISION, TIMM):
        return network
    beside = {
        name: one for name, one in choice.beside(entries).items() if name.split(".")[0] in _HEADS
    }
    layers = linear_layers(_shapes(network))
    if layers:  # what takes its classes is a layer more
        return network | _reading(beside, network[f"{layers[-1]}.weight"].shape[0])
    widths = {one.shape[0] for one in network.values() if len(one.shape) == _CONVOLUTION}
    for around in (network, beside):
        for head in _HEADS:
            found = {
                f"{_USUAL}{name.removeprefix(head)}": one
                for name, one in around.items()
                if name.startswith(f"{head}.")
            }
            first = next(iter(linear_layers(_shapes(found))), None)
            if first and found[f"{first}.weight"].shape[1] in widths:
                rest = {k: one for k, one in network.items() if not k.startswith(f"{head}.")}
                return rest | found
    return network | beside


def _reading(entries: Mapping[str, One], width: int) -> dict[str, One]:
    """Return the entries if one of them is a linear layer of so many inputs."""
    reads = any(len(one.shape) == 2 and one.shape[1] == width for one in entries.values())
    return dict(entries) if reads else {}


def _shapes(entries: Mapping[str, One]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(one.shape) for name, one in entries.items()}
