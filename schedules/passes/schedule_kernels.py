"""Give every kernel that has a template its schedule."""

from typing import Any

import tvm
from tvm import s_tir, tirx

from schedules.machine import Machine
from schedules.templates.registry import template_of


@tvm.transform.module_pass(opt_level=0, name="ScheduleKernels")
class ScheduleKernels:
    """Apply each template's best guess."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Replace the kernels by their scheduled forms."""
        scheduled = {}
        for name, function in mod.functions_items():
            if isinstance(function, tirx.PrimFunc):
                schedule = s_tir.Schedule(function)
                template = template_of(schedule)
                if template is not None:
                    tile = template.tiles(schedule, self._machine)[0]
                    template.apply(schedule, tile, self._machine)
                    scheduled[name] = schedule.mod["main"].with_attrs(function.attrs)
        result = tvm.IRModule(dict(mod.functions_items()), attrs=mod.attrs)
        result.update(tvm.IRModule(scheduled))
        return result
