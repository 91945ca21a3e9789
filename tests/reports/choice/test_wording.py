"""An answer in words, as a table and as data."""

import json
from typing import Any

from mobilebench.reports.choice.answer import (
    shown_over_budget,
    shown_runners_up,
    shown_settings,
)
from mobilebench.reports.choice.wording import (
    answer_table,
    describe,
    remarks,
    sentence,
    to_data,
    to_text,
)
from tests.reports.choice.conftest import Shelf

LATENCY_MS = 10.0


def stocked(shelf: Shelf) -> Shelf:
    sizes = {"params_bytes": 14_000_000, "arena_bytes": 4_000_000}
    shelf.add("1.4_224", 20.0, params_bytes=24_000_000, arena_bytes=6_000_000)
    shelf.add("1.0_224", 8.0, **sizes)
    shelf.add("1.0_224", 9.0, runtime="torch")
    shelf.add("1.0_224", 11.0, runtime="ncnn")
    shelf.add("1.0_192", 6.0, params_bytes=14_000_000, arena_bytes=3_000_000)
    shelf.add("1.0_192", 7.0, runtime="torch")
    return shelf


def test_the_sentence_names_network_resolution_precision_runtime_and_threads(shelf: Shelf) -> None:
    chosen = stocked(shelf).choose(latency_ms=LATENCY_MS).chosen
    assert chosen
    assert sentence(chosen) == (
        "mobilenet_v2_1.0_224 (224 x 224 pixels) at float32 in tvm on 1 thread: top-1 71.8 %, "
        "8.00 [7.92, 8.16] ms (median), 18.00 MB (weights and planned activations)."
    )


def test_code_for_little_memory_and_several_threads_are_named(shelf: Shelf) -> None:
    shelf.add("1.0_192x256", 8.0, threads=2, optimize_for="memory")
    (one,) = shelf.choose().unknown
    assert describe(one).endswith("(256 x 192 pixels) at float32 in tvm on 2 threads, compiled for "
                                  "little memory")  # fmt: skip


def test_each_that_was_left_out_says_why(shelf: Shelf) -> None:
    choice = stocked(shelf).choose(latency_ms=LATENCY_MS)
    (runner_up,) = shown_runners_up(choice)
    assert runner_up.candidate.cell.runtime == "tvm"
    assert runner_up.why == "top-1 1.1 points lower, 2.00 ms (25 %) faster, 1.00 MB smaller"
    torch, ncnn = shown_settings(choice)
    assert torch.why == "as accurate, 1.00 ms (12 %) slower"
    assert ncnn.why == "1.00 ms (10 %) slower than the budget"
    (over,) = shown_over_budget(choice)
    assert over.why == "10.0 ms (100 %) slower than the budget"


def test_an_accuracy_that_is_another_precision_s_comes_second(shelf: Shelf) -> None:
    shelf.add("1.0_224", 4.0, precision="int8")
    shelf.add("1.0_224", 8.0)
    choice = shelf.choose(latency_ms=LATENCY_MS)
    (runner_up,) = shown_runners_up(choice)
    assert choice.chosen
    assert choice.chosen.cell.precision == "float32"
    assert runner_up.why.startswith("as accurate only by what was published for float32, 4.00 ms")


def test_what_is_over_the_budget_and_less_accurate_is_not_shown(shelf: Shelf) -> None:
    shelf.add("1.0_224", 8.0)
    shelf.add("1.0_192", 12.0)
    assert shown_over_budget(shelf.choose(latency_ms=LATENCY_MS)) == []


def test_the_table_has_a_row_for_each_and_marks_what_was_not_measured(shelf: Shelf) -> None:
    table = answer_table(stocked(shelf).choose(latency_ms=LATENCY_MS))
    parts = [row[0] for row in table.rows]
    assert parts == ["chosen", "otherwise", "otherwise", "runner-up", "over budget"]
    assert table.rows[0][1:] == (
        "mobilenet_v2_1.0_224", "float32", "tvm", "1", "71.8*", "8.00", "18.00", "",
    )  # fmt: skip
    assert "*: published, not measured" in table.caption
    lines = to_text(table).splitlines()
    assert len(lines) == 1 + 5 + 4  # the choice needs no reason
    assert lines[1].startswith("chosen ")


def test_remarks_say_whose_accuracy_it_is_and_what_failed(shelf: Shelf) -> None:
    stocked(shelf)
    shelf.add("1.3_224", None, status="crashed", error="boom")
    shelf.add("0.35_96", 1.0, weights="a.pth", images=10, data="val", top1_percent=40.0)
    choice, rows = shelf.choose(latency_ms=LATENCY_MS), shelf.rows()
    text = "\n".join(remarks(choice, rows))
    assert "published: TensorFlow models" in text
    assert "Some figures are measured and others published" in text
    assert "newest row is not ok: 1 crashed" in text


def test_remarks_say_what_makes_the_answer_doubtful(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.95, precision="int8", warnings="the machine was busy", emulated=True)
    choice, rows = shelf.choose(latency_ms=LATENCY_MS), shelf.rows()
    text = "\n".join(remarks(choice, rows))
    assert "published for float32" in text
    assert "the upper end of its 95 % interval (10.1 ms) is not" in text
    assert "has a warning: the machine was busy" in text
    assert "latencies are the emulator's" in text


def test_memory_of_two_kinds_is_told_apart_where_it_counts(shelf: Shelf) -> None:
    shelf.add("1.0_224", 8.0)
    shelf.add("1.0_224", 9.0, runtime="ncnn", base_rss_bytes=190_000_000)
    rows = shelf.rows()
    assert not any("growth" in one for one in remarks(shelf.choose(), rows))
    assert any("growth" in one for one in remarks(shelf.choose(memory_bytes=1e9), rows))


def test_all_of_the_answer_is_data(shelf: Shelf) -> None:
    stocked(shelf)
    shelf.add("0.35_96", 1.0, runtime="ncnn", peak_rss_bytes=None)
    choice = shelf.choose(latency_ms=LATENCY_MS, memory_bytes=1e9)
    data: dict[str, Any] = json.loads(json.dumps(to_data(choice, shelf.rows()), allow_nan=False))
    assert data["choice"]["variant"] == "mobilenet_v2_1.0_224"
    assert data["choice"]["accuracy"]["percent"] == 71.8
    assert data["choice"]["memory"] == "weights and planned activations"
    assert len(data["runners_up"]) + len(data["over_budget"]) == 6
    excesses = {one["quantity"] for over in data["over_budget"] for one in over["excesses"]}
    assert excesses == {"latency", "memory"}
    assert data["devices"] == ["workbench"]
