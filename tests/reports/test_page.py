import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import pytest

from reports.errors import ReportError
from reports.page import write_report
from reports.store import Store

SMALL = ["mobilenet_v2_0.35_96", "mobilenet_v2_0.5_160", "mobilenet_v2_1.0_224"]


@pytest.fixture
def page(store: Store, make_record: Any, tmp_path: Path) -> Path:
    """Return the page of a run with a failed, a noisy and an emulated row."""
    for index, name in enumerate(SMALL):
        store.add(make_record(name, latency_ms=1.0 + index))
        store.add(make_record(name, "torch", latency_ms=4.0 + index, warnings="spread: 20%"))
    store.add(
        make_record(runtime="onnxruntime", status="crashed", error="<script>alert(1)</script>")
    )
    store.add(make_record(target="board", emulated=True, latency_ms=9999.0))
    return write_report(store, [make_record().run_id], tmp_path / "report")


def test_a_report_is_a_page_a_csv_markdown_and_plots(page: Path) -> None:
    names = sorted(path.name for path in page.parent.iterdir())
    assert names == [
        "accuracy-by-latency-0.png",
        "heat-maps-0.png",
        "index.html",
        "latency-by-macs-0.png",
        "records.csv",
        "report.md",
        "runtimes-0.png",
    ]


def test_the_page_needs_nothing_else(page: Path) -> None:
    class Links(HTMLParser):
        found: ClassVar[list[str]] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [v or "" for k, v in attrs if k in ("src", "href")]

    links = Links()
    links.feed(page.read_text())
    assert len(links.found) == 4
    assert all(link.startswith("data:image/png;base64,") for link in links.found)
    assert "url(" not in page.read_text()


def test_every_failed_row_is_shown_and_its_error_is_only_text(page: Path) -> None:
    text = page.read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script" not in text
    assert "crashed" in text


def test_emulated_rows_are_said_to_be(page: Path) -> None:
    assert "board on workbench, 1 thread, emulated: its times are the emulator" in page.read_text()


def test_markdown_has_the_tables_of_the_page(page: Path) -> None:
    titles = re.findall(r"^### (.*)$", (page.parent / "report.md").read_text(), re.MULTILINE)
    assert titles
    for title in titles:
        assert f"<h3>{title}</h3>" in page.read_text()


def test_a_second_report_replaces_the_first(page: Path, store: Store, make_record: Any) -> None:
    store.add(make_record("mobilenet_v2_0.75_192"))
    write_report(store, [make_record().run_id], page.parent)
    assert "mobilenet_v2_0.75_192" in page.read_text()
    assert [p.name for p in page.parent.parent.iterdir() if p.name.startswith(".")] == []


def test_a_run_without_rows_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no rows to report"):
        write_report(store, ["20260102-030405-abcd"], tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_file_in_the_way_is_refused(store: Store, make_record: Any, tmp_path: Path) -> None:
    store.add(make_record())
    (tmp_path / "report").write_text("mine")
    with pytest.raises(ReportError, match="report"):
        write_report(store, [make_record().run_id], tmp_path / "report")
    assert (tmp_path / "report").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_every_plot_without_sideways_scrolling(
    page: Path, tmp_path: Path, width: int
) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        assert "CI" not in os.environ, "CI must have Chromium"
        pytest.skip("needs Chromium")
    # A frame of the width asked for: a window of a headless browser cannot be that narrow.
    probe = tmp_path / "probe.html"
    probe.write_text(
        f"""<iframe src="report/index.html" width="{width}" height="800"></iframe><pre></pre>
        <script>
        onload = () => {{
          const inside = document.querySelector("iframe").contentDocument;
          const broken = [...inside.images].filter(i => i.naturalWidth == 0).length;
          const sideways = inside.documentElement.scrollWidth - {width};
          document.querySelector("pre").textContent =
            `images=${{inside.images.length}} broken=${{broken}} sideways=${{sideways > 0}}`;
        }}
        </script>"""
    )
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=5000",
            "--dump-dom",
            probe.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "images=4 broken=0 sideways=false" in done.stdout
