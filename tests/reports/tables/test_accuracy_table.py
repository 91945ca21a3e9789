"""How accuracy on data is told, beside PyTorch's and the published one."""

from typing import Any

import pandas as pd
import pytest

from mobilebench.reports.tables.accuracy_metrics import METRICS
from mobilebench.reports.tables.accuracy_table import accuracy_tables, measured, published

SSD, DEEPLAB = "ssdlite_mobilenet_v2_1.0_320", "deeplabv3_mobilenet_v2_1.0_513"
CLASSES = {
    "images": 250,
    "data": "holiday",
    "top1_percent": 79.6,
    "top5_percent": 94.8,
    "images_agreement": 0.996,
    "pytorch_top1_percent": 80.0,
    "pytorch_top5_percent": 95.2,
}
BOXES = {
    "images": 50,
    "data": "val2017",
    "map_percent": 21.4,
    "map_ci95_low_percent": 18.1,
    "map_ci95_high_percent": 24.7,
    "map50_percent": 36.2,
    "map50_ci95_low_percent": 32.0,
    "map50_ci95_high_percent": 40.4,
    "images_agreement": 0.998,
    "pytorch_map_percent": 21.5,
    "pytorch_map50_percent": 36.3,
}
MASKS = {
    "images": 1,
    "data": "val",
    "miou_percent": 74.2,
    "images_agreement": 0.9999,
    "pytorch_miou_percent": 74.3,
}


def frame_of(records: list[Any]) -> pd.DataFrame:
    return pd.DataFrame([vars(record) for record in records])


def test_top1_is_shown_beside_pytorch_s_and_the_published_one(make_record: Any) -> None:
    frame = frame_of([make_record(**CLASSES), make_record(runtime="torch")])
    (table,) = accuracy_tables(frame)
    assert table.title == "Accuracy: native on workbench, 1 thread"
    assert table.rows == (
        (
            *("mobilenet_v2_1.0_224", "tvm", "250", "79.6 [74.2, 84.1]", "94.8", "99.6"),
            *("80.0", "95.2", "71.8"),
        ),
    )
    assert "On 250 images (holiday), with 95 % Wilson intervals" in table.caption


def test_a_detector_s_map_has_its_interval_and_the_paper_s_beside_it(make_record: Any) -> None:
    (table,) = accuracy_tables(frame_of([make_record(SSD, **BOXES)]))
    assert table.title.startswith("Accuracy of detectors: ")
    assert table.headers == (
        *("variant", "runtime", "images", "mAP, %", "mAP50, %", "as PyTorch, %"),
        *("PyTorch mAP, %", "PyTorch mAP50, %", "published mAP, %"),
    )
    assert table.rows == (
        (
            *(SSD, "tvm", "50", "21.4 [18.1, 24.7]", "36.2 [32.0, 40.4]", "99.8"),
            *("21.5", "36.3", "22.1"),
        ),
    )
    assert "arXiv 1801.04381, on COCO's test-dev" in table.caption


def test_a_segmenter_s_miou_of_one_image_has_no_interval(make_record: Any) -> None:
    (table,) = accuracy_tables(frame_of([make_record(DEEPLAB, **MASKS)]))
    assert table.title.startswith("Accuracy of segmenters: ")
    assert table.headers[3:] == (
        *("mIoU, %", "as PyTorch, %", "PyTorch mIoU, %", "published mIoU, %"),
    )
    assert table.rows == ((DEEPLAB, "tvm", "1", "74.2", "100.0", "74.3", "75.7"),)


def test_an_unknown_agreement_is_a_dash(make_record: Any) -> None:
    (table,) = accuracy_tables(frame_of([make_record(SSD, **(BOXES | {"images_agreement": None}))]))
    assert table.rows[0][5] == "-"


def test_tasks_have_tables_of_their_own(make_record: Any) -> None:
    records = [make_record(SSD, **BOXES), make_record(DEEPLAB, **MASKS), make_record(**CLASSES)]
    tables = accuracy_tables(frame_of([*records, make_record("mobilenet_v2_0.5_160")]))
    assert [[row[0] for row in table.rows] for table in tables] == [
        ["mobilenet_v2_1.0_224"],
        [SSD],
        [DEEPLAB],
    ]


def test_without_images_there_is_no_accuracy(make_record: Any) -> None:
    assert accuracy_tables(frame_of([make_record(), make_record(SSD)])) == []


def test_two_checkpoints_of_a_variant_keep_what_was_published(make_record: Any) -> None:
    records = [
        make_record(weights=name, **(CLASSES | {"top1_percent": top1}))
        for name, top1 in (("a.pth", 70.0), ("b.pth", 71.0))
    ]
    (table,) = accuracy_tables(frame_of(records))
    assert [row[0] for row in table.rows] == [
        "mobilenet_v2_1.0_224 (a.pth)",
        "mobilenet_v2_1.0_224 (b.pth)",
    ]
    assert [row[-1] for row in table.rows] == ["71.8", "71.8"]


@pytest.mark.parametrize(
    ("measure", "record", "low", "high"),
    [
        (METRICS[0], ("mobilenet_v2_1.0_224", CLASSES), 74.2, 84.1),
        (METRICS[1], (SSD, BOXES), 18.1, 24.7),
    ],
)
def test_plotted_accuracy_has_the_interval_of_the_main_figure(
    make_record: Any, measure: Any, record: tuple[str, Any], low: float, high: float
) -> None:
    name, values = record
    accuracy = measured(frame_of([make_record(name, **values)]), measure)
    assert accuracy.rows["low"].item() == pytest.approx(low, abs=0.05)
    assert accuracy.rows["high"].item() == pytest.approx(high, abs=0.05)
    assert accuracy.axis.startswith(measure.figures[0].name)


def test_published_accuracy_has_no_interval(make_record: Any) -> None:
    frame = frame_of([make_record(), make_record("mobilenet_v1_1.0_224"), make_record(SSD)])
    accuracy = published(frame, METRICS[0])
    assert list(accuracy.rows["percent"]) == [71.8, 70.6, 22.1]
    assert accuracy.rows[["low", "high"]].isna().all(axis=None)
