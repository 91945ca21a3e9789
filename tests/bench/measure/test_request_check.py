"""What a run refuses before anything is measured."""

from pathlib import Path

import pytest

from mobilebench.bench.config.suite import make_suite
from mobilebench.bench.measure.request_check import check_request
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.reports.records.store import Run
from mobilebench.targets.errors import BenchError


def test_one_meter_is_not_divided_among_streams(tmp_path: Path) -> None:
    """A run that is resumed with a meter was begun without it."""
    suite = make_suite({"variants": ("mobilenet_v2_0.35_96",), "streams": (1, 2)})
    context = RunContext(Run("run-1", "", {}), suite, (), tmp_path, power_meter="meter")
    nobody: object = None
    with pytest.raises(BenchError, match=r"--power-meter meter: .* has several streams; leave it"):
        check_request(context, nobody, (), nobody)  # type: ignore[arg-type]
