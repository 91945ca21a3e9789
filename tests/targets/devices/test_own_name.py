"""What this machine is called in records stays the same from night to night."""

import platform

import pytest

from mobilebench.targets.devices import own_name
from mobilebench.targets.devices.own_name import DEVICE_VARIABLE, own_device_name
from mobilebench.targets.processes.cpu_allowance import CpuAllowance

EPYC = "processor\t: 0\nmodel name\t: AMD EPYC 7763  64-Core Processor\n"


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEVICE_VARIABLE, raising=False)
    monkeypatch.setattr(own_name, "local_cpuinfo", lambda: EPYC)
    monkeypatch.setattr(own_name, "own_allowance", lambda: CpuAllowance((1,), tuple(range(8))))


def test_a_host_name_that_changes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for host in ("3f2a9c01be77", "runner-8fk2", "ip-10-0-3-17"):
        monkeypatch.setattr(platform, "node", lambda host=host: host)
        names.add(own_device_name())
    assert names == {"AMD EPYC 7763 64-Core Processor, 8 cores"}


def test_affinity_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = own_device_name()
    monkeypatch.setattr(own_name, "own_allowance", lambda: CpuAllowance((0, 1), tuple(range(8))))
    assert own_device_name() == before


def test_a_name_that_the_user_gives_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "  nightly \n runner ")
    assert own_device_name() == "nightly runner"
    monkeypatch.setenv(DEVICE_VARIABLE, " ")
    assert own_device_name().startswith("AMD EPYC")


def test_one_core_is_no_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_name, "own_allowance", lambda: CpuAllowance((0,), (0,)))
    assert own_device_name().endswith(", 1 core")


def test_without_a_cpu_s_name_it_is_the_host_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_name, "local_cpuinfo", lambda: "")
    assert own_device_name() == (platform.node() or "localhost")
