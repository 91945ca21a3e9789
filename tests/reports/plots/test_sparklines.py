import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from mobilebench.reports.plots.sparklines import Mark, Series, spark


def series(values: list[float], **others: Any) -> Series:
    array = np.array(values, float)
    given: dict[str, Any] = {
        "title": "Latency of a network",
        "nights": [f"2026-01-{night + 1:02}" for night in range(len(values))],
        "values": array,
        "low": array * 0.99,
        "high": array * 1.02,
        "form": lambda value: f"{value:.2f} ms",
    }
    return Series(**(given | others))


def drawn(one: Series) -> ElementTree.Element:
    """Parse a plot, as XML so that nothing is left open."""
    return ElementTree.fromstring(str(spark(one)))


def places(svg: ElementTree.Element) -> list[tuple[float, float]]:
    circles = svg.findall("circle")
    return [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in circles]


def test_every_night_has_its_column_and_larger_is_higher() -> None:
    (first, low), (second, high) = places(drawn(series([1.0, np.nan, 3.0])))
    assert low > high
    middle = places(drawn(series([1.0, 2.0, 3.0])))[1][0]
    assert first < middle < second


def test_a_point_shows_night_value_interval_and_note() -> None:
    svg = drawn(series([3.0, 3.1], notes=["commit a", ""]))
    titles = [one.text for one in svg.iter("title")]
    assert titles == [
        "2026-01-01: 3.00 ms [2.97 ms, 3.06 ms], commit a",
        "2026-01-02: 3.10 ms [3.07 ms, 3.16 ms]",
    ]


@pytest.mark.parametrize("values", [[np.nan], [np.nan] * 3, [5.0], [0.0, 0.0], [-1.0, 1.0], [1e9]])
def test_odd_series_stay_inside(values: list[float]) -> None:
    svg = drawn(series(values))
    _, _, width, height = map(float, svg.attrib["viewBox"].split())
    assert len(places(svg)) == np.isfinite(values).sum()
    assert all(0 <= x <= width and 0 <= y <= height for x, y in places(svg))
    assert "nan" not in spark(series(values))


def test_intervals_do_not_squash_the_values() -> None:
    values = [3.0, 3.1, 3.0]
    plain = places(drawn(series(values)))
    wide = series(values, high=np.array([3.1, 300.0, 3.1]))
    assert places(drawn(wide))[1][1] - places(drawn(wide))[0][1] < 0
    heights = [abs(one[1][1] - one[0][1]) for one in (plain, places(drawn(wide)))]
    assert heights[1] > 0.5 * heights[0]
    all_of_it = places(drawn(series(values, high=wide.high, room=np.inf)))
    assert abs(all_of_it[1][1] - all_of_it[0][1]) < 1


def test_outliers_steps_and_failures_are_drawn_differently() -> None:
    one = series(
        [3.0, 9.0, 3.0, np.nan, 4.0],
        hollow=[1],
        marks=[Mark(4, "+33 %", "bad")],
        crosses=[(3, "crashed")],
        lines=[(np.array([0.0, 2.0]), np.array([3.0, 3.0]))],
        ring="good",
    )
    text = spark(one)
    assert text.count('class="hollow"') == text.count('class="step bad"') == 1
    assert "2026-01-04: crashed" in text
    assert re.search(r'class="middle bad">\+33 %<', text)
    assert text.count('class="level"') == text.count('class="ring good"') == 1
    line = re.search(r'class="step bad" d="M([\d.]+)', text)
    assert line is not None
    assert places(drawn(one))[2][0] < float(line[1]) < places(drawn(one))[3][0]


def test_texts_are_escaped() -> None:
    hostile = "<script>alert(1)</script>"
    text = spark(
        series([1.0, np.nan], title=f'"{hostile}', notes=[hostile, ""], crosses=[(1, hostile)])
    )
    assert "<script" not in text
    assert ElementTree.fromstring(text).attrib["aria-label"] == f'"{hostile}'
