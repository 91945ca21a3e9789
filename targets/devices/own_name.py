"""What this machine is called in records."""

import os
import platform

from mobilebench.targets.catalog.instruction_sets import local_cpuinfo
from mobilebench.targets.devices.proc_files import cpu_model
from mobilebench.targets.processes.cpu_allowance import own_allowance

DEVICE_VARIABLE = "MOBILEBENCH_DEVICE"


def own_device_name() -> str:
    """Return this machine's name in records: $MOBILEBENCH_DEVICE, or its CPU and its cores.

    Not its host name: containers and rented machines get another one every night, and their
    histories would end each time. Where Linux tells no CPU, it is the host name.
    """
    if given := " ".join(os.environ.get(DEVICE_VARIABLE, "").split()):
        return given
    model, cores = " ".join(cpu_model(local_cpuinfo()).split()), len(own_allowance().online)
    if not model or not cores:
        return platform.node() or "localhost"
    return f"{model}, {cores} core{'' if cores == 1 else 's'}"
