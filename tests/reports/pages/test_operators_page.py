from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mobilebench.reports.pages import operators_page
from mobilebench.reports.pages.report_page import write_report
from mobilebench.reports.records.record import KernelTime
from mobilebench.reports.records.store import Store

KERNELS = [
    KernelTime("stem 8x8x16 over 3x3x3 #0123456789abcdef", 1, 1000, 4000, 30.0),
    KernelTime("convolution 8x8x16 over 16 #fedcba9876543210", 2, 4000, 1000, 60.0),
    KernelTime("resize 4x4x16", 1, 0, 1000, 10.0),
    KernelTime("other <fused>", 1, 0, 1000, 5.0),
]
DETECTOR = "ssdlite_mobilenet_v2_1.0_320"


class Document(HTMLParser):
    """What a test asks of a page: where it points, and the text of its tables' rows."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.rows: list[list[str]] = []
        self.bars: list[str] = []
        self.inside = False
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a":
            self.links.append(found["href"] or "")
        elif tag == "img":
            self.pictures.append(found["src"] or "")
        elif tag == "tr":
            self.rows.append([])
        elif tag == "i":
            self.bars.append(found["style"] or "")
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.inside = tag in ("td", "th", "i")

    def handle_endtag(self, tag: str) -> None:
        self.inside = tag == "i"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


@pytest.fixture
def report(store: Store, make_record: Any, tmp_path: Path) -> Path:
    """Return the folder of a run of two networks, the bigger a detector, and an emulated one."""
    roofline_peaks = {"peak_macs_per_s": 1e9, "read_bytes_per_s": 1e9}
    store.add(make_record(**roofline_peaks, warnings="spread: 20%"), kernels=KERNELS)
    detector = replace(
        make_record(**roofline_peaks), variant=DETECTOR, task="detect", macs=800_000_000
    )
    store.add(detector, kernels=KERNELS)
    store.add(make_record(target="board", emulated=True, **roofline_peaks), kernels=KERNELS)
    store.add(make_record("mobilenet_v2_0.5_160"))
    return write_report(store, [make_record().run_id], tmp_path / "report").parent


def test_every_network_whose_kernels_were_timed_has_a_page(report: Path) -> None:
    names = ["operators-0.html", "operators-1.html", "operators-2.html"]
    assert sorted(path.name for path in report.glob("operators-*.html")) == names
    assert [one for one in Document(report / "index.html").links if one in names] == names
    for name in names:
        for link in Document(report / name).links:
            assert (report / link).is_file()


def test_the_pages_lead_to_each_other(report: Path) -> None:
    assert Document(report / "operators-0.html").links == ["index.html", "operators-1.html"]
    middle = Document(report / "operators-1.html").links
    assert middle == ["index.html", "operators-0.html", "operators-2.html"]


def test_the_table_is_in_network_order_with_a_bar_for_each_share(report: Path) -> None:
    document = Document(report / "operators-1.html")
    assert DETECTOR in (report / "operators-1.html").read_text(encoding="utf-8")
    head, *rows = document.rows
    assert [row[1] for row in rows] == [
        "stem 8x8x16 over 3x3x3",
        "convolution 8x8x16 over 16",
        "resize 4x4x16",
        "other <fused>",
        "all kernels",
    ]
    shares = [float(row[head.index("share, %")]) for row in rows[:-1]]
    lengths = [float(bar.removeprefix("width: ").removesuffix("%")) for bar in document.bars]
    assert [length / max(lengths) for length in lengths] == pytest.approx(
        [share / max(shares) for share in shares], abs=0.01
    )


def test_a_page_needs_no_other_file_for_its_pictures(report: Path) -> None:
    pictures = Document(report / "operators-0.html").pictures
    assert len(pictures) == 2
    assert all(picture.startswith("data:image/png;base64,") for picture in pictures)
    assert "url(" not in (report / "operators-0.html").read_text(encoding="utf-8")


def test_an_emulator_has_a_table_and_no_plots(report: Path) -> None:
    page = report / "operators-2.html"
    assert Document(page).pictures == []
    assert len(Document(page).rows) == 6
    assert "the emulator" in page.read_text(encoding="utf-8")
    assert not list(report.glob("operators-2-*.png"))


def test_a_row_with_a_warning_says_so(report: Path) -> None:
    assert "spread: 20%" in (report / "operators-0.html").read_text(encoding="utf-8")
    assert "spread: 20%" not in (report / "operators-1.html").read_text(encoding="utf-8")


def test_markdown_has_the_same_table_and_the_report_leads_to_it(report: Path) -> None:
    assert f"[{DETECTOR}](operators-1.md)" in (report / "report.md").read_text(encoding="utf-8")
    text = (report / "operators-1.md").read_text(encoding="utf-8")
    head, line, *rows = [one for one in text.splitlines() if one.startswith("|")]
    assert line.startswith("|---|---|---:|")  # the kernel's name is words
    shown = Document(report / "operators-1.html").rows
    written = [f"|{'|'.join(row)}|".replace("<", "&lt;") for row in shown]
    assert [head, *rows] == written
    assert "All kernels together take 105 µs" in text
    assert "Its times are" not in text
    assert "the emulator's" in (report / "operators-2.md").read_text(encoding="utf-8")


def test_names_are_escaped(store: Store, make_record: Any, tmp_path: Path) -> None:
    for weights in ("<b>a</b>.pth", "b.pth"):
        record = make_record(weights=weights, peak_macs_per_s=1e9, read_bytes_per_s=1e9)
        store.add(record, kernels=KERNELS)
    report = write_report(store, [make_record().run_id], tmp_path / "report").parent
    text = (report / "operators-0.html").read_text(encoding="utf-8")
    assert "<b>a" not in text
    assert "&lt;b&gt;a" in text


@pytest.mark.parametrize("kernels", [1, 300])
def test_networks_of_one_kernel_and_of_hundreds_have_pages(
    store: Store, make_record: Any, tmp_path: Path, kernels: int
) -> None:
    record = make_record(peak_macs_per_s=1e9, read_bytes_per_s=1e9)
    times = [
        KernelTime(f"family{i % 12} {i}", 1, 100 * (i % 7), 1000 + i, 1.0 + i)
        for i in range(kernels)
    ]
    store.add(record, kernels=times)
    report = write_report(store, [record.run_id], tmp_path / "report").parent
    page = Document(report / "operators-0.html")
    assert len(page.rows) == kernels + 2
    assert len(page.pictures) == (2 if kernels > 1 else 1)  # the first one multiplies nothing


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_the_page_without_sideways_scrolling(
    store: Store,
    make_record: Any,
    tmp_path: Path,
    in_a_browser: Callable[[Path, int], str],
    width: int,
) -> None:
    record = make_record(peak_macs_per_s=1e9, read_bytes_per_s=1e9)
    long = KernelTime(f"other {'fused_' * 30}add", 1, 0, 1000, 5.0)
    store.add(record, kernels=[*KERNELS, *(replace(long, calls=i + 1) for i in range(100))])
    report = write_report(store, [record.run_id], tmp_path / "report").parent
    found = in_a_browser(report / "operators-0.html", width)
    assert found == "images=2 broken=0 sideways=false squeezed=false"


def test_several_processes_draw_what_one_does(
    report: Path, store: Store, make_record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[ProcessPoolExecutor] = []

    def open_pool(*arguments: Any) -> ProcessPoolExecutor:
        pools.append(ProcessPoolExecutor(*arguments))
        return pools[-1]

    monkeypatch.setattr(operators_page, "ProcessPoolExecutor", open_pool)
    monkeypatch.setattr(operators_page, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0, 1})
    again = write_report(store, [make_record().run_id], report.parent / "again").parent
    assert len(pools) == 1
    assert len(list(report.glob("operators-*.png"))) == 4
    for file in report.iterdir():
        assert file.read_bytes() == (again / file.name).read_bytes(), file.name
