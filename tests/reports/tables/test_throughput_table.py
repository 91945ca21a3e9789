from dataclasses import asdict
from typing import Any

import pandas as pd

from mobilebench.reports.plots.throughput_plot import draw_throughput
from mobilebench.reports.tables.throughput_table import throughput_tables


def frame_of(make_record: Any, *others: dict[str, Any]) -> pd.DataFrame:
    """Return rows of TVM and another runtime at batches of 1 and 4, and what else is given."""
    speeds = {("tvm", 1): 300.0, ("tvm", 4): 400.0, ("openvino", 1): 200.0, ("openvino", 4): 320.0}
    rows = [
        make_record(runtime=runtime, batch=batch, throughput_per_s=speed, latency_ms=batch * 3.0)
        for (runtime, batch), speed in speeds.items()
    ]
    rows += [make_record(**one) for one in others]
    return pd.DataFrame([asdict(row) for row in rows])


def test_a_table_sets_the_runtimes_beside_each_other_at_each_batch(make_record: Any) -> None:
    slow = {"runtime": "torch", "throughput_per_s": 9.25}
    (table,) = throughput_tables(frame_of(make_record, slow))
    assert table.headers[1:3] == ("batch", "streams")
    assert [row[1:] for row in table.rows] == [
        ("1", "1", "300", "200", "9.2", "1.50 (openvino)"),
        ("4", "1", "400", "320", "-", "1.25 (openvino)"),
        ("1", "1", "", "", "", "1.50"),
        ("4", "1", "", "", "", "1.25"),
    ]


def test_streams_are_told_apart_and_emulated_devices_left_out(make_record: Any) -> None:
    two = {"streams": 2, "throughput_per_s": 590.0}
    emulated = [
        {"device": "board", "emulated": True, "batch": batch, "throughput_per_s": 1.0}
        for batch in (1, 2)
    ]
    (table,) = throughput_tables(frame_of(make_record, two, *emulated))
    assert [row[1:4] for row in table.rows[:3]] == [
        ("1", "1", "300"),
        ("1", "2", "590"),
        ("4", "1", "400"),
    ]


def test_rows_of_one_batch_and_stream_have_no_table(make_record: Any) -> None:
    frame = frame_of(make_record)
    assert throughput_tables(frame[frame["batch"] == 1]) == []


def test_a_plot_shows_every_runtime_and_batch(make_record: Any, tmp_path: Any) -> None:
    (plot,) = draw_throughput(frame_of(make_record), tmp_path)
    assert (tmp_path / plot.file_name).stat().st_size > 1000
    assert "at most 400 images a second, of tvm in batches of 4" in plot.alt
