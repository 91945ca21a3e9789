"""From an image file to an answer: tables and plots of the stages."""

from pathlib import Path
from typing import Any

import pandas as pd

from mobilebench.reports.plots.stages_plots import draw_stages
from mobilebench.reports.records.record import COLUMNS
from mobilebench.reports.tables.stages_table import STAGES, stage_tables

CLASSIFIER = {
    "stage_decode_ms": 4.0,
    "stage_resize_ms": 1.0,
    "stage_normalise_ms": 0.5,
    "stage_inference_ms": 3.0,
    "stage_top_k_ms": 0.5,
    "end_to_end_ms": 10.0,
    "stage_images": 20,
}


def test_stages_are_columns_of_records() -> None:
    found = [name for name in COLUMNS if name.startswith("stage_") and name.endswith("_ms")]
    assert found == list(STAGES)


def test_a_row_has_its_stages_their_sum_and_the_whole(make_record: Any) -> None:
    records = [
        make_record(runtime="torch", **CLASSIFIER | {"stage_inference_ms": 9.0}),
        make_record(**CLASSIFIER),
        make_record(runtime="ncnn"),  # without stages
    ]
    (table,) = stage_tables(pd.DataFrame(map(vars, records)))
    assert table.headers[2:7] == (
        *("decode, ms", "resize, ms", "normalise, ms", "inference, ms", "top-k, ms"),
    )
    tvm, torch = table.rows
    assert tvm[1:] == ("tvm", "4.00", "1.00", "0.500", "3.00", "0.500", "9.00", "10.0", "10.0 %")
    assert torch[1] == "torch"
    assert torch[-3:] == ("15.0", "10.0", "50.0 %")


def test_a_network_of_another_task_has_a_dash_for_a_stage_that_it_lacks(make_record: Any) -> None:
    detector = CLASSIFIER | {
        "stage_top_k_ms": None,
        "stage_boxes_ms": 0.5,
        "stage_suppress_ms": 1.0,
    }
    records = [
        make_record(**CLASSIFIER),
        make_record("ssdlite_mobilenet_v2_1.0_320", **detector),
    ]
    (table,) = stage_tables(pd.DataFrame(map(vars, records)))
    place = table.headers.index("suppress, ms")
    assert [row[place] for row in table.rows] == ["-", "1.00"]


def test_the_plot_tells_the_share_of_the_inference(make_record: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame([vars(make_record(**CLASSIFIER))])
    (plot,) = draw_stages(frame, tmp_path)
    assert (tmp_path / plot.file_name).stat().st_size > 1000
    assert "the inference is 30% of it" in plot.alt
    assert "20 images" in plot.caption


def test_of_many_rows_those_of_tvm_are_drawn(make_record: Any, tmp_path: Path) -> None:
    variants = [f"mobilenet_v2_1.0_{size}" for size in range(96, 256, 8)]
    records = [
        make_record(one, name, **CLASSIFIER) for one in variants for name in ("tvm", "torch")
    ]
    frame = pd.DataFrame(map(vars, records))
    (plot,) = draw_stages(frame, tmp_path)
    assert "20 rows" in plot.alt
    assert ", tvm. A piece for each stage" in plot.caption
    assert len(stage_tables(frame)[0].rows) == 40


def test_without_stages_there_is_neither_table_nor_plot(make_record: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame([vars(make_record())])
    assert stage_tables(frame) == []
    assert draw_stages(frame, tmp_path) == []
