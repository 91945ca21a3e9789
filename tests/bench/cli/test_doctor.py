"""What `mobilebench doctor` reports about optional packages and about the machine."""

import dataclasses
from typing import Any

import pytest

from mobilebench.bench.cli import doctor
from mobilebench.bench.cli.doctor import CheckResult
from mobilebench.targets.devices.device import DeviceState
from mobilebench.targets.processes.cpu_allowance import CpuAllowance


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
