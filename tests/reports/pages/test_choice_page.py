"""The page on which one chooses: its content, and what it does in a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobilebench.reports.choice.budgets import Budgets
from mobilebench.reports.choice.candidates import Wanted, read_target
from mobilebench.reports.choice.choose import choose
from mobilebench.reports.choice.wording import sentence
from mobilebench.reports.pages.choice_page import find_places
from mobilebench.reports.pages.report_page import write_report
from mobilebench.reports.records.store import Run, Store
from tests.reports.browser import Browser

RUN = "20260102-030405-abcd"
MULTIPLIERS = {"1.4": 1.9, "1.0": 1.0, "0.5": 0.45, "0.35": 0.3}
ANSWER = "document.getElementById('answer').textContent"
NOTHING = "Nothing that was measured meets these budgets."


def fill(store: Store, make_record: Any) -> None:
    for name, times in MULTIPLIERS.items():
        for threads in (1, 2):
            for runtime, slower in (("tvm", 1.0), ("torch", 2.5)):
                store.add(
                    make_record(
                        f"mobilenet_v2_{name}_224",
                        runtime,
                        latency_ms=9.0 * times * slower / threads,
                        threads=threads,
                        base_rss_bytes=150_000_000,
                    )
                )
    store.add(make_record("mobilenet_v2_1.3_224", status="crashed", latency_ms=None))
    store.add(make_record("mobilenet_v2_0.9_224", latency_ms=1.0))  # of unknown accuracy
    for runtime in ("tvm", "torch"):
        store.add(make_record("ssdlite_mobilenet_v2_1.0_320", runtime, latency_ms=30.0))
    store.add(make_record("mobilenet_v2_1.3_224", target="fake", emulated=True, latency_ms=1.0))


@pytest.fixture(scope="module")
def filled(make_record: Any, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(str(tmp_path_factory.mktemp("choice") / "store.sqlite"))
    store.begin_run(Run(RUN, "2026-01-02T03:04:05+00:00", {}))
    fill(store, make_record)
    return store


@pytest.fixture(scope="module")
def page(filled: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    report = write_report(filled, [RUN], tmp_path_factory.mktemp("pages") / "report")
    return report.parent / "choice.html"


def slide(browser: Browser, name: str, value: int) -> None:
    browser.evaluate(
        f"(s => {{ s.value = {value}; s.dispatchEvent(new Event('input', {{bubbles: true}})) }})"
        f"(document.getElementById('{name}'))"
    )


def test_the_report_leads_to_the_page_and_back(page: Path) -> None:
    assert 'href="choice.html"' in (page.parent / "index.html").read_text(encoding="utf-8")
    assert 'href="index.html"' in page.read_text(encoding="utf-8")


def test_a_place_is_one_task_on_one_kind_of_device_and_no_emulator(filled: Store) -> None:
    places = find_places(filled, [RUN])
    assert [place.title for place in places] == ["native, classify", "native, detect"]
    assert len(places[1].candidates) == 2
    classifiers = places[0].candidates
    assert len(classifiers) == 16
    percents = [one.accuracy.percent for one in classifiers if one.accuracy]
    assert percents == sorted(percents, reverse=True)


def test_batches_and_streams_are_nothing_to_choose(store: Store, make_record: Any) -> None:
    for name in ("1.0", "0.5"):
        for others in ({}, {"batch": 4}, {"streams": 2}):
            store.add(make_record(f"mobilenet_v2_{name}_224", **others))
    (place,) = find_places(store, [RUN])
    chosen_from = read_target(store, Wanted("native", "classify")).candidates
    for candidates in (place.candidates, chosen_from):
        assert len(candidates) == 2
        assert {(one.cell.batch, one.cell.streams) for one in candidates} == {(1, 1)}


def test_devices_that_are_not_alike_are_places_of_their_own(store: Store, make_record: Any) -> None:
    for cpu, runtime in (("Fast", "tvm"), ("Slow", "torch")):
        for threads in (1, 2):
            store.add(make_record(runtime=runtime, device=cpu, cpu_model=cpu, threads=threads))
    titles = [place.title for place in find_places(store, [RUN])]
    assert titles == ["native, classify, Fast", "native, classify, Slow"]


def test_a_report_without_an_accuracy_has_no_such_page(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    store.add(make_record("mobilenet_v2_0.9_224"))
    store.add(make_record("mobilenet_v2_1.0_224"))  # of one there is no choice
    report = write_report(store, [RUN], tmp_path / "report")
    assert not (report.parent / "choice.html").exists()
    assert "choice.html" not in report.read_text(encoding="utf-8")


def test_names_in_the_data_are_only_text(store: Store, make_record: Any, tmp_path: Path) -> None:
    for threads in (1, 2):
        warning = "</script><script>alert(1)</script>"
        store.add(make_record(warnings=warning, threads=threads))
    report = write_report(store, [RUN], tmp_path / "report")
    text = (report.parent / "choice.html").read_text(encoding="utf-8")
    assert "alert(1)" in text
    assert text.count("</script>") == 2


@pytest.mark.browser
def test_the_page_answers_as_the_command_does(page: Path, filled: Store, browser: Browser) -> None:
    rows = read_target(filled, Wanted("native", "classify"))
    browser.open(page)
    answers = set()
    for ms in (100, 45, 30, 10):
        for mb in (100, 60, 0):
            for percent in (0, 50, 90):
                for name, value in (("ms", ms), ("mb", mb), ("percent", percent)):
                    slide(browser, name, value)
                limits = browser.evaluate("read().budgets")  # JSON has no infinity
                chosen = choose(
                    rows,
                    Budgets(
                        limits["ms"],
                        limits["mb"] and limits["mb"] * 1e6,
                        limits["percent"],
                    ),
                ).chosen
                expected = sentence(chosen) if chosen else NOTHING
                assert browser.evaluate(ANSWER) == expected, (ms, mb, percent)
                answers.add(expected)
    assert len(answers) > 4
    assert browser.log == []


@pytest.mark.browser
def test_all_of_it_can_be_done_with_the_keyboard(page: Path, browser: Browser) -> None:
    browser.open(page)
    focused = "document.activeElement.id || document.activeElement.value"
    before = browser.evaluate(ANSWER)
    order = []
    for _ in range(9):
        browser.press("Tab")
        order.append(browser.evaluate(focused))
    assert order[1:] == ["place", "ms", "mb", "percent", "torch", "tvm", "1", "2"]
    browser.evaluate("document.getElementById('ms').focus()")
    browser.press(*["ArrowLeft"] * 60)
    assert "no limit" not in browser.evaluate("document.getElementById('ms-shown').textContent")
    limited = browser.evaluate(ANSWER)
    assert limited != before
    browser.press("End")
    assert browser.evaluate(ANSWER) == before
    browser.press("Tab", "Home")
    assert browser.evaluate("document.activeElement.getAttribute('aria-valuetext')") != "no limit"
    assert browser.evaluate(ANSWER) != before
    browser.press("End", "Tab", "End")
    assert browser.evaluate("document.activeElement.id") == "percent"
    browser.press("Home", "Tab", "Tab")
    assert " in tvm on 2 threads" in browser.evaluate(ANSWER)
    browser.press("Space")  # without tvm
    assert " in torch on 2 threads" in browser.evaluate(ANSWER)
    browser.evaluate("document.getElementById('place').focus()")
    browser.press("ArrowDown")
    assert browser.evaluate(ANSWER).startswith("ssdlite_mobilenet_v2_1.0_320")


@pytest.mark.browser
def test_the_front_and_the_choice_are_drawn_and_what_is_left_out_says_why(
    page: Path, browser: Browser
) -> None:
    browser.open(page)
    slide(browser, "ms", 50)
    count = "document.querySelectorAll('#by-ms {}').length"
    within, out = (browser.evaluate(count.format(name)) for name in (".dot", ".out"))
    assert (within + out, browser.evaluate(count.format(".chosen"))) == (16, 1)
    assert browser.evaluate(count.format(".line")) == browser.evaluate(count.format(".limit")) == 1
    reasons = browser.evaluate(
        "[...document.querySelectorAll('#others tr')].map(row => row.lastChild.textContent)"
    )
    assert any("points lower" in reason for reason in reasons)
    assert any("slower than the budget" in reason for reason in reasons)
    asked = "performance.getEntriesByType('resource').length"
    assert browser.evaluate(asked) == 0
    assert browser.log == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1280])
def test_a_browser_shows_the_page_without_sideways_scrolling(
    page: Path, in_a_browser: Callable[[Path, int], str], width: int
) -> None:
    assert in_a_browser(page, width) == "images=0 broken=0 sideways=false squeezed=false"
