"""The tile of templates that have nothing to choose."""

from dataclasses import dataclass

from tvm import s_tir

from mobilebench.schedules.machine import Machine


@dataclass(frozen=True)
class Tile:
    """There is nothing to choose."""


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the one way."""
    return [Tile()]
