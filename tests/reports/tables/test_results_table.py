from typing import Any

import pandas as pd

from mobilebench.reports.tables import results_table as results
from mobilebench.reports.tables.table import Table


def frame_of(records: list[Any]) -> pd.DataFrame:
    return pd.DataFrame([vars(record) for record in records])


def by_title(frame: pd.DataFrame, start: str) -> Table:
    return next(table for table in results.result_tables(frame) if table.title.startswith(start))


def test_latency_shows_the_interval_and_the_fastest_other(make_record: Any) -> None:
    table = by_title(
        frame_of(
            [
                make_record(latency_ms=2.0),
                make_record(runtime="torch", latency_ms=8.0),
                make_record(runtime="onnxruntime", latency_ms=3.0),
            ]
        ),
        "Latency",
    )
    assert table.headers == (
        "variant", "tvm, ms", "onnxruntime, ms", "torch, ms", "fastest other / tvm"
    )  # fmt: skip
    assert table.rows[0][1:] == (
        "2.00 [1.98, 2.04]", "3.00 [2.97, 3.06]", "8.00 [7.92, 8.16]", "1.50 (onnxruntime)"
    )  # fmt: skip
    assert table.rows[-1] == ("geometric mean", "", "1.50 × tvm", "4.00 × tvm", "1.50")


