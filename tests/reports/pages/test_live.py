"""A report that follows a store: what is served, and that open pages load themselves again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from mobilebench.reports.errors import ReportError
from mobilebench.reports.pages.live import LiveReport
from mobilebench.reports.pages.live_server import LiveServer
from mobilebench.reports.pages.report_page import write_report
from mobilebench.reports.records.store import Run, Store
from tests.reports.browser import Browser
from tests.reports.conftest import RUN
from tests.waiting import wait_until

LOOPBACK = "127.0.0.1"


@pytest.fixture
def live(store: Store, tmp_path: Path) -> LiveReport:
    directory = tmp_path / "live"
    directory.mkdir()
    return LiveReport(store, ["latest"], directory)


@pytest.fixture
def server(live: LiveReport) -> Iterator[LiveServer]:
    with LiveServer(live, LOOPBACK, 0) as started:
        yield started


def get(server: LiveServer, name: str = "") -> bytes:
    with urlopen(server.url + name) as answer:
        found: bytes = answer.read()
        return found


def test_before_the_first_row_a_page_says_so(live: LiveReport, server: LiveServer) -> None:
    assert not live.refresh()
    assert b"<h1>No rows yet</h1>" in get(server)


def test_the_report_is_written_anew_when_there_are_new_rows(
    live: LiveReport, server: LiveServer, store: Store, make_record: Any
) -> None:
    store.add(make_record())
    assert live.refresh()
    before = json.loads(get(server, "live.json"))
    assert before["said"].startswith(f"1 row of run {RUN}, at ")
    assert not live.refresh()
    assert live.state.version == before["version"]
    store.add(make_record("mobilenet_v2_0.5_96", status="wrong", error="it is off"))
    assert live.refresh()
    after = json.loads(get(server, "live.json"))
    assert after["version"] != before["version"]
    page = get(server, "index.html").decode()
    assert "it is off" in page
    assert after["version"] in page


def test_the_newest_run_is_followed_as_soon_as_it_has_rows(
    live: LiveReport, server: LiveServer, store: Store, make_record: Any
) -> None:
    store.add(make_record())
    live.refresh()
    store.begin_run(Run("next", "2027-01-02T03:04:05+00:00", {}))
    assert not live.refresh()
    store.add(make_record(run_id="next", runtime="torch"))
    assert live.refresh()
    assert "Run next, started" in get(server).decode()


def test_a_run_that_is_not_there_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no run 'tonite'"):
        LiveReport(store, ["tonite"], tmp_path).refresh()


def test_other_files_are_served_as_they_are_and_nothing_outside(
    live: LiveReport, server: LiveServer, store: Store, make_record: Any, tmp_path: Path
) -> None:
    store.add(make_record())
    live.refresh()
    assert get(server, "records.csv") == (tmp_path / "live" / "records.csv").read_bytes()
    for name in ("none.html", "../store.sqlite", "..%2Fstore.sqlite", "%2Fetc%2Fpasswd", "."):
        with pytest.raises(HTTPError, match="404"):
            get(server, name)


@pytest.mark.parametrize(
    ("host", "code"), [("localhost:9", 200), ("[::1]", 200), ("pc.example", 403)]
)
def test_a_web_page_whose_name_leads_here_reads_nothing(
    live: LiveReport, server: LiveServer, host: str, code: int
) -> None:
    request = Request(server.url, headers={"Host": host})
    if code == 200:
        with urlopen(request) as answer:
            assert answer.status == code
        return
    with pytest.raises(HTTPError, match=str(code)):
        urlopen(request)


def test_a_page_works_without_scripts(
    live: LiveReport, server: LiveServer, store: Store, make_record: Any
) -> None:
    store.add(make_record())
    live.refresh()
    head, _, body = get(server).decode().partition("</head>")
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in head
    assert '<a href="index.html">Load again</a>' in body


def test_the_pages_in_a_directory_know_nothing_of_a_server(
    live: LiveReport, store: Store, make_record: Any, tmp_path: Path
) -> None:
    store.add(make_record())
    live.refresh()
    page = write_report(store, [RUN], tmp_path / "static")
    assert page.read_text() == (tmp_path / "live" / "index.html").read_text()
    assert "live.json" not in page.read_text()


def test_a_port_that_is_taken_is_refused_in_one_line(live: LiveReport, server: LiveServer) -> None:
    port = int(server.url.rstrip("/").rpartition(":")[2])
    with pytest.raises(ReportError, match=f"port {port} of {LOOPBACK}: .* give another --port"):
        LiveServer(live, LOOPBACK, port)


def text_of(browser: Browser) -> str:
    return str(browser.evaluate("document.body?.innerText ?? ''"))


@pytest.mark.browser
def test_an_open_page_loads_itself_again_when_rows_are_written(
    live: LiveReport, server: LiveServer, store: Store, make_record: Any, browser: Browser
) -> None:
    browser.visit(server.url)
    assert "No rows yet" in text_of(browser)
    for number, variant in enumerate(("mobilenet_v2_0.5_96", "mobilenet_v2_1.0_224"), 1):
        store.add(make_record(variant))
        live.refresh()
        wait_until(lambda: variant in text_of(browser), f"{variant} on the page")  # noqa: B023
        rows = "1 row" if number == 1 else "2 rows"
        assert f"Live: {rows} of run {RUN}" in text_of(browser)
    assert browser.log == []


@pytest.mark.browser
def test_a_page_whose_sliders_may_be_set_only_tells_that_there_is_more(
    live: LiveReport, server: LiveServer, store: Store, make_record: Any, browser: Browser
) -> None:
    for runtime in ("tvm", "torch"):
        store.add(make_record(runtime=runtime))
    live.refresh()
    browser.visit(f"{server.url}choice.html")
    browser.evaluate("window.kept = true")
    store.add(make_record("mobilenet_v2_0.5_96"))
    live.refresh()
    wait_until(lambda: "There is more: 3 rows" in text_of(browser), "the word of more")
    assert browser.evaluate("window.kept")


@pytest.mark.browser
def test_an_open_page_tells_when_the_server_has_ended(
    live: LiveReport, store: Store, make_record: Any, browser: Browser
) -> None:
    store.add(make_record())
    live.refresh()
    with LiveServer(live, LOOPBACK, 0) as server:
        browser.visit(server.url)
    wait_until(lambda: "the server has ended" in text_of(browser), "the word of the end")
    assert "mobilenet_v2_1.0_224" in text_of(browser)
