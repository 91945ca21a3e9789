"""What tells cells apart: the axes along which a suite measures, each declared once.

The store's unique key, the matching of two runs, timelines, frames, confirmations and pages are
derived from the fields of `CellKey`. A new axis is one field here, a field of the same name in
`Record`, and a migration that adds the column.
"""

from collections.abc import Callable, Collection
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Self


def _axis(
    words: Callable[[Any], str] | None = None,
    *,
    in_setup: bool = True,
    planned: bool = True,
    usual: Any = MISSING,
) -> Any:
    """Declare an axis.

    words: says a value as titles do, empty for the usual value; else it is the name and the value.
    in_setup: a table or plot shows one value only; off for what is compared inside of it.
    planned: known before a cell is measured.
    usual: its value where none is said, as in rows that are older than the axis.
    """
    return field(default=usual, metadata={"words": words, "in_setup": in_setup, "planned": planned})


@dataclass(frozen=True, order=True)
class CellKey:
    """What two rows must share before one may be compared with the other."""

    target: str = _axis()
    device: str = _axis(planned=False)  # of a farm's boards, whichever came free
    threads: int = _axis(lambda count: "1 thread" if count == 1 else f"{count} threads")
    precision: str = _axis(lambda name: "" if name == "float32" else name)
    optimize_for: str = _axis(lambda name: "memory preferred" if name == "memory" else "")
    variant: str = _axis(in_setup=False)
    weights: str = _axis(in_setup=False)
    runtime: str = _axis(in_setup=False)
    batch: int = _axis(lambda images: "" if images == 1 else f"batches of {images}", usual=1)
    streams: int = _axis(lambda count: "" if count == 1 else f"{count} streams", usual=1)

    @classmethod
    def of(cls, row: object) -> Self:
        """Return the cell of a record, or of anything else that has the axes as attributes."""
        return cls(**{name: getattr(row, name) for name in cls.names()})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all axes, in order."""
        return tuple(axis.name for axis in fields(cls))

    @classmethod
    def planned_names(cls) -> tuple[str, ...]:
        """Return the axes that are known before a cell is measured: a run measures each once."""
        return tuple(axis.name for axis in fields(cls) if axis.metadata.get("planned", True))

    @classmethod
    def setup_names(cls) -> tuple[str, ...]:
        """Return the axes that rows must share before they may stand side by side in a table."""
        return tuple(axis.name for axis in fields(cls) if axis.metadata.get("in_setup", True))

    @property
    def on_any_device(self) -> Self:
        """The same cell, whichever device it is measured on."""
        return replace(self, device="")

    @property
    def settings(self) -> str:
        """How it is measured, in words: threads, and what is not as usual."""
        names = [name for name in self.setup_names() if name not in ("target", "device")]
        return in_words(self, names)

    @property
    def place(self) -> str:
        """Where and how it is measured, in words."""
        return f"{self.target} on {self.device}, {self.settings}"


def in_words(row: object, axes: Collection[str]) -> str:
    """Return what a row's values along some axes are called; nothing of what is as usual."""
    found = []
    for axis in fields(CellKey):
        if axis.name in axes:
            words, value = axis.metadata.get("words"), getattr(row, axis.name)
            found.append(words(value) if words else f"{axis.name} {value}")
    return ", ".join(filter(None, found))
