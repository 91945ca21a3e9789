"""Packages that are not there."""

import sys

import pytest

from mobilebench.bench.extras import import_extra
from mobilebench.targets.errors import BenchError


def test_an_installed_package_is_imported() -> None:
    assert import_extra("json.decoder", "data").JSONDecoder


def test_a_missing_package_is_reported_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    expected = r"pycocotools is not installed; pip install 'mobilebench\[data\]'"
    with pytest.raises(BenchError, match=expected):
        import_extra("pycocotools.coco", "data")
