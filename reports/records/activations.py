"""What a network's activations need, as plain data that the store keeps beside a record."""

from dataclasses import asdict, dataclass
from typing import Any, Self

LATENCY_PLAN, MEMORY_PLAN = "TVM, latency", "TVM, memory"
PATTERN_PLAN, ARENA = "onnxruntime, pattern", "onnxruntime, arena"


@dataclass(frozen=True)
class Largest:
    """How many channels tensors of one spatial size have."""

    height: int
    width: int
    channels: int  # the most, of all tensors
    kept_channels: int  # of those that section 5.1 of the MobileNetV2 paper leaves; 0: of none
    bottlenecks: tuple[int, ...]  # of all outputs of inverted residuals, each once


@dataclass(frozen=True)
class OperatorMemory:
    """One operator while it runs."""

    name: str  # its kind, and height, width and channels of what it writes
    live_bytes: int  # what it reads and writes, and what is kept for later


@dataclass(frozen=True)
class Activations:
    """Needs of the graph and plans of the runtimes, without the network's input and outputs.

    The graph's operators have their activations fused into them, and run in the file's order.
    """

    element_bytes: int  # 4 at float32
    input_bytes: int
    output_bytes: int
    sizes: tuple[Largest, ...]  # the largest grid first
    steps: tuple[OperatorMemory, ...]
    total_bytes: int  # every tensor in a place of its own
    offsets_bytes: int  # greedy by size (Pisarchyk and Lee, arXiv 2001.03288)
    plans: dict[str, int]  # bytes by name, of the runtime that a record is about
    loaded_heap_bytes: int | None = None  # of its process when the model was loaded
    used_heap_bytes: int | None = None  # when all inferences were done

    @property
    def working_set_bytes(self) -> int:
        """The most that is alive in one step: no plan that runs operators whole is below it."""
        return max((step.live_bytes for step in self.steps), default=0)

    @property
    def fullest(self) -> int:
        """The number of that step, from 0."""
        return max(range(len(self.steps)), key=lambda number: self.steps[number].live_bytes)

    @property
    def added_heap_bytes(self) -> int | None:
        """What inferences have added to the heap of the process and left there."""
        if self.loaded_heap_bytes is None or self.used_heap_bytes is None:
            return None
        return self.used_heap_bytes - self.loaded_heap_bytes

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON has."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read what `to_json` returned."""
        sizes = tuple(
            Largest(**(one | {"bottlenecks": tuple(one["bottlenecks"])})) for one in values["sizes"]
        )
        steps = tuple(OperatorMemory(**one) for one in values["steps"])
        return cls(**(values | {"sizes": sizes, "steps": steps}))
