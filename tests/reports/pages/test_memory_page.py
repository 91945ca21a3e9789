from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobilebench.reports.pages.report_page import write_report
from mobilebench.reports.records.store import Store

RUN = "20260102-030405-abcd"
VARIANTS = ("mobilenet_v1_1.0_224", "mobilenet_v2_0.35_96", "ssdlite_mobilenet_v2_1.0_320")


@pytest.fixture
def report(store: Store, make_record: Any, make_needs: Any, tmp_path: Path) -> Path:
    """Return the folder of a run of three networks in two runtimes, and on a board."""
    for variant in VARIANTS:
        for runtime in ("tvm", "onnxruntime"):
            store.add(make_record(variant, runtime), activations=make_needs(runtime))
    board = make_record(VARIANTS[1], target="board", emulated=True)
    store.add(board, activations=make_needs())
    return write_report(store, [RUN], tmp_path / "report").parent


def test_the_report_leads_to_the_page_and_back(report: Path) -> None:
    assert 'href="memory.html"' in (report / "index.html").read_text(encoding="utf-8")
    assert 'href="index.html"' in (report / "memory.html").read_text(encoding="utf-8")
    assert "[Memory for activations](memory.md), 3 networks" in (report / "report.md").read_text(
        encoding="utf-8"
    )


def test_there_are_profiles_of_the_networks_and_plans_of_every_setup(report: Path) -> None:
    pictures = sorted(path.name for path in report.glob("memory-*.png"))
    assert pictures == ["memory-plans-0.png", "memory-plans-1.png", "memory-profiles.png"]
    page = (report / "memory.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert "url(" not in page
    assert page.count("<h3>Planned activations: ") == page.count("<h3>Processes: ") == 2


def test_one_network_is_called_one(report: Path) -> None:
    text = (report / "memory.md").read_text(encoding="utf-8")
    assert "1 networks" not in text
    assert "for 1 network." in text


def test_plans_are_compared_with_the_working_set(report: Path) -> None:
    page = (report / "memory.html").read_text(encoding="utf-8")
    assert (
        "native on workbench, 1 thread: TVM, memory: 0.25 times the working set "
        "(0.25 to 0.25, 3 networks)" in page
    )
    assert "emulated: TVM, latency: 0.50 times the working set (0.50 to 0.50, 1 network)" in page


def test_a_network_s_sizes_are_shown_once(report: Path) -> None:
    page = (report / "memory.html").read_text(encoding="utf-8")
    for variant in VARIANTS:
        assert page.count(f"<h3>{variant}</h3>") == 1


def test_markdown_has_the_tables_and_the_csv_the_numbers(report: Path) -> None:
    markdown = (report / "memory.md").read_text(encoding="utf-8")
    page = (report / "memory.html").read_text(encoding="utf-8")
    titles = [line[4:] for line in markdown.splitlines() if line.startswith("### ")]
    assert len(titles) == 4 + len(VARIANTS)
    assert all(f"<h3>{title}</h3>" in page for title in titles)
    assert "nan" not in markdown
    lines = (report / "memory.csv").read_text().splitlines()
    cell = "variant,target,device,threads,precision,optimize_for,batch,streams,emulated"
    assert lines[0].startswith(f"{cell},what")
    assert len(lines) == 1 + 3 * 7 + 5


def test_a_run_that_accounted_for_nothing_has_no_such_page(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    store.add(make_record())
    report = write_report(store, [RUN], tmp_path / "report").parent
    assert not list(report.glob("memory*"))
    assert "memory.html" not in (report / "index.html").read_text(encoding="utf-8")


def test_names_are_escaped(store: Store, make_record: Any, make_needs: Any, tmp_path: Path) -> None:
    for weights in ("<b>a</b>.pth", "b.pth"):
        store.add(make_record(weights=weights), activations=make_needs())
    report = write_report(store, [RUN], tmp_path / "report").parent
    page = (report / "memory.html").read_text(encoding="utf-8")
    assert "<b>a" not in page
    assert "&lt;b&gt;a" in page


@pytest.mark.parametrize("networks", [1, 22])
def test_one_network_and_a_whole_grid_have_a_page(
    store: Store, make_record: Any, make_needs: Any, tmp_path: Path, networks: int
) -> None:
    for size in range(32, 32 + networks):
        store.add(make_record(f"mobilenet_v2_1.0_{size}"), activations=make_needs())
    report = write_report(store, [RUN], tmp_path / "report").parent
    page = (report / "memory.html").read_text(encoding="utf-8")
    assert f"{networks} network" in (report / "index.html").read_text(encoding="utf-8")
    assert page.count("<figure") == 2


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_the_page_without_sideways_scrolling(
    report: Path, in_a_browser: Callable[[Path, int], str], width: int
) -> None:
    found = in_a_browser(report / "memory.html", width)
    assert found == "images=3 broken=0 sideways=false squeezed=false"
