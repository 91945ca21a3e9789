"""The pages of a night, of a made-up farm: what they say, and how they look in a browser."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.reports.pages.report_page import write_report
from mobilebench.reports.records.schema import RECORDS
from mobilebench.reports.records.store import Run, Store
from tests.reports import farm_nights
from tests.reports.farm_nights import BOARDS, FASTER, GONE, HOSTILE, LARGER, NEW, PENDING, SLOWER

NIGHTS = 24
TONIGHT = farm_nights.run_of(NIGHTS - 1)
FIRST_BOARD = BOARDS[0][1]


class Document(HTMLParser):
    """What a test asks of a page: its text, links, tables by title, cards and SVG titles."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tags: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.cards: dict[str, str] = {}
        self.points: list[str] = []
        self._heading, self._card, self._inside = "", "", ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.ids |= {found["id"] or ""} if "id" in found else set()
        self.links += [found[key] or "" for key in ("href", "src") if key in found]
        if tag == "h3":
            self._heading = ""
        elif tag == "table":
            self.tables[self._heading] = []
        elif tag == "tr":
            self.tables[self._heading].append([])
        elif tag in ("th", "td"):
            self.tables[self._heading][-1].append("")
        self._inside = tag if tag in ("h3", "th", "td", "title", "style") else self._inside

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside or tag in ("th", "td"):
            self._inside = ""
        if tag == "figure":
            self._heading = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            return
        self.text += data
        if self._inside == "h3":
            self._heading += data
        elif self._inside in ("th", "td"):
            self.tables[self._heading][-1][-1] += data
        elif self._inside == "title":
            self.points.append(data)
        else:
            self.cards[self._heading] = self.cards.get(self._heading, "") + data


