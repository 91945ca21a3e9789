"""`mobilebench report --serve`: a running run is seen as it fills its store, until Ctrl-C."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from mobilebench.reports.records.store import Run, Store
from tests.reports.conftest import RUN, make_record
from tests.waiting import HANG_S, wait_until

__all__ = ["make_record"]  # the fixture


def page_of(url: str) -> str:
    with urlopen(url) as answer:
        return str(answer.read().decode())


def test_rows_are_served_while_they_are_written_until_ctrl_c(
    start: Callable[..., Any], make_record: Any, tmp_path: Path
) -> None:
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        store.begin_run(Run(RUN, "2026-01-02T03:04:05+00:00", {}))
        with start("report", "--serve", "--port", "0") as process:
            try:
                said = process.stdout.readline()
                assert said.startswith("report: http://127.0.0.1:"), process.stderr.read()
                assert said.rstrip().endswith("(No rows yet); Ctrl-C ends it")
                url = said.split()[1]
                assert "No rows yet" in page_of(url)
                for variant in ("mobilenet_v2_0.5_96", "mobilenet_v2_1.0_224"):
                    store.add(make_record(variant))
                    wait_until(lambda: variant in page_of(url), f"{variant} there")  # noqa: B023
                process.send_signal(signal.SIGINT)
                told, errors = process.communicate(timeout=HANG_S)
            finally:
                process.kill()
    assert (process.returncode, errors) == (0, "")
    assert told.startswith("no longer served")
    assert not (tmp_path / "mobilebench-report").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--serve", "--host", "0.0.0.0"], "can read all results; use a tunnel to 127.0.0.1"),
        (["--serve", "--host", "here"], "host 'here': give the address of a network interface"),
        (["--serve", "--out", "pages"], "--serve writes no directory; leave out --out"),
        (["--serve", "--port", "65536"], "--port must be a whole number from 0 to 65535"),
        (["--port", "8000"], "--port is for --serve"),
        (["--insecure-bind"], "--insecure-bind is for --serve"),
        (["--serve"], "mobilebench.sqlite"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    mobilebench: Any, arguments: list[str], said: str
) -> None:
    done = mobilebench("report", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line
