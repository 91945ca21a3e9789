"""A template's tiles as a design space of MetaSchedule."""

from typing import Any

from tvm import s_tir
from tvm.s_tir import meta_schedule as ms

from mobilebench.schedules.machine import Machine, Processor
from mobilebench.schedules.templates.task import Task

Tile = Any  # a template's own frozen dataclass


def tiles(task: Task, machine: Processor) -> list[Tile]:
    """Return the tiles worth trying for a task, the default first."""
    own = _own(machine, task)
    found: list[Tile] = task.template.tiles(s_tir.Schedule(task.function), own)
    return found


def default_tile(task: Task, machine: Processor) -> Tile:
    """Return the tile that the template takes if nothing was tuned: the first of `tiles`."""
    return tiles(task, machine)[0]


def schedule_task(task: Task, tile: Tile, machine: Processor) -> s_tir.Schedule:
    """Return the task's kernel with a tile applied."""
    schedule = s_tir.Schedule(task.function)
    task.template.apply(schedule, tile, _own(machine, task))
    return schedule


def _own(machine: Processor, task: Task) -> Processor:
    """Return a processor as it is for the numbers of a task."""
    return machine.computing(task.kind) if isinstance(machine, Machine) else machine


def design_space(task: Task, machine: Processor) -> ms.SpaceGenerator:
    """Return the space in which each tile is one schedule, in the order of `tiles`.

    The number of a tile is sampled as the first step of its trace, so that a record tells which
    one it was.
    """
    choices = tiles(task, machine)

    def schedules(schedule: s_tir.Schedule) -> list[s_tir.Schedule]:
        found = []
        for number, tile in enumerate(choices):
            one = schedule.copy()
            even = [1 / len(choices)] * len(choices)
            one.sample_categorical(list(range(len(choices))), even, decision=number)
            task.template.apply(one, tile, _own(machine, task))
            found.append(one)
        return found

    return ms.space_generator.ScheduleFn(schedules, sch_rules=[], postprocs=[], mutator_probs={})


def tile_number(trace: s_tir.schedule.Trace) -> int:
    """Return which tile a schedule of a design space has."""
    (number,) = trace.decisions.values()
    return int(number)
