"""A device waits for a camera's frames by itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.connection import Connector
from mobilebench.targets.devices.device import Device
from mobilebench.targets.devices.probe import AWAIT_FRAME, build_probe
from mobilebench.targets.toolchains.toolchain import find_toolchain

PERIOD_NS = 2_000_000


@pytest.fixture
def device(cache_dir: Path) -> Iterator[Device]:
    """Return a session on a server of this machine."""
    connector = Connector(find_target("native"), 1, None, cache_dir)
    yield Device(connector.connect(), build_probe(find_toolchain("host"), cache_dir))
    connector.close()


def frames_of(device: Device, calls: int) -> list[tuple[int, int]]:
    """Await frames; return the number of each, and when it was begun."""
    wait: Callable[[], Any] = device.session.get_function(AWAIT_FRAME)
    for _ in range(calls):
        wait()
    lines = str(device.probe_function("frames")()).splitlines()
    return [(int(number), int(begun)) for number, begun in map(str.split, lines)]


def test_each_call_returns_when_a_later_frame_has_come(device: Device) -> None:
    device.probe_function("begin_frames")(PERIOD_NS)
    found = frames_of(device, 50)
    assert found[0] == (0, 0)
    numbers = [number for number, _ in found]
    assert numbers == sorted(set(numbers))
    assert all(begun >= number * PERIOD_NS for number, begun in found)


def test_a_new_beginning_forgets_the_frames_before(device: Device) -> None:
    for _ in range(2):
        device.probe_function("begin_frames")(PERIOD_NS)
        assert len(frames_of(device, 3)) == 3


@pytest.mark.parametrize("period", [0, -1])
def test_frames_without_time_between_them_are_refused(device: Device, period: int) -> None:
    with pytest.raises(Exception, match="give the time between frames in nanoseconds"):
        device.probe_function("begin_frames")(period)


def test_nobody_waits_for_frames_that_nobody_asked_for(device: Device) -> None:
    with pytest.raises(Exception, match="begin_frames was not called"):
        device.session.get_function(AWAIT_FRAME)()
