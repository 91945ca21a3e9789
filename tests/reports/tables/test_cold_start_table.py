"""What a first answer costs: tables and plots of loading, the first inference and later ones."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mobilebench.reports.plots.cold_start_plots import draw_cold_starts
from mobilebench.reports.tables.cold_start_table import cold_start_tables

TVM = {"load_ms": 0.25, "first_inference_ms": 6.0}
OTHER = {"load_ms": 40.0, "first_inference_ms": 5.0}


@pytest.fixture
def frame(make_record: Any) -> pd.DataFrame:
    records = [
        make_record(runtime="onnxruntime", latency_ms=4.0, **OTHER),
        make_record(latency_ms=3.0, **TVM),
        make_record(runtime="torch", latency_ms=9.0),  # of a store from before
        make_record(runtime="ncnn", latency_ms=None, status="wrong", load_ms=7.0),
    ]
    return pd.DataFrame(map(vars, records))


def test_a_row_has_loading_the_first_inference_and_each_later_one(frame: pd.DataFrame) -> None:
    (table,) = cold_start_tables(frame)
    assert table.rows == (
        ("mobilenet_v2_1.0_224", "tvm", "0.250", "6.00", "6.25", "3.00", "2.00"),
        ("mobilenet_v2_1.0_224", "onnxruntime", "40.0", "5.00", "45.0", "4.00", "1.25"),
    )


def test_rows_of_a_store_from_before_have_no_table_and_no_plot(
    make_record: Any, tmp_path: Path
) -> None:
    frame = pd.DataFrame([vars(make_record())])
    assert cold_start_tables(frame) == []
    assert draw_cold_starts(frame, tmp_path) == []


def test_the_plot_names_what_it_shows(frame: pd.DataFrame, tmp_path: Path) -> None:
    (plot,) = draw_cold_starts(frame, tmp_path)
    assert (tmp_path / plot.file_name).stat().st_size > 1000
    assert "2 runtimes, 1 variant" in plot.alt
    assert "Geometric mean" not in plot.caption


def test_times_of_an_emulator_are_in_the_table_and_not_drawn(
    make_record: Any, tmp_path: Path
) -> None:
    frame = pd.DataFrame([vars(make_record(emulated=True, **TVM))])
    assert len(cold_start_tables(frame)) == 1
    assert draw_cold_starts(frame, tmp_path) == []
