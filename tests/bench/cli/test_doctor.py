"""What the doctor says of extras."""

import pytest

from mobilebench.bench.cli import doctor
from mobilebench.bench.cli.doctor import Finding


def finding(what: str) -> Finding:
    return next(one for one in doctor._evaluate() if one.what == what)


def test_what_detectors_are_scored_with_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda _name: None)
    found = finding("pycocotools")
    assert (found.verdict, found.found) == ("advice", "not installed")
    assert found.remedy == "pip install 'mobilebench[data]'"
    monkeypatch.setattr(doctor, "_installed", lambda _name: "2.0.11")
    assert finding("pycocotools") == Finding("ok", "pycocotools", "2.0.11")
