import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mobilebench.reports.records.record import COLUMNS
from mobilebench.reports.records.store import Store
from mobilebench.reports.tables import frames


def frame_of(records: list[Any]) -> pd.DataFrame:
    return pd.DataFrame([vars(record) for record in records])


def test_gathering_keeps_every_column_in_order(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    store.add(make_record(), [[3.0, 3.1]])
    frame = frames.gather(store, [make_record().run_id])
    assert tuple(frame.columns) == COLUMNS
    frames.write_csv(frame, tmp_path / "records.csv")
    header, *rows = (tmp_path / "records.csv").read_text().splitlines()
    assert header == ",".join(COLUMNS)
    assert len(rows) == 1


def test_gathering_nothing_gives_an_empty_frame_with_columns(store: Store) -> None:
    assert tuple(frames.gather(store, ["nothing"]).columns) == COLUMNS


def test_ratios_say_how_much_longer_the_others_take(make_record: Any) -> None:
    frame = frame_of(
        [
            make_record(latency_ms=2.0),
            make_record(runtime="torch", latency_ms=8.0),
            make_record(runtime="onnxruntime", latency_ms=None, status="crashed"),
        ]
    )
    ratio = frames.ratios(frame)
    assert list(ratio.columns) == ["torch"]
    assert ratio.loc["mobilenet_v2_1.0_224", "torch"] == pytest.approx(4.0)


def test_ratios_are_empty_without_the_main_runtime(make_record: Any) -> None:
    assert len(frames.ratios(frame_of([make_record(runtime="torch")])).columns) == 0


def test_geometric_mean_leaves_out_what_is_missing() -> None:
    assert frames.geometric_mean(pd.Series([2.0, 8.0, math.nan])) == pytest.approx(4.0)
    assert math.isnan(frames.geometric_mean(pd.Series([], dtype=float)))


def test_setups_never_mix_targets_devices_threads_or_emulation(make_record: Any) -> None:
    frame = frame_of(
        [
            make_record(),
            make_record(threads=2),
            make_record(target="x86-64-v3"),
            make_record(device="elsewhere"),
            make_record(emulated=True),
        ]
    )
    assert len(list(frames.setups(frame))) == 5


def test_setups_order_variants_by_size(make_record: Any) -> None:
    names = ["mobilenet_v2_1.0_224", "mobilenet_v2_0.35_96", "mobilenet_v2_0.5_160"]
    ((_, rows),) = frames.setups(frame_of([make_record(name) for name in names]))
    assert list(rows["width_multiplier"]) == [0.35, 0.5, 1.0]


def test_the_newest_row_of_a_cell_wins(make_record: Any) -> None:
    frame = frame_of([make_record(latency_ms=3.0), make_record(run_id="later", latency_ms=4.0)])
    assert list(frames.newest(frame)["latency_p50_ms"]) == [4.0]


def test_the_pareto_front_holds_what_no_other_row_beats() -> None:
    frame = pd.DataFrame({"ms": [1, 2, 2, 3, 4], "top1": [40, 50, 55, 54, 60]})
    front = frames.pareto_front(frame, "ms", "top1")
    assert list(zip(front["ms"], front["top1"], strict=True)) == [(1, 40), (2, 55), (4, 60)]


def test_published_accuracy_joins_only_what_was_published(make_record: Any) -> None:
    figures = {
        "mobilenet_v2_1.0_224": 71.8,
        "mobilenet_v1_1.0_224": 70.6,
        "ssdlite_mobilenet_v2_1.0_320": 22.1,
        "deeplabv3_mobilenet_v2_1.0_513": 75.7,
        "deeplabv3_mobilenet_v2_1.0_513_noaspp": 75.32,
    }
    others = [
        "mobilenet_v2_1.0_224_t4",
        "mobilenet_v2_1.0_192x224",
        "mobilenet_v2_0.6_224",
        "mobilenet_v1_0.5_224",  # of which V2 has a figure
        "ssdlite_mobilenet_v2_1.0_224",
        "deeplabv3_mobilenet_v2_1.0_513_os8",  # published of several scales, and flipped
    ]
    joined = frames.with_published(frame_of([make_record(name) for name in [*others, *figures]]))
    assert dict(zip(joined["variant"], joined["published_percent"], strict=True)) == figures


@pytest.mark.parametrize(
    ("variant", "network", "label"),
    [
        ("mobilenet_v2_1.0_224", "mobilenet_v2", "1.0-224"),
        ("mobilenet_v2_0.35_96 (a_1.0_2.pth)", "mobilenet_v2", "0.35-96"),
        ("mobilenet_v2_1.0_160x96_t4", "mobilenet_v2", "1.0-160x96 t4"),
        ("mobilenet_v1_0.5_128", "mobilenet_v1", "V1 0.5-128"),
        ("ssdlite_mobilenet_v2_1.0_320", "ssdlite_mobilenet_v2", "1.0-320"),
        (
            "deeplabv3_mobilenet_v2_1.0_513_os8_noaspp",
            "deeplabv3_mobilenet_v2_os8_noaspp",
            "1.0-513 os8 noaspp",
        ),
    ],
)
def test_a_variant_s_name_tells_its_network_and_what_plots_call_it(
    variant: str, network: str, label: str
) -> None:
    assert frames.network_of(variant) == network
    assert frames.label_of(variant) == label
