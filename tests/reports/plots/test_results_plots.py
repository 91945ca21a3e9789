import struct
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mobilebench.bench.models.variant import paper_grid, published_grid
from mobilebench.bench.runtimes.runtime import RUNTIMES
from mobilebench.reports.plots import results_plots as results
from mobilebench.reports.plots.plot import canvas, logarithmic
from mobilebench.reports.plots.results_plots import draw
from mobilebench.reports.tables.frames import setups


def frame_of(records: list[Any]) -> pd.DataFrame:
    return pd.DataFrame([vars(record) for record in records])


def drawn(records: list[Any], out: Path) -> list[str]:
    plots = draw(frame_of(records), out)
    for plot in plots:
        data = (out / plot.file_name).read_bytes()
        width, height = struct.unpack(">II", data[16:24])
        assert data.startswith(b"\x89PNG")
        assert min(width, height) > 200
        assert plot.alt
    assert sorted(path.name for path in out.iterdir()) == sorted(p.file_name for p in plots)
    return [plot.file_name.rpartition("-")[0] for plot in plots]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    path = tmp_path / "plots"
    path.mkdir()
    return path


def test_the_published_grid_has_all_four_plots(make_record: Any, out: Path) -> None:
    records = [
        make_record(variant.name, runtime, 1.0 + index)
        for index, variant in enumerate(published_grid())
        for runtime in ("tvm", "torch")
    ]
    assert drawn(records, out) == [
        "latency-by-macs",
        "heat-maps-mobilenet_v2",
        "accuracy-by-latency",
        "runtimes",
    ]


def test_one_row_alone_has_nothing_to_compare(make_record: Any, out: Path) -> None:
    assert drawn([make_record()], out) == []


def test_one_variant_is_compared_across_runtimes(make_record: Any, out: Path) -> None:
    assert drawn([make_record(), make_record(runtime="torch")], out) == ["runtimes"]


def test_variants_that_were_never_published_are_plotted_without_accuracy(
    make_record: Any, out: Path
) -> None:
    names = ["mobilenet_v2_1.0_192x256", "mobilenet_v2_0.9_224"]
    assert drawn([make_record(name) for name in names], out) == ["latency-by-macs"]


def test_only_non_square_variants_still_draw(make_record: Any, out: Path) -> None:
    names = ["mobilenet_v2_1.0_192x256", "mobilenet_v2_1.0_128x256"]
    assert drawn([make_record(name) for name in names], out) == ["latency-by-macs"]


@pytest.mark.parametrize("status", ["wrong", "crashed", "timed_out"])
def test_failed_rows_are_never_plotted(make_record: Any, out: Path, status: str) -> None:
    records = [make_record(), make_record(runtime="torch", status=status)]
    assert drawn(records, out) == []


def test_emulated_latency_is_never_plotted(make_record: Any, out: Path) -> None:
    records = [make_record(runtime=name, emulated=True) for name in ("tvm", "torch")]
    assert drawn(records, out) == []


def test_missing_cells_leave_holes(make_record: Any, out: Path) -> None:
    names = ["mobilenet_v2_1.0_224", "mobilenet_v2_0.35_96"]
    records = [make_record(name, arena_bytes=None) for name in names]
    assert "heat-maps-mobilenet_v2" in drawn(records, out)


def test_variants_of_another_expansion_are_lines_of_their_own(make_record: Any) -> None:
    names = ["mobilenet_v2_1.0_96", "mobilenet_v2_1.0_160_t4", "mobilenet_v2_1.0_224"]
    frame = frame_of([make_record(name) for name in names])
    ((setup, rows),) = setups(frame)
    _, figure, _ = results._latency_by_macs(setup, rows)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["1.0, t4", "1.0"]


def test_no_two_runtimes_look_the_same(make_record: Any) -> None:
    frame = frame_of([make_record(runtime=name) for name in RUNTIMES])
    ((setup, rows),) = setups(frame)
    _, figure, _ = results._runtimes(setup, rows)
    drawn_as = [line.get_marker() for line, _, _ in figure.axes[0].containers]
    assert len(set(drawn_as)) == len(RUNTIMES)


