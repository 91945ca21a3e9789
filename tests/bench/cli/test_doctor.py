"""What `mobilebench doctor` reports about optional packages."""

import pytest

from mobilebench.bench.cli import doctor
from mobilebench.bench.cli.doctor import CheckResult


def result_of(what: str) -> CheckResult:
    return next(one for one in doctor._check_all() if one.what == what)


def test_pycocotools_is_reported_as_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda _name: None)
    found = result_of("pycocotools")
    assert (found.verdict, found.found) == ("advice", "not installed")
    assert found.remedy == "pip install 'mobilebench[data]'"
    monkeypatch.setattr(doctor, "_installed", lambda _name: "2.0.11")
    assert result_of("pycocotools") == CheckResult("ok", "pycocotools", "2.0.11")
