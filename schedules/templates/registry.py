"""Which template schedules a kernel."""

from types import ModuleType

from tvm import s_tir

from schedules.templates import classifier, depthwise, pointwise, pooling, stem

TEMPLATES: tuple[ModuleType, ...] = (stem, pointwise, depthwise, pooling, classifier)


def template_of(schedule: s_tir.Schedule) -> ModuleType | None:
    """Return the template whose core block a kernel has; None for what TVM schedules itself."""
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    names = {schedule.get(block).name_hint for block in blocks}
    return next((template for template in TEMPLATES if template.CORE in names), None)
