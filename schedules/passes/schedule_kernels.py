"""Give every kernel that has a template its schedule."""

from typing import Any

import tvm
from tvm import tirx

from mobilebench.schedules.databases.lookup import Lookup
from mobilebench.schedules.machine import Processor
from mobilebench.schedules.templates.space import default_tile, schedule_task
from mobilebench.schedules.templates.task import task_of


@tvm.transform.module_pass(opt_level=0, name="ScheduleKernels")
class ScheduleKernels:
    """Apply the tile that tuning found, or else the template's default."""

    def __init__(self, machine: Processor, lookup: Lookup) -> None:
        self._machine = machine
        self._lookup = lookup

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Replace the kernels by their scheduled forms."""
        scheduled = {}
        for name, function in mod.functions_items():
            task = task_of(function, self._machine) if isinstance(function, tirx.PrimFunc) else None
            if task is not None:
                tile = self._lookup.tile(task) or default_tile(task, self._machine)
                schedule = schedule_task(task, tile, self._machine)
                scheduled[name] = schedule.mod["main"].with_attrs(function.attrs)
        result = tvm.IRModule(dict(mod.functions_items()), attrs=mod.attrs)
        result.update(tvm.IRModule(scheduled))
        return result