@pytest.fixture(scope="module")
def site(make_record: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a night's pages."""
    directory = tmp_path_factory.mktemp("site")
    with Store(str(directory / "store.sqlite")) as store:
        farm_nights.fill(store, make_record, NIGHTS)
        page = write_report(store, [TONIGHT.run_id], directory / "report")
    assert page.name == "index.html"
    return page.parent


@pytest.fixture(scope="module")
def glance(site: Path) -> Document:
    return Document(site / "index.html")


def device_page(site: Path, start: str) -> Path:
    (found,) = site.glob(f"device-{start}*.html")
    return found


def timelines(site: Path, start: str) -> Path:
    (found,) = site.glob(f"timeline-{start}*-tvm.html")
    return found


def test_tonight_comes_first_and_the_runs_page_is_beside_it(site: Path, glance: Document) -> None:
    assert "Tonight at a glance" in glance.text
    assert f"Run {TONIGHT.run_id}" in glance.text
    assert "compared with the 23 nights before it, the newest of them " in glance.text
    run_page = Document(site / "run.html")
    assert "MobileNetV2, compiled and measured" in run_page.text
    assert "Latency: raspberry-pi-4 on pi4 shelf 2, 1 thread" in run_page.tables


def test_every_link_leads_somewhere(site: Path) -> None:
    pages = {page.name: Document(page) for page in site.glob("*.html")}
    # With a page for each device, one for each target on it and runtime, and one to choose on.
    assert len(pages) == 3 + 1 + 3 + 4 + 1
    for name, page in pages.items():
        for link in page.links:
            if link.startswith("data:"):
                continue
            file_name, _, anchor = link.partition("#")
            there = pages[file_name or name]
            assert not anchor or anchor in there.ids, f"{name} links to {link}"
    for name, page in pages.items():
        assert {"index.html", "run.html", "timelines.html", "devices.html"} <= set(page.links), name


def test_regressions_are_listed_with_size_and_reason(glance: Document) -> None:
    assert "2 regressions found; 3 rows failed, 2 of them for the first time." in glance.text
    slower = glance.cards[SLOWER]
    assert re.search(r"latency \+12\.\d %", slower)
    assert "worse) since 2026-01-23" in slower
    assert f"tvm, raspberry-pi-4 on {FIRST_BOARD}, 1 thread" in slower
    assert "the library of run 20260123-020000-cafe is the same as tonight's" in slower
    assert "arena × 2.00 (exact; worse) since 2026-01-24" in glance.cards[LARGER]


def test_pending_changes_and_improvements_have_their_own_sections(glance: Document) -> None:
    assert "the next night's library must confirm it" in glance.cards[PENDING].lower()
    assert re.search(r"latency \N{MINUS SIGN}1[12]\.\d %", glance.cards[FASTER])
    assert {"regression", "pending", "improvement", "failed", "cells"} <= glance.ids


def test_failed_rows_show_how_long_they_have_failed(glance: Document) -> None:
    head, *rows = glance.tables["Failed"]
    found = {(row[0], row[1]): row[head.index("failing for")] for row in rows}
    assert found == {
        (PENDING, "no_device"): "tonight",
        (SLOWER, "crashed"): "tonight",
        (FASTER, "timed_out"): "5 nights",
    }
    assert rows[-1][0] == FASTER  # what fails for the first time comes first
    assert "no answer within 300 s; killed" in rows[-1]


def test_the_runs_plots_and_tables_are_led_to(glance: Document) -> None:
    runs = [link for link in glance.links if link.startswith("run.html#")]
    for start in ("latency-by-macs", "heat-maps", "accuracy-by-latency", "runtimes", "tables"):
        assert any(link.startswith(f"run.html#{start}") for link in runs), start


def test_new_gone_and_repaired_cells_are_listed(glance: Document) -> None:
    rows = {title: glance.tables[title][1:] for title in ("New", "Gone", "Works again")}
    assert [row[0] for row in rows["New"]] == [NEW]
    assert [row[0] for row in rows["Gone"]] == [GONE]
    assert [row[0] for row in rows["Works again"]] == [PENDING]


def test_versions_of_both_nights_are_beside_each_other(glance: Document) -> None:
    rows = {row[0]: row[1:] for row in glance.tables["Tonight and the night before"]}
    assert rows["TVM"] == ["0.27.0", "0.27.1", "changed"]
    assert rows["commit"][0] == rows["commit"][1]
    assert rows["commit"][2] == ""


def test_thresholds_are_named(glance: Document) -> None:
    rows = {row[0]: row[1:] for row in glance.tables["When a change counts"]}
    assert rows["latency"][0] == "3 %"
    assert rows["arena"][0] == "1 %"
    assert rows["peak memory"][0] == "10 % and 1 MB"


def test_board_names_and_errors_are_escaped(site: Path) -> None:
    for page in site.glob("*.html"):
        tags = Document(page).tags
        assert tags.count("script") == (2 if page.name == "choice.html" else 0)
        assert HOSTILE not in page.read_text(encoding="utf-8")
    assert HOSTILE in Document(site / "index.html").text
    assert HOSTILE in Document(site / "devices.html").text
    assert "onerror" in Document(site / "index.html").text
    assert all(re.fullmatch(r"[a-z0-9._-]+", path.name) for path in site.iterdir())


def test_timelines_have_a_point_for_every_night_with_its_commit(site: Path) -> None:
    page = Document(timelines(site, "raspberry-pi-4"))
    dates = [point[:10] for point in page.points if "ms" in point and "commit" in point]
    assert dates.count("2026-01-05") == 5  # of four networks, and of the one that is gone
    assert dates.count("2026-01-24") == 5
    assert any(re.search(r"^2026-01-05: .* ms \[.*\], commit 0000000003$", p) for p in page.points)


def test_steps_are_marked_and_listed(site: Path) -> None:
    text = timelines(site, "raspberry-pi-4").read_text(encoding="utf-8")
    assert text.count('class="step bad"') == 1
    assert text.count('class="step good"') == 1
    rows = Document(site / "timelines.html").tables["Steps"][1:]
    assert {row[0] for row in rows} == {SLOWER, FASTER}
    assert {row[3] for row in rows} == {"2026-01-23"}
    assert {row[4] for row in rows} == {"000000000b..000000000c"}


def test_other_figures_are_drawn_where_they_moved(site: Path) -> None:
    page = Document(timelines(site, "raspberry-pi-4"))
    assert [point for point in page.points if "1.77 MB" in point]
    other = Document(timelines(site, "raspberry-pi-5"))
    assert not [point for point in other.points if "MB" in point]


def test_failures_are_crosses_that_say_why(site: Path) -> None:
    page = Document(timelines(site, "raspberry-pi-5"))
    crosses = [point for point in page.points if point.endswith(("crashed", "timed_out"))]
    assert len(crosses) == 7
    assert "2026-01-22: timed_out" in crosses
    assert "failed tonight: timed_out" in page.cards[FASTER]


def test_warnings_are_marked(site: Path, glance: Document) -> None:
    assert "1 of tonight's ok rows has a warning †" in glance.text
    (page,) = site.glob("timeline-*-onnxruntime.html")
    warned = "† spread: standard deviation is 14% of the mean"
    assert warned in Document(page).cards[LARGER]
    assert len([point for point in Document(page).points if point.endswith(warned)]) == NIGHTS


def test_an_emulators_times_are_not_drawn(site: Path) -> None:
    page = Document(timelines(site, "emulated-arm"))
    assert not [point for point in page.points if " ms" in point]
    assert "the emulator's, so they are not plotted" in page.text
    assert "qemu (emulated)" in Document(site / "devices.html").text
    assert "(emulated)" in Document(device_page(site, "qemu")).text


def test_every_night_is_listed_with_commit_and_failures(site: Path) -> None:
    rows = Document(site / "timelines.html").tables["Nights"][1:]
    assert len(rows) == NIGHTS
    assert rows[0][1:] == [TONIGHT.run_id, "000000000c", "0.27.1", "14", "3"]


def test_a_device_has_its_health_night_by_night(site: Path) -> None:
    page = Document(device_page(site, "pi4"))
    head, *rows = page.tables["Night by night"]
    assert [rows[0][head.index(name)] for name in ("rows", "failed", "warned", "temperature")] == [
        *("9", "0", "1", "85 °C")
    ]
    assert rows[1][head.index("temperature")] == "60 °C"
    assert {"Temperature", "Calibration kernel", "Drift within a job", "Warned"} <= set(page.cards)
    assert "2026-01-24: 85 °C" in page.points


def test_a_devices_failures_and_retries_are_counted(site: Path) -> None:
    page = Document(device_page(site, "script"))
    head, *rows = page.tables["Night by night"]
    tonight, before = rows[:2]
    assert tonight[head.index("why they failed")] == "1 crashed, 1 timed_out"
    assert tonight[head.index("retries")] == "2"
    assert before[head.index("failed")] == "2"
    assert len(page.tables["Failed"]) == 3


def test_a_key_without_boards_has_a_row_and_no_page(site: Path, glance: Document) -> None:
    rows = Document(site / "devices.html").tables["Devices"]
    assert rows[-1][0].startswith("any qemu")
    assert not list(site.glob("device-any*"))


def test_markdown_has_the_same_content(site: Path) -> None:
    text = (site / "tonight.md").read_text(encoding="utf-8")
    titles = re.findall(r"^### (.*)$", text, re.MULTILINE)
    assert {"Got worse", "Pending", "Got better", "Failed", "New", "Gone"} <= set(titles)
    for picture in re.findall(r"\]\((tonight-\d\.svg)\)", text):
        assert (site / picture).is_file()
    assert text.count(".svg)") == 2


def report_of(store: Store, run_id: str, tmp_path: Path) -> Path:
    return write_report(store, [run_id], tmp_path / "report").parent


def test_the_first_night_is_the_runs_page_alone(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    for number in range(2):
        run = farm_nights.run_of(number)
        store.begin_run(run)
        store.add(make_record(run_id=run.run_id))
    report = report_of(store, farm_nights.run_of(0).run_id, tmp_path)
    assert [page.name for page in report.glob("*.html")] == ["index.html"]
    assert "compiled and measured" in Document(report / "index.html").text


def test_a_night_that_shares_nothing_with_those_before_has_no_history(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    for number, variant in enumerate((SLOWER, FASTER)):
        run = farm_nights.run_of(number)
        store.begin_run(run)
        store.add(make_record(variant, run_id=run.run_id))
    assert not list(report_of(store, farm_nights.run_of(1).run_id, tmp_path).glob("timeline*"))


def test_two_nights_are_enough(store: Store, make_record: Any, tmp_path: Path) -> None:
    for number in range(2):
        run = farm_nights.run_of(number)
        store.begin_run(run)
        store.add(make_record(run_id=run.run_id))
    report = report_of(store, farm_nights.run_of(1).run_id, tmp_path)
    text = Document(report / "index.html").text
    assert "Nothing is worse than in the night before; no row failed." in text
    assert "Latency is judged by its history from 6 nights on; this is night 2." in text
    assert f"compared with the night before it, {farm_nights.run_of(0).run_id}." in text


def test_what_differs_from_the_night_before_is_shown_where_nights_are_few(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    for number, times in enumerate((1.0, 1.5)):
        run = farm_nights.run_of(number)
        store.begin_run(run)
        for variant, factor in ((SLOWER, times), (FASTER, 1.0)):
            rounds = 3 * factor * np.exp(generator.normal(0, 0.005, (5, 20)))
            record = make_record(variant, latency_ms=3 * factor, run_id=run.run_id)
            store.add(record, rounds.tolist())
    again = farm_nights.beside(make_record, 1, 0, SLOWER, 1.5)
    cell = replace(again.cell, target="native", device="workbench")
    store.add_confirmation(replace(again, cell=cell))
    report = report_of(store, farm_nights.run_of(1).run_id, tmp_path)
    text = Document(report / "index.html").text
    assert "1 cell is worse than in the night before (1 measured again, beside each other)" in text
    (row,) = Document(report / "index.html").tables["Compared with the night before"][1:]
    assert row[:2] == [SLOWER, "slower, confirmed"]
    assert row[2].startswith(("+49", "+50"))
    assert "<details open>" in (report / "index.html").read_text(encoding="utf-8")


def test_of_very_many_findings_the_largest_are_shown_and_the_rest_is_counted(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    for number in range(2):
        run = farm_nights.run_of(number)
        store.begin_run(run)
        rows = [
            make_record(
                f"mobilenet_v2_1.0_{32 + size}",
                run_id=run.run_id,
                arena_bytes=1000 * (100 + size * number),
            )
            for size in range(2, 72)
        ]
        values = [asdict(row) for row in rows]
        store.database.write(lambda link, _, rows=values: link.execute(RECORDS.insert(), rows))
    report = report_of(store, farm_nights.run_of(1).run_id, tmp_path)
    glance = Document(report / "index.html")
    shown = [name for name, text in glance.cards.items() if "arena" in text]
    assert len(shown) == 60
    assert "mobilenet_v2_1.0_103" in shown
    assert "10 more are in tonight.md" in glance.text
    assert (report / "tonight.md").read_text(encoding="utf-8").count("|arena|") == 71


def test_nights_of_one_day_are_shown_with_the_time(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    for hour in (2, 14):
        run = Run(f"night-{hour}", f"2026-01-01T{hour:02}:00:00+00:00", {})
        store.begin_run(run)
        store.add(make_record(run_id=run.run_id))
    (page,) = report_of(store, "night-14", tmp_path).glob("timeline-*.html")
    assert [point[:16] for point in Document(page).points if "ms" in point] == [
        *("2026-01-01 02:00", "2026-01-01 14:00")
    ]


def test_nights_of_one_minute_are_told_apart(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    starts = {"a": "02:00:07", "b": "02:00:51", "c": "02:00:51"}
    for name, start in starts.items():
        run = Run(f"night-{name}", f"2026-01-01T{start}+00:00", {})
        store.begin_run(run)
        store.add(make_record(run_id=run.run_id))
    report = report_of(store, run.run_id, tmp_path)
    names = [row[0] for row in Document(report / "timelines.html").tables["Nights"][1:]]
    assert len(set(names)) == 3
    (page,) = report.glob("timeline-*.html")
    points = [point.partition(": ")[0] for point in Document(page).points if "ms" in point]
    assert len(set(points)) == len(points)


def nightly(number: int, *, asked: bool) -> Run:
    return replace(farm_nights.run_of(number), suite={"check_regressions": asked})


def test_a_second_ordinary_run_is_no_night(store: Store, make_record: Any, tmp_path: Path) -> None:
    for number in range(2):
        run = nightly(number, asked=False)
        store.begin_run(run)
        store.add(make_record(run_id=run.run_id))
    report = report_of(store, run.run_id, tmp_path)
    assert [page.name for page in report.glob("*.html")] == ["index.html"]
    assert "compiled and measured" in Document(report / "index.html").text


def test_only_runs_that_were_asked_to_be_nights_are_in_timelines(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    for number, asked in enumerate((True, False, True)):
        run = nightly(number, asked=asked)
        store.begin_run(run)
        store.add(make_record(run_id=run.run_id, latency_ms=3.0 + number))
    report = report_of(store, run.run_id, tmp_path)
    assert "compared with the night before it" in Document(report / "index.html").text
    nights = Document(report / "timelines.html").tables["Nights"][1:]
    assert [row[1] for row in nights] == [nightly(n, asked=True).run_id for n in (2, 0)]


def test_a_first_night_says_that_there_was_nothing_to_compare_it_with(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    for number, asked in enumerate((False, True)):
        run = nightly(number, asked=asked)
        store.begin_run(run)
        store.add(make_record(run_id=run.run_id))
    report = report_of(store, run.run_id, tmp_path)
    for name in ("index.html", "report.md"):
        text = (report / name).read_text(encoding="utf-8")
        assert "Regressions: nothing to compare with: no earlier run" in text


def test_a_night_in_which_no_board_answered_has_its_failures(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    for number, others in enumerate(({}, {"device": "any pi4", "status": "no_device"})):
        run = farm_nights.run_of(number)
        store.begin_run(run)
        latency = None if others else 3.0
        store.add(make_record(run_id=run.run_id, latency_ms=latency, **others))
    glance = Document(report_of(store, farm_nights.run_of(1).run_id, tmp_path) / "index.html")
    assert "1 row failed, 1 of them for the first time" in glance.text
    assert "Gone" not in glance.tables


def test_another_board_of_the_same_kind_is_neither_new_nor_gone(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    for number in range(2):
        run = farm_nights.run_of(number)
        store.begin_run(run)
        store.add(make_record(run_id=run.run_id, device=f"board {number}"))
    report = report_of(store, farm_nights.run_of(1).run_id, tmp_path)
    assert not {"New", "Gone"} & set(Document(report / "index.html").tables)
    rows = Document(report / "devices.html").tables["Devices"][1:]
    assert [row[0:2] for row in rows] == [["board 0", "-"], ["board 1", "1"]]


def test_two_names_that_differ_in_signs_alone_have_two_pages(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    for number in range(2):
        run = farm_nights.run_of(number)
        store.begin_run(run)
        for threads, device in enumerate(("Board/1", "board 1", "///"), 1):
            store.add(make_record(run_id=run.run_id, device=device, threads=threads))
    report = report_of(store, farm_nights.run_of(1).run_id, tmp_path)
    names = sorted(path.name for path in report.glob("device*.html"))
    assert names == ["device-board-1-2.html", "device-board-1.html", "device.html", "devices.html"]


@pytest.mark.browser
def test_a_browser_shows_the_pages_on_a_phone_and_asks_nobody(
    site: Path, chromium: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    pages = sorted(site.glob("*.html"))
    frames = "".join(f'<iframe src="{page.as_uri()}" width="375"></iframe>' for page in pages)
    done = chromium(
        f"""{frames}<pre></pre><script>
        onload = () => {{
          const found = [...document.querySelectorAll("iframe")].map(frame => {{
            const inside = frame.contentDocument, root = inside.documentElement;
            const asked = frame.contentWindow.performance.getEntriesByType("resource");
            return {{
              sideways: root.scrollWidth > 375,
              asked: asked.map(one => one.name).filter(name => !name.startsWith("data:")),
              outside: [...inside.querySelectorAll("svg.spark")].filter(svg => {{
                const card = svg.closest("figure").getBoundingClientRect();
                return [...svg.querySelectorAll("text")].some(text => {{
                  const box = text.getBoundingClientRect();
                  return box.left < card.left || box.right > card.right;
                }});
              }}).length,
            }};
          }});
          document.querySelector("pre").textContent = JSON.stringify(found);
        }};
        </script>"""
    )
    found = json.loads(done.stdout.rpartition("<pre>")[2].partition("</pre>")[0])
    assert len(found) == len(pages)
    for page, told in zip(pages, found, strict=True):
        assert told == {"sideways": False, "asked": [], "outside": 0}, page.name
    assert "CONSOLE" not in done.stderr


@pytest.mark.browser
def test_a_browser_shows_the_first_page_on_a_wide_screen(
    site: Path, in_a_browser: Callable[[Path, int], str]
) -> None:
    found = in_a_browser(site / "index.html", 1280)
    assert found == "images=0 broken=0 sideways=false squeezed=false"