def test_instructions_are_in_millions_beside_what_each_does(make_record: Any) -> None:
    macs = make_record().macs
    table = by_title(
        frame_of(
            [
                make_record(instructions=macs // 4, emulated=True),
                make_record(runtime="torch", emulated=True),  # of which nobody counted
                make_record(runtime="onnxruntime", instructions=macs // 2, emulated=True),
            ]
        ),
        "Instructions",
    )
    assert table.headers == (
        *("variant", "tvm, million", "onnxruntime, million"),
        *("MACs / tvm's", "MACs / onnxruntime's", "fewest other / tvm"),
    )
    million = f"{macs / 4e6:.3f}"
    assert table.rows[0][1:2] + table.rows[0][3:] == (million, "4.00", "2.00", "2.00 (onnxruntime)")
    assert table.rows[1] == ("geometric mean", "", "", "", "", "2.00")


def test_without_a_count_there_is_no_table_of_instructions(make_record: Any) -> None:
    titles = [table.title for table in results.result_tables(frame_of([make_record()]))]
    assert not any(title.startswith("Instructions") for title in titles)


def test_a_failed_row_has_no_latency_but_is_listed(make_record: Any) -> None:
    frame = frame_of(
        [
            make_record(),
            make_record(runtime="torch", status="wrong", error="off by a mile"),
        ]
    )
    assert "torch, ms" not in by_title(frame, "Latency").headers
    failed = results.failed_table(frame)
    assert failed is not None
    assert failed.rows == (
        (
            *("mobilenet_v2_1.0_224", "native", "workbench", "torch", "1", "float32"),
            *("wrong", "off by a mile"),
        ),
    )


def test_without_failures_there_is_no_table_of_them(make_record: Any) -> None:
    assert results.failed_table(frame_of([make_record()])) is None
    assert results.warnings_table(frame_of([make_record()])) is None


def test_a_noisy_row_is_marked_and_explained(make_record: Any) -> None:
    frame = frame_of([make_record(warnings="spread: 20%")])
    assert by_title(frame, "Latency").rows[0][1].endswith("†")
    warned = results.warnings_table(frame)
    assert warned is not None
    assert warned.rows[0][-1] == "spread: 20%"


def test_titles_of_emulated_setups_are_labelled(make_record: Any) -> None:
    found = results.result_tables(frame_of([make_record(emulated=True)]))
    assert found
    assert all("emulated" in table.title for table in found)


def test_memory_is_in_millions_of_bytes(make_record: Any) -> None:
    row = by_title(frame_of([make_record(arena_bytes=6_020_000)]), "Memory").rows[0]
    assert row[:3] == ("mobilenet_v2_1.0_224", "4.82", "6.02")


def test_the_environment_shows_a_range_where_it_moved(make_record: Any) -> None:
    frame = frame_of([make_record(load_1m=0.5), make_record(runtime="torch", load_1m=1.5)])
    rows = {row[0]: row[1] for row in results.environment_table(frame).rows}
    assert rows["load, 1 min"] == "0.5 to 1.5"
    assert rows["CPU"] == "Imaginary CPU"
    assert rows["runtimes"] == "tvm 1.2.3, torch 1.2.3"
    assert "governor" not in rows  # the device did not tell


def test_markdown_keeps_cells_in_their_columns() -> None:
    table = Table("Title", "Caption.", ("a", "b"), (("x|y", "two\nlines"),))
    assert table.to_markdown().splitlines()[-3:] == ["|a|b|", "|---|---:|", "|x\\|y|two lines|"]


def test_text_that_looks_like_a_tag_is_kept_in_markdown(make_record: Any) -> None:
    failed = results.failed_table(frame_of([make_record(status="crashed", error="<b>&\r\nno|")]))
    assert failed is not None
    assert failed.to_markdown().splitlines()[-1].endswith("|&lt;b>&amp; no\\||")


def test_failed_and_noisy_emulated_rows_are_labelled(make_record: Any) -> None:
    frame = frame_of(
        [
            make_record(emulated=True, status="timed_out"),
            make_record(emulated=True, runtime="torch", warnings="spread: 20%"),
            make_record(threads=2, warnings="spread: 30%"),
        ]
    )
    failed, noisy = results.failed_table(frame), results.warnings_table(frame)
    assert failed is not None
    assert noisy is not None
    assert [row[1] for row in failed.rows] == ["native (emulated)"]
    assert [row[1] for row in noisy.rows] == ["native (emulated)", "native"]


def test_two_checkpoints_of_a_variant_are_separate(make_record: Any) -> None:
    records = [make_record(weights=name) for name in ("a.pth", "b.pth")]
    frame = frame_of([*records, make_record("mobilenet_v2_0.5_160", weights="c.pth")])
    names = ["mobilenet_v2_0.5_160", "mobilenet_v2_1.0_224 (a.pth)", "mobilenet_v2_1.0_224 (b.pth)"]
    assert [row[0] for row in by_title(frame, "Latency").rows] == names


def test_fidelity_includes_the_error_of_a_detector_s_boxes(make_record: Any) -> None:
    detector = {"max_box_error_px": 3.14e-5, "top1_agreement": 0.9996}
    frame = frame_of(
        [
            make_record(),
            make_record("ssdlite_mobilenet_v2_1.0_320", **detector),
            make_record("ssdlite_mobilenet_v2_1.0_320", "torch", max_box_error_px=0.0),
            make_record("deeplabv3_mobilenet_v2_1.0_513"),
        ]
    )
    table = by_title(frame, "Fidelity")
    assert table.headers == (
        *("variant", "tvm, error", "torch, error", "tvm, top-1 %", "torch, top-1 %"),
        *("tvm, box px", "torch, box px"),
    )
    assert [row[-2:] for row in table.rows] == [("-", "-"), ("3.1e-05", "0.0e+00"), ("-", "-")]
    assert "of a detector's anchors, of a segmenter's pixels with the same top" in table.caption
    assert "in pixels of the input" in table.caption


def test_fidelity_of_classifiers_is_of_inputs_alone(make_record: Any) -> None:
    table = by_title(frame_of([make_record()]), "Fidelity")
    assert table.headers == ("variant", "tvm, error", "tvm, top-1 %")
    assert table.caption.endswith("and the share of them with the same top class.")


def test_what_is_unsupported_is_not_failed(make_record: Any) -> None:
    reason = "torch is measured at float32 only"
    lacking = [
        make_record(variant, "torch", None, precision="int8", status="unsupported", error=reason)
        for variant in ("mobilenet_v2_1.0_224", "mobilenet_v2_0.35_96")
    ]
    frame = frame_of([make_record(), *lacking])
    assert results.failed_table(frame) is None
    table = results.unsupported_table(frame)
    assert table is not None
    assert table.rows == (("torch", "int8", "native", reason, "2"),)
    assert results.unsupported_table(frame_of([make_record()])) is None


def test_precisions_stand_beside_each_other(make_record: Any) -> None:
    rows = [
        make_record(latency_ms=6.0),
        make_record(latency_ms=2.0, precision="int8"),
        make_record(runtime="openvino", latency_ms=5.0),
        make_record(runtime="torch", latency_ms=9.0),
        make_record(runtime="openvino", latency_ms=2.5, precision="int8"),
    ]
    (table,) = results.precisions_table(frame_of(rows))
    assert table.headers == ("variant", "runtime", "float32, ms", "int8, ms", "float32 / best")
    assert [row[1:] for row in table.rows] == [
        ("tvm", "6.00", "2.00 *", "3.00"),
        ("openvino", "5.00 *", "2.50", "2.00"),
        ("torch", "9.00", "-", "1.00"),
    ]
    assert results.precisions_table(frame_of(rows[:1])) == []


def test_the_way_to_a_device_is_explained_where_it_was_measured(make_record: Any) -> None:
    here = by_title(frame_of([make_record()]), "Cost")
    there = make_record(host_to_device_ms=0.1, device_to_host_ms=0.1)
    assert "To the device" not in here.caption
    assert "To the device" in by_title(frame_of([there]), "Cost").caption
