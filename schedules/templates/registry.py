"""Which templates a processor has, and which of them schedules a kernel."""

from types import ModuleType

from tvm import s_tir

from mobilebench.schedules.machine import Gpu, Processor
from mobilebench.schedules.templates import cpu, gpu


def templates_of(machine: Processor) -> ModuleType:
    """Return the package whose modules are a processor's templates, one for each operator."""
    return gpu if isinstance(machine, Gpu) else cpu


def template_of(schedule: s_tir.Schedule, machine: Processor) -> ModuleType | None:
    """Return the template whose core block a kernel has; None for what TVM schedules itself."""
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    names = {schedule.get(block).name_hint for block in blocks}
    package = templates_of(machine)
    templates = (getattr(package, operator) for operator in package.__all__)
    return next((template for template in templates if template.CORE in names), None)
