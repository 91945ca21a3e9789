"""The page of loads: a section for each device, with traces, frames and energy."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mobilebench.reports.pages.report_page import write_report
from mobilebench.reports.records.store import Store
from mobilebench.reports.records.trace import TracePoint
from tests.reports.conftest import RUN

SLOWED = {
    "load_s": 600.0,
    "first_minute_ms": 3.0,
    "slows_after_s": 240.0,
    "steady_ms": 4.0,
    "speed_left": 0.75,
    "energy_per_inference_j": 0.0125,
    "power_w": 6.5,
    "idle_power_w": 2.25,
    "energy_source": "RAPL: package-0",
}
PACED = {"load_s": 60.0, "pace_fps": 30.0, "frames": 1800, "missed_deadlines": 17}
PACED |= {"dropped_frames": 3, "idle_share": 0.4375}


def trace(hot: bool) -> list[TracePoint]:
    return [
        TracePoint(
            time_s=second + 1.0,
            latency_ms=3.0 if second < 240 else 4.0,
            inferences=300,
            temperature_c=40 + second / 10 if hot else None,
        )
        for second in range(600)
    ]


@pytest.fixture
def report(store: Store, make_record: Any, tmp_path: Path) -> Path:
    """Return the folder of loads on two devices and an emulated one, and a row without a load."""
    store.add(make_record(**SLOWED), trace=trace(hot=True))
    steady = SLOWED | {"slows_after_s": None, "speed_left": 1.0, "energy_source": ""}
    steady |= {"energy_per_inference_j": None, "power_w": None, "idle_power_w": None}
    store.add(make_record(runtime="onnxruntime", **steady), trace=trace(hot=True))
    store.add(make_record(target="board", device="pi", **PACED), trace=trace(hot=False))
    emulated = make_record(target="emulated", device="qemu", emulated=True, **SLOWED)
    store.add(emulated, trace=trace(hot=False))
    store.add(make_record("mobilenet_v2_0.35_96"))
    return write_report(store, [RUN], tmp_path / "report").parent


def test_the_report_leads_to_the_page_and_back(report: Path) -> None:
    assert 'href="load.html"' in (report / "index.html").read_text(encoding="utf-8")
    assert 'href="index.html"' in (report / "load.html").read_text(encoding="utf-8")
    assert "- [Under load](load.md), 1 network on 3 devices" in (report / "report.md").read_text(
        encoding="utf-8"
    )


def test_each_device_has_a_section_with_its_traces_and_an_emulated_one_none(report: Path) -> None:
    page = (report / "load.html").read_text(encoding="utf-8")
    for device in ("workbench", "pi", "qemu (emulated)"):
        assert page.count(f"<h2>{device}</h2>") == 1
    assert page.count("data:image/png;base64,") == 2
    assert sorted(path.name for path in report.glob("load-*.png")) == [
        "load-0-0.png",
        "load-2-0.png",
    ]
    assert "The device does not tell its clock, power, load." in page
    assert "The device does not tell its temperature, clock, power, load." in page


def test_who_slowed_down_is_said_first(report: Path) -> None:
    page = (report / "load.html").read_text(encoding="utf-8")
    assert (
        "mobilenet_v2_1.0_224, 1 thread, tvm: slower after 240 s; 75% of the first minute&#39;s "
        "speed is left" in page
    )
    assert page.count("slower after 240 s") == 1


def test_the_tables_have_what_was_measured_and_dashes_for_the_rest(report: Path) -> None:
    lines = (report / "load.md").read_text(encoding="utf-8").splitlines()
    assert "|mobilenet_v2_1.0_224|tvm|600|3.00|240|4.00|75.0|" in lines
    assert "|mobilenet_v2_1.0_224|onnxruntime|600|3.00|-|4.00|100.0|" in lines
    assert "|mobilenet_v2_1.0_224|tvm|30|1800|17|3|43.8|" in lines
    assert "|mobilenet_v2_1.0_224|tvm|12.5|6.50|2.25|RAPL: package-0|" in lines
    energies = [line for line in lines if line.startswith("### Energy")]
    assert len(energies) == 2  # none of the board
    assert not any("onnxruntime" in line and "RAPL" in line for line in lines)


def test_the_csv_has_the_points(report: Path) -> None:
    found = pd.read_csv(report / "load.csv")
    assert len(found) == 4 * 600
    first = found[(found["runtime"] == "onnxruntime")].iloc[0]
    assert (first["time_s"], first["latency_ms"], first["temperature_c"]) == (1.0, 3.0, 40.0)
    assert found["power_w"].isna().all()
    assert {"batch", "weights", "optimize_for"} < set(found)


def test_without_a_load_there_is_no_such_page(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    store.add(make_record())
    out = write_report(store, [RUN], tmp_path / "report").parent
    assert not list(out.glob("load*"))
    assert "load.html" not in (out / "index.html").read_text(encoding="utf-8")


def test_a_load_for_energy_alone_has_a_table_and_no_plot(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    alone = {name: SLOWED[name] for name in SLOWED if "energy" in name or name.endswith("_w")}
    store.add(make_record(load_s=10.0, **alone))
    out = write_report(store, [RUN], tmp_path / "report").parent
    assert [path.name for path in sorted(out.glob("load*"))] == ["load.csv", "load.html", "load.md"]
    assert "### Energy" in (out / "load.md").read_text(encoding="utf-8")
    assert "### Sustained" not in (out / "load.md").read_text(encoding="utf-8")
