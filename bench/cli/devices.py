"""`mobilebench devices`: the devices that can be used now, with their hardware and state."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rich.table import Table

from mobilebench.bench.cache import cache_directory
from mobilebench.bench.cli.tables import make_table, or_dash, print_table
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.sessions import open_device
from mobilebench.targets.catalog.target import Target, all_targets, find_target
from mobilebench.targets.devices.device import DeviceState
from mobilebench.targets.devices.farm import TRACKER_VARIABLE, Farm, find_farm
from mobilebench.targets.devices.own_name import own_device_name
from mobilebench.targets.errors import BenchError, NoDeviceError
from mobilebench.targets.opencl.accelerator import Accelerator
from mobilebench.targets.processes.worker import START_LIMIT_S, Worker, WorkerError
from mobilebench.targets.rpc.tracker import Queue, parse_tracker, queues

_NO_TARGET = "no target uses this key"
_WAIT_S = 20.0  # for boards that the tracker has just reported as free


def devices_command(tracker: str) -> None:
    """Print this machine, or every board of a tracker; raises BenchError if it does not answer."""
    tracker = tracker or os.environ.get(TRACKER_VARIABLE, "")
    if tracker:
        print_table(_boards_table(tracker))
        return
    config = MeasurementConfig(find_target("native"), 1, START_LIMIT_S, cache_directory())
    device, state = open_device(config)
    device.close()
    state = replace(state, accelerator=_opencl())
    table = make_table("device", "description")
    for key, value in _describe(state).items():
        table.add_row(key, value)
    for target in all_targets():
        if target.emulated and (farm := _emulated(target)):
            table.add_row("emulated", f"{target.name} at tracker {farm.tracker}")
    print_table(table)


def _opencl() -> Accelerator | None:
    """Return this machine's first OpenCL device; None if it has none."""
    config = MeasurementConfig(find_target("opencl"), 1, START_LIMIT_S, cache_directory())
    try:
        device, state = open_device(config)
    except (BenchError, WorkerError):
        return None
    device.close()
    return state.accelerator


def _emulated(target: Target) -> Farm | None:
    try:
        return find_farm(target, None, cache_directory())
    except BenchError:
        return None


def _boards_table(tracker: str) -> Table:
    table = make_table("key", "address", "state", "description")
    found = queues(parse_tracker(tracker))
    for queue in found:
        for row in _rows(queue, tracker):
            table.add_row(queue.key, *row)
    if not any(queue.boards for queue in found):
        table.caption = f"no boards are registered at tracker {tracker}"
    return table


def _rows(queue: Queue, tracker: str) -> Iterator[list[str]]:
    """Describe every board of a key; all free ones are asked at the same time."""
    target = next((one for one in all_targets() if one.tracker_key == queue.key), None)
    described: dict[str, str] = {}
    if target is not None and queue.free:
        farm = Farm(parse_tracker(tracker), wait_s=_WAIT_S)
        config = MeasurementConfig(target, 1, START_LIMIT_S, cache_directory(), farm)
        with ThreadPoolExecutor(queue.free) as pool:
            answers = list(pool.map(lambda _: _ask(config), range(queue.free)))
        for (
            worker,
            _,
        ) in (
            answers
        ):  # each session stayed open until all had answered, or one board could answer twice
            if worker:
                worker.close()
        for _, answer in answers:
            if isinstance(answer, DeviceState):
                said = _describe(answer).items()
                described[answer.address] = ", ".join(f"{k} {v}" for k, v in said if v != "-")
            else:
                yield ["-", "no answer", answer]
    for address in queue.boards:
        if address in described:
            yield [address, "free", described[address]]
        else:
            yield [address, "busy" if target else "unknown", "" if target else _NO_TARGET]


def _ask(config: MeasurementConfig) -> tuple[Worker | None, DeviceState | str]:
    try:
        return open_device(config)
    except (BenchError, NoDeviceError, WorkerError) as error:
        return None, str(error)


def _describe(state: DeviceState) -> dict[str, str]:
    memory = state.memory_total_bytes
    return {
        "name": state.name if state.address else own_device_name(),
        "OpenCL": state.accelerator.name if state.accelerator else "-",
        "CPU": state.cpu_model or "-",
        "usable CPUs": state.allowance.words if state.allowance.cpus else "-",
        "frequency": or_dash(state.cpu_mhz, ".0f", " MHz"),
        "governor": state.cpu_governor or "-",
        "temperature": or_dash(state.temperature_c, ".1f", " °C"),
        "load, 1 min": or_dash(state.load_1m),
        "memory": "-" if memory is None else f"{memory / 1e9:.1f} GB",
        "kernel": state.os,
        "TVM": state.tvm_version or "-",
        "calibration kernel": f"{state.calibration_ms:.2f} ms",
    }
