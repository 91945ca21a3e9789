"""How a kernel's outputs are dealt out to work items, and those to groups."""

from collections.abc import Sequence
from typing import Any, Protocol

from tvm import s_tir

from mobilebench.schedules.machine import Gpu
from mobilebench.schedules.templates.block import Block, Loop, lanes_for, loops_inside, vectorize

GROUP = 64  # work items, at most: larger groups are harder to find room for on a compute unit
LOAD = 2.0  # of a value or a vector, in multiply-adds of a vector
STEP = 4  # input channels of a product at a time
_SUMS = 0.75  # of a work item's registers, at most; the rest is for weights and pixels
_MOST_PANELS = 8
_MOST_TILES = 16


def divisors(number: int, largest: int) -> list[int]:
    """Return what divides a number, up to a limit, smallest first."""
    return [one for one in range(1, min(number, largest) + 1) if number % one == 0]


def cheapest(found: Sequence[tuple[Any, Any]]) -> list[Any]:
    """Return the tiles worth trying of pairs of a cost and a tile, the cheapest first."""
    return [tile for _, tile in sorted(found, key=lambda entry: entry[0])[:_MOST_TILES]]


def vector_lanes(channels: int, machine: Gpu) -> int:
    """Return the widest vector of a work item that divides a number of channels."""
    return lanes_for(channels, machine.vector_floats)


def panel_vectors(schedule: s_tir.Schedule, core: str, lanes: int) -> int:
    """Return how many vectors wide a panel of the packed weights is."""
    weight = schedule.get(schedule.get_sblock(core)).reads[1].source
    return int(weight.ty.shape[-1]) // lanes


def panels_of(schedule: s_tir.Schedule, core: str, vectors: int, lanes: int) -> list[int]:
    """Return how many vectors of channels, of those that there are, a work item may take.

    They divide the channels, and lie in one panel of the packed weights or are some whole ones.
    """
    panel = panel_vectors(schedule, core, lanes)
    return [one for one in divisors(vectors, _MOST_PANELS) if panel % one == 0 or one % panel == 0]


def fits(pixels: int, panels: int, machine: Gpu) -> bool:
    """Whether a work item can hold so many pixels by vectors of channels, and what makes them."""
    return pixels * panels <= _SUMS * machine.registers


def product_cost(pixels: int, panels: int, items: int, machine: Gpu) -> float:
    """Estimate a matrix product by work items of so many pixels by vectors of channels each."""
    # A CPU makes a vector of each of a pixel's values; other work items multiply by them as are.
    values = pixels * (STEP if machine.subgroup == 1 else 1)
    work = STEP * pixels * panels + LOAD * (values + STEP * panels)
    return work * max(items, machine.busy_items)


def group_shape(across: int, along: int, machine: Gpu, together: int = 0) -> tuple[int, int]:
    """Return how many of some work items, across and along, are a group; `together` across, if any.

    Both divide the numbers of items, so that none is without work. Neighbours across read
    neighbouring channels, so that is where a group grows first.
    """
    limit = min(GROUP, machine.work_group)

    def merit(shape: tuple[int, int]) -> tuple[float, int]:
        items = shape[0] * shape[1]
        in_step = -(-items // machine.subgroup) * machine.subgroup
        return (items * items / in_step, shape[0])

    counts = [together] if together else divisors(across, limit)
    shapes = [(x, y) for x in counts for y in divisors(along, max(1, limit // x))]
    return max(shapes, key=merit)


def bind(schedule: s_tir.Schedule, axes: dict[str, Loop]) -> None:
    """Bind loops to axes of work groups (`blockIdx.x`) and of work items (`threadIdx.x`)."""
    for axis, loop in axes.items():
        schedule.bind(loop, axis)


class PixelTile(Protocol):
    """What the tiles of templates for windows have in common."""

    @property
    def columns(self) -> int:
        """Pixels of a row that a work item computes."""
        ...

    @property
    def across(self) -> int:
        """Work items of a group, by channels."""
        ...

    @property
    def along(self) -> int:
        """Work items of a group, by columns."""
        ...


def bind_pixels(
    schedule: s_tir.Schedule,
    loops: Sequence[Loop],
    tile: PixelTile,
    lanes: int,
    inside: Sequence[Loop],
) -> tuple[Loop, Loop, Loop]:
    """Deal out the loops over rows, columns and channels of an image to work items.

    An item computes `tile.columns` pixels of a row by so many lanes of channels; neighbours in a
    group take neighbouring channels, then neighbouring columns. Loops `inside` an item go around
    those. Returns the loop of items, and the item's own over columns and over lanes.
    """
    y, x, channel = loops
    x, x_item, column = schedule.split(x, [None, tile.along, tile.columns])
    group, item, lane = schedule.split(channel, [None, tile.across, lanes])
    schedule.reorder(y, x, group, x_item, item, *inside, column, lane)
    bind(
        schedule,
        {
            "blockIdx.z": y,
            "blockIdx.y": x,
            "blockIdx.x": group,
            "threadIdx.y": x_item,
            "threadIdx.x": item,
        },
    )
    return item, column, lane


def in_registers(schedule: s_tir.Schedule, core: Block, number: int) -> Block:
    """Return the block that brings one of a core's inputs into a work item's registers.

    It is the one that computes the input (padding, conversion from half), or else a copy.
    """
    source = schedule.get(core).reads[number].source
    for producer in schedule.get_producers(core):
        if schedule.get(producer).writes[0].source.same_as(source):
            schedule.set_scope(producer, 0, "local")
            return producer
    return schedule.cache_read(core, number, "local")


def load_at(schedule: s_tir.Schedule, block: Block, loop: Loop, lanes: int) -> None:
    """Have a block fill its registers inside a loop, a vector at a time."""
    schedule.compute_at(block, loop)
    vectorize(schedule, loops_inside(schedule, block, loop), lanes)
