"""Give every kernel that has a template its schedule."""

from typing import Any

import tvm
from tvm import tirx
from tvm.s_tir.schedule.schedule import ScheduleError

from mobilebench.schedules.databases.lookup import Lookup
from mobilebench.schedules.machine import Gpu, Processor
from mobilebench.schedules.templates.cpu.plain import schedule_plainly
from mobilebench.schedules.templates.space import default_tile, schedule_task
from mobilebench.schedules.templates.task import Task, task_of


@tvm.transform.module_pass(opt_level=0, name="ScheduleKernels")
class ScheduleKernels:
    """Apply the tile that tuning found, or else the template's default.

    On a CPU what no template knows gets plain loops over vectors.
    """

    def __init__(self, machine: Processor, lookup: Lookup) -> None:
        self._machine = machine
        self._lookup = lookup

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Replace the kernels by their scheduled forms."""
        scheduled = {}
        for name, function in mod.functions_items():
            if not isinstance(function, tirx.PrimFunc):
                continue
            task = task_of(function, self._machine)
            schedule = self._plain(function) if task is None else self._scheduled(task)
            if schedule is not None:
                scheduled[name] = schedule.mod["main"].with_attrs(function.attrs)
        result = tvm.IRModule(dict(mod.functions_items()), attrs=mod.attrs)
        result.update(tvm.IRModule(scheduled))
        return result

    def _scheduled(self, task: Task) -> Any:
        tile = self._lookup.tile(task) or default_tile(task, self._machine)
        try:
            return schedule_task(task, tile, self._machine)
        except ScheduleError:
            return self._plain(task.function)  # fused with what its template does not expect

    def _plain(self, function: Any) -> Any:
        return None if isinstance(self._machine, Gpu) else schedule_plainly(function, self._machine)
