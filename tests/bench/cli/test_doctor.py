"""What `mobilebench doctor` reports about optional packages and about the machine."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.cli import doctor
from mobilebench.bench.cli.doctor import CheckResult
from mobilebench.targets.devices.device import DeviceState
from mobilebench.targets.processes.cpu_allowance import CpuAllowance
from mobilebench.targets.sensors.files import LocalFiles
from tests.targets.sensors.trees import write_tree


def result_of(what: str) -> CheckResult:
    return next(one for one in doctor._check_all() if one.what == what)


@pytest.mark.parametrize(("package", "extra"), [("pycocotools", "data"), ("nncf", "nncf")])
def test_a_package_is_reported_as_optional(
    monkeypatch: pytest.MonkeyPatch, package: str, extra: str
) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda _name: None)
    found = result_of(package)
    assert (found.verdict, found.found) == ("advice", "not installed")
    assert found.remedy == f"pip install 'mobilebench[{extra}]'"
    monkeypatch.setattr(doctor, "_installed", lambda _name: "2.0.11")
    assert result_of(package) == CheckResult("ok", package, "2.0.11")


def state(**values: Any) -> DeviceState:
    known = DeviceState(
        "", "pi", "6.6", "x86_64", False, "", "", 2, frozenset({"sse2", "avx2"}), "", None, None,
        None, None, 1.0,
    )  # fmt: skip
    return dataclasses.replace(known, **values)


def test_a_quota_and_a_cpu_without_avx2_are_told() -> None:
    assert list(doctor._check_quiet(state())) == []
    limited = state(allowance=CpuAllowance((0, 1), (0, 1), 1.5), cpu_flags=frozenset({"sse2"}))
    quota, instructions = doctor._check_quiet(limited)
    assert (quota.verdict, quota.found) == ("advice", "1.5 CPUs' time")
    assert (instructions.what, instructions.found) == ("instruction sets", "no AVX2")


ZONE = "/sys/class/powercap/intel-rapl:0"


def test_what_tells_energy_is_named(tmp_path: Path) -> None:
    counter = {
        f"{ZONE}/name": "package-0",
        f"{ZONE}/energy_uj": 1,
        f"{ZONE}/max_energy_range_uj": 9,
    }
    write_tree(tmp_path, dict(counter))
    assert doctor.check_power(LocalFiles(tmp_path)) == CheckResult(
        "ok", "energy", "RAPL: package-0"
    )


def test_a_counter_of_energy_that_root_alone_may_read_is_told_in_one_line(tmp_path: Path) -> None:
    write_tree(tmp_path, {f"{ZONE}/name": "package-0"})
    found = doctor.check_power(LocalFiles(tmp_path))
    assert (found.verdict, found.what) == ("advice", "energy")
    assert found.found == f"{ZONE}/energy_uj can be read by root alone"
    assert found.remedy.endswith("sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj")


def test_a_machine_that_tells_no_power_is_said_to(tmp_path: Path) -> None:
    found = doctor.check_power(LocalFiles(tmp_path))
    assert (found.verdict, found.found) == ("advice", "this machine does not tell its power")
    assert "--power-meter" in found.remedy
