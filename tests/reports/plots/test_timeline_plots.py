from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mobilebench.reports.history.history import changes_of
from mobilebench.reports.history.timeline import Timeline
from mobilebench.reports.plots.plot import Plot
from mobilebench.reports.plots.timeline_plots import draw_timeline
from tests.reports import histories

detection = histories.load()


def drawn(timeline: Timeline, out: Path) -> tuple[Plot, str]:
    (cell,) = timeline.cells
    plot = draw_timeline(timeline, cell, changes_of(timeline)[cell], out / "timeline.svg")
    text = (out / plot.file_name).read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    return plot, text


@pytest.mark.parametrize(("size", "told"), [(0.3, "+30"), (-0.2, "\N{MINUS SIGN}20")])
def test_a_step_is_drawn_and_described(tmp_path: Path, size: float, told: str) -> None:
    timeline = detection.timeline_of(detection.simulate("step", size, 1, 0, scatter=0.001))
    plot, text = drawn(timeline, tmp_path)
    assert f"<!-- {told}" in text
    assert "in night" in plot.alt
    assert "variant-0 in tvm" in plot.title


def test_a_drift_is_described(tmp_path: Path) -> None:
    timeline = detection.timeline_of(detection.simulate("drift", 0.005, 1, 0))
    assert "a drift of +0.5" in drawn(timeline, tmp_path)[0].alt


def test_nights_that_failed_are_marked(tmp_path: Path) -> None:
    timeline = detection.timeline_of(detection.simulate("none", 0, 1, 0))
    assert 'id="failed"' not in drawn(timeline, tmp_path)[1]
    timeline.rows.loc[timeline.rows["night"].isin([30, 40]), "status"] = "crashed"
    svg = ElementTree.fromstring(drawn(timeline, tmp_path)[1])
    (crosses,) = svg.findall(".//*[@id='failed']")
    assert len(crosses.findall(".//{http://www.w3.org/2000/svg}use")) == 2


def test_a_cell_that_was_never_ok_still_draws(tmp_path: Path) -> None:
    timeline = detection.timeline_of(detection.simulate("none", 0, 1, 0))
    timeline.rows["status"] = "crashed"
    assert np.isnan(timeline.wide("latency_p50_ms")).all()
    assert "no change" in drawn(timeline, tmp_path)[0].alt
