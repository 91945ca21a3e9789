"""Opens and closes sessions on a target's device, and describes the device."""

from functools import partial

from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.session_pool import SessionPool
from mobilebench.schedules.precision import FLOAT16
from mobilebench.targets.catalog.target import CPU, Target
from mobilebench.targets.devices.device import (
    DeviceState,
    cool_down,
    require_flags,
    require_half,
    with_limits,
)
from mobilebench.targets.errors import BenchError, NoDeviceError
from mobilebench.targets.processes.worker import Worker, WorkerError


def open_device(
    config: MeasurementConfig, cpus: frozenset[int] = frozenset()
) -> tuple[Worker, DeviceState]:
    """Return a worker that holds a session to the target's device, and the device's state.

    On this machine it may be kept to some CPUs. Raises what the worker raises, and NoDeviceError if
    no board is free within the farm's wait.
    """
    device = (config.sessions or SessionPool()).take(cpus)
    limit_s = config.time_limit_s
    wait_s = config.farm.wait_s if config.farm else 0.0
    try:
        where = (config.target, config.threads, config.cache_dir, config.farm)
        device.call("configure", *where, timeout_s=limit_s)
        device.call("wait", timeout_s=limit_s + wait_s)
        device.call("connect", timeout_s=limit_s)
        cool_down(config.target, partial(device.call, "temperature_c", timeout_s=limit_s))
        return device, device.call("begin", timeout_s=limit_s)
    except BaseException:
        device.close()
        raise


def close_device(config: MeasurementConfig, device: Worker) -> None:
    """End a session after a measurement without errors."""
    if config.sessions and device.alive:
        config.sessions.give_back(device, config.time_limit_s)
    else:
        device.close()


def device_state(config: MeasurementConfig) -> DeviceState:
    """Return the state of a target's device; raises what `open_device` raises."""
    device, state = open_device(config)
    close_device(config, device)
    return state


def probe_target(config: MeasurementConfig, precision: str, architecture: str = "") -> Target:
    """Return the config's target with the limits that its device reports.

    Raises BenchError if no device can be reached, or if the device cannot run code for the target
    (at that precision, and of the `architecture` if one is given).
    """
    target = config.target
    try:
        state = device_state(config)
    except NoDeviceError as error:
        raise BenchError(f"target {target.name}: {error}") from error
    except WorkerError as error:
        raise BenchError(f"target {target.name}: {error}; see `mobilebench doctor`") from error
    require_flags(target, state)
    if architecture not in ("", state.architecture):
        raise BenchError(
            f"target {target.name}: its device runs {state.architecture} code, not {architecture}"
        )
    if precision == FLOAT16 and target.device_type != CPU:  # a CPU computes in float32
        require_half(target, state)
    return with_limits(target, state)
