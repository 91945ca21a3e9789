import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mobilebench.reports.errors import ReportError
from mobilebench.reports.pages.replace_report import LISTING
from mobilebench.reports.pages.report_page import write_report
from mobilebench.reports.records.store import Run, Store

RUN = "20260102-030405-abcd"
ROOT = Path(__file__).parents[3]
SMALL = ["mobilenet_v2_0.35_96", "mobilenet_v2_0.5_160", "mobilenet_v2_1.0_224"]


@pytest.fixture(scope="module")
def page(make_record: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a run with a failed, a noisy and an emulated row; its store is beside."""
    directory = tmp_path_factory.mktemp("page")
    store = Store(str(directory / "store.sqlite"))
    store.begin_run(Run(RUN, "2026-01-02T03:04:05+00:00", {}))
    for index, name in enumerate(SMALL):
        store.add(make_record(name, latency_ms=1.0 + index))
        store.add(make_record(name, "torch", latency_ms=4.0 + index, warnings="spread: 20%"))
    store.add(
        make_record(runtime="onnxruntime", status="crashed", error="<script>alert(1)</script>")
    )
    store.add(make_record(target="board", emulated=True, latency_ms=9999.0))
    return write_report(store, [RUN], directory / "report")


def test_a_report_is_a_page_a_csv_markdown_and_plots(page: Path) -> None:
    names = sorted(path.name for path in page.parent.iterdir())
    assert names == [
        ".files",
        "accuracy-by-latency-0.png",
        "choice.html",
        "heat-maps-mobilenet_v2-0.png",
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
            self.found.extend([v or "" for k, v in attrs if k in ("src", "href")])

    links = Links()
    links.feed(page.read_text())
    assert len(links.found) == 5
    pictures = [link for link in links.found if link != "choice.html"]
    assert all(link.startswith("data:image/png;base64,") for link in pictures)
    assert "url(" not in page.read_text()


def test_every_failed_row_is_shown_and_its_error_is_only_text(page: Path) -> None:
    text = page.read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script" not in text
    assert "crashed" in text


def test_emulated_rows_are_labelled(page: Path) -> None:
    assert "board on workbench, 1 thread, emulated: its times are the emulator" in page.read_text()


def test_markdown_has_the_tables_of_the_page(page: Path) -> None:
    titles = re.findall(r"^### (.*)$", (page.parent / "report.md").read_text(), re.MULTILINE)
    assert titles
    for title in titles:
        assert f"<h3>{title}</h3>" in page.read_text()


@pytest.mark.parametrize(
    "unknown",
    [
        ("peak_rss_bytes", "params_bytes", "arena_bytes", "top1_agreement"),
        ("latency_ci95_low_ms", "latency_ci95_high_ms"),
    ],
)
def test_columns_that_no_row_has_are_left_empty(
    store: Store, make_record: Any, tmp_path: Path, unknown: tuple[str, ...]
) -> None:
    store.add(make_record(**dict.fromkeys(unknown)))
    page = write_report(store, [make_record().run_id], tmp_path / "report")
    assert "nan" not in (page.parent / "report.md").read_text(encoding="utf-8")


def test_a_report_is_utf_8_whatever_the_locale(page: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from mobilebench.reports.pages.report_page import write_report\n"
        "from mobilebench.reports.records.store import Store\n"
        "write_report(Store(sys.argv[1]), [sys.argv[2]], Path(sys.argv[3]))"
    )
    store = page.parent.parent / "store.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", script, store, RUN, tmp_path],
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "†" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_new_files_are_made_in_the_directory_that_they_are_for(
    store: Store, make_record: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A mounted volume: files can be renamed within it, not into it.
    made: list[Path] = []
    make = tempfile.mkdtemp

    def remember(**options: Any) -> str:
        made.append(Path(options["dir"]))
        return make(**options)

    monkeypatch.setattr(tempfile, "mkdtemp", remember)
    store.add(make_record())
    write_report(store, [make_record().run_id], tmp_path / "report")
    assert made == [tmp_path / "report"]


def test_a_second_report_replaces_the_first(store: Store, make_record: Any, tmp_path: Path) -> None:
    store.add(make_record())
    page = write_report(store, [RUN], tmp_path / "report")
    assert "mobilenet_v2_0.75_192" not in page.read_text()
    store.add(make_record("mobilenet_v2_0.75_192"))
    write_report(store, [RUN], page.parent)
    assert "mobilenet_v2_0.75_192" in page.read_text()
    assert list(page.parent.glob(".*")) == [page.parent / LISTING]
    assert not list(page.parent.parent.glob(".*"))


def test_a_run_began_before_its_first_row(tmp_path: Path, make_record: Any) -> None:
    store = Store(str(tmp_path / "store.sqlite"))
    store.begin_run(Run(RUN, "2026-01-02T03:04:05+00:00", {}))
    store.add(make_record(started_at="2026-01-02T03:09:00+00:00"))
    page = write_report(store, [RUN], tmp_path / "report")
    assert "started 2026-01-02T03:04:05+00:00" in page.read_text()
    assert "Started 2026-01-02T03:04:05+00:00" in (page.parent / "report.md").read_text()


def test_one_variant_is_called_one(store: Store, make_record: Any, tmp_path: Path) -> None:
    for runtime in ("tvm", "torch"):
        store.add(make_record(runtime=runtime))
    page = write_report(store, [RUN], tmp_path / "report").read_text()
    assert "1 variant)" in page
    assert "1 variants" not in page


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
    page: Path, in_a_browser: Callable[[Path, int], str], width: int
) -> None:
    assert in_a_browser(page, width) == "images=4 broken=0 sideways=false squeezed=false"


@pytest.mark.browser
def test_plots_can_be_read_on_a_phone_and_opened_at_full_size(
    page: Path, chromium: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    done = chromium(
        f"""<iframe src="{page.as_uri()}" width="375" height="800"></iframe><pre></pre><script>
        onload = () => {{
          const inside = document.querySelector("iframe").contentDocument;
          const found = [...inside.querySelectorAll(".plots img")].map(image => {{
            const small = image.clientWidth / image.naturalWidth;
            image.click();
            const full = image.clientWidth / image.naturalWidth;
            const box = image.closest(".scroll").getBoundingClientRect();
            const covers = box.width == 375 && box.height == 800;
            inside.querySelector(".full:checked ~ .open").click();
            return {{small: small >= 0.65, full, covers, closed: image.clientWidth < 1000}};
          }});
          const sideways = inside.documentElement.scrollWidth > 375;
          document.querySelector("pre").textContent = JSON.stringify({{found, sideways}});
        }};
        </script>"""
    )
    told = json.loads(done.stdout.rpartition("<pre>")[2].partition("</pre>")[0])
    assert not told["sideways"]
    assert told["found"] == [{"small": True, "full": 1, "covers": True, "closed": True}] * 4