def test_rows_that_were_never_timed_are_not_drawn(make_record: Any, out: Path) -> None:
    names = ["mobilenet_v2_1.0_224", "mobilenet_v2_0.35_96"]
    assert drawn([make_record(name, latency_ms=None) for name in names], out) == []


def test_measured_accuracy_goes_before_published_figures(make_record: Any, out: Path) -> None:
    names = ["mobilenet_v2_1.0_224", "mobilenet_v2_0.5_224", "mobilenet_v2_0.75_224"]
    records = [
        make_record(name, images=250, data="holiday", top1_percent=top1)
        for name, top1 in zip(names[:2], (79.6, 73.6), strict=True)
    ]
    (plot,) = [
        one
        for one in draw(frame_of([*records, make_record(names[2])]), out)
        if one.file_name.startswith("accuracy-by-latency")
    ]
    assert "measured" in plot.title
    assert "250 images (holiday)" in plot.caption
    assert plot.alt.startswith(f"{plot.title}: 2 variants")


TASKS = {
    "mobilenet_v2": {"top1_percent": 70.0},
    "ssdlite_mobilenet_v2": {
        "map_percent": 20.0,
        "map_ci95_low_percent": 18.0,
        "map_ci95_high_percent": 22.0,
    },
    "deeplabv3_mobilenet_v2": {"miou_percent": 70.0},
}


def test_measured_accuracy_of_tasks_is_never_in_one_plot(make_record: Any, out: Path) -> None:
    records = [
        make_record(f"{family}_1.0_{size}", images=7, data=family, **figures)
        for family, figures in TASKS.items()
        for size in (96, 192)
    ]
    names = drawn(records, out)
    assert names == [
        "latency-by-macs",
        "heat-maps-deeplabv3_mobilenet_v2",
        "heat-maps-mobilenet_v2",
        "heat-maps-ssdlite_mobilenet_v2",
        "accuracy-by-latency",
        "map-by-latency",
        "miou-by-latency",
    ]
    plots = {plot.file_name: plot for plot in draw(frame_of(records), out)}
    for name, family in zip(("accuracy", "map", "miou"), TASKS, strict=True):
        plot = plots[f"{name}-by-latency-0.png"]
        assert f"7 images ({family})" in plot.caption
        assert "2 variants" in plot.alt


def test_only_classifiers_are_plotted_with_published_figures(make_record: Any, out: Path) -> None:
    records = [make_record(variant.name) for variant in paper_grid()]
    assert drawn(records, out) == [
        "latency-by-macs",
        "heat-maps-mobilenet_v2",
        "accuracy-by-latency",
    ]
    plots = {plot.file_name: plot for plot in draw(frame_of(records), out)}
    assert "3 variants" in plots["accuracy-by-latency-0.png"].alt
    assert "arXiv 1801.04381" in plots["accuracy-by-latency-0.png"].caption


def test_networks_of_one_multiplier_are_lines_of_their_own(make_record: Any) -> None:
    names = ["mobilenet_v1_1.0_224", "mobilenet_v2_1.0_224", "ssdlite_mobilenet_v2_1.0_320"]
    ((setup, rows),) = setups(frame_of([make_record(name) for name in names]))
    _, figure, _ = results._latency_by_macs(setup, rows)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "mobilenet_v1 1.0",
        "mobilenet_v2 1.0",
        "ssdlite_mobilenet_v2 1.0",
    ]


@pytest.mark.parametrize(
    ("highest", "named"), [(50.0, ["1", "2", "5", "10", "20", "50"]), (5000.0, ["1", "10", "100"])]
)
def test_a_logarithmic_axis_names_as_many_numbers_as_it_has_room_for(
    highest: float, named: list[str]
) -> None:
    figure, axes = canvas("x", "y")
    logarithmic(axes, "x")
    axes.set_xlim(1.0, highest)
    figure.canvas.draw()
    shown = [label.get_text() for label in axes.get_xticklabels(which="both")]
    assert set(named) <= set(shown)
    assert ("2" in shown) == ("2" in named)
