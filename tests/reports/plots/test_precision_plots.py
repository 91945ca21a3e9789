from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mobilebench.reports.plots.precision_plots import draw_precisions
from mobilebench.reports.tables.frames import undominated


def row(make_record: Any, variant: str, precision: str, latency_ms: float, top1: float) -> Any:
    record = make_record(variant, "tvm", latency_ms, precision=precision)
    share = 4 if precision == "float32" else 1
    sizes = {"params_bytes": share * record.params_count, "arena_bytes": share * 300_000}
    facts = {"images": 250, "data": "photos", "top1_percent": top1, "top5_percent": 90.0}
    return {**vars(record), **sizes, **facts}


def test_the_front_goes_over_precisions_and_variants(make_record: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [
            row(make_record, "mobilenet_v2_1.0_224", "float32", 7.0, 78.0),
            row(make_record, "mobilenet_v2_1.0_224", "int8", 3.2, 77.2),
            row(make_record, "mobilenet_v2_0.5_224", "float32", 2.9, 73.0),
            row(make_record, "mobilenet_v2_0.5_224", "int8", 1.4, 73.2),
        ]
    )
    (plot,) = draw_precisions(frame, tmp_path)
    assert (tmp_path / plot.file_name).read_bytes().startswith(b"\x89PNG")
    assert plot.name == "accuracy-by-precision-0"
    assert plot.alt.endswith("3 of 4 are on the front, 2 in int8, 1 in float32.")


@pytest.mark.parametrize("fault", ["one precision", "no memory", "emulated", "no images"])
def test_what_cannot_be_compared_is_not_drawn(make_record: Any, tmp_path: Path, fault: str) -> None:
    other = "float32" if fault == "one precision" else "int8"
    rows = [
        row(make_record, "mobilenet_v2_1.0_224", "float32", 7.0, 78.0),
        row(make_record, "mobilenet_v2_0.5_224", other, 3.2, 77.2),
    ]
    changed = {"no memory": "arena_bytes", "no images": "images"}.get(fault)
    frame = pd.DataFrame([{**one, **({changed: None} if changed else {})} for one in rows])
    assert draw_precisions(frame.assign(emulated=fault == "emulated"), tmp_path) == []


def test_a_row_is_beaten_only_by_one_that_is_as_good_in_all() -> None:
    frame = pd.DataFrame(
        {"ms": [1.0, 2.0, 2.0, 3.0], "mb": [2.0, 1.0, 2.0, 3.0], "best": [70.0, 70.0, 71.0, 71.0]}
    )
    assert list(undominated(frame, ["ms", "mb"], "best").index) == [0, 1, 2]
    same = frame.loc[[0, 0]].reset_index(drop=True)
    assert list(undominated(same, ["ms", "mb"], "best").index) == [0]
