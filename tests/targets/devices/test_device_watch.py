"""Files of a device that are read there while it computes."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.connection import Connector
from mobilebench.targets.devices.device import Device
from mobilebench.targets.devices.device_watch import DeviceWatch
from mobilebench.targets.devices.probe import build_probe
from mobilebench.targets.sensors.files import LocalFiles
from mobilebench.targets.sensors.power import Reading
from mobilebench.targets.sensors.sensors import find_sensors
from mobilebench.targets.toolchains.toolchain import find_toolchain
from tests.waiting import wait_until, wait_until_ended


@pytest.fixture
def device(cache_dir: Path) -> Iterator[Device]:
    """Return a session on a server of this machine."""
    connector = Connector(find_target("native"), 1, None, cache_dir)
    connection = connector.connect()
    yield Device(connection, build_probe(find_toolchain("host"), cache_dir))
    connection.close()
    connector.close()


def watchers() -> int:
    """Return how many processes the servers' sessions have started."""
    servers = psutil.Process().children()
    return sum(len(session.children()) for server in servers for session in server.children())


def test_a_directory_of_the_device_is_listed(device: Device, tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).touch()
    assert device.list_names(str(tmp_path)) == ["a", "b"]
    assert device.list_names(str(tmp_path / "nowhere")) == []


def test_a_device_has_the_sensors_that_its_files_tell_of(device: Device) -> None:
    assert find_sensors(device) == find_sensors(LocalFiles())


def test_a_long_text_is_read_whole(device: Device, tmp_path: Path) -> None:
    (tmp_path / "long").write_text("x" * 100_001)
    assert device.read_text(str(tmp_path / "long")) == "x" * 100_001
    assert device.read_text(str(tmp_path)) == ""


def test_values_are_read_again_and_again_until_the_watch_is_closed(
    device: Device, tmp_path: Path
) -> None:
    value, nowhere = tmp_path / "value", str(tmp_path / "nowhere")
    value.write_text("262143328850\n")
    watch = DeviceWatch(device, [str(value), nowhere], 0.001)
    readings: list[Reading] = []

    def has(number: float) -> bool:
        readings.extend(watch.take())
        return bool(readings) and readings[-1].values == {str(value): number}

    wait_until(lambda: has(262143328850.0), "the first value")
    value.write_text("-17 mA\n")
    wait_until(lambda: has(-17.0), "the next value")
    times = [one.time_s for one in readings]
    assert times == sorted(times)
    assert watchers() == 1
    watch.close()
    assert watchers() == 0
    assert watch.take() == []


def test_a_watch_ends_with_its_session(cache_dir: Path, tmp_path: Path) -> None:
    connector = Connector(find_target("native"), 1, None, cache_dir)
    device = Device(connector.connect(), build_probe(find_toolchain("host"), cache_dir))
    DeviceWatch(device, ["/proc/uptime"], 0.01)
    (process,) = [
        child
        for server in psutil.Process().children()
        for session in server.children()
        for child in session.children()
    ]
    connector.close()
    wait_until_ended(process)
