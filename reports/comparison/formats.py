"""A comparison for programs: JSON, and JUnit's XML."""

import json
import re
from dataclasses import asdict
from math import isfinite
from typing import Any
from xml.etree import ElementTree as ET

from mobilebench.reports.comparison.comparison import REGRESSIONS, CellChange, Comparison, Lone
from mobilebench.reports.comparison.wording import cell_name, summary, verdict_of, what_else

JSON_VERSION = 1
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_json(comparison: Comparison) -> str:
    """Return the comparison in the shape that docs/reference/comparison.md describes."""
    values: dict[str, Any] = {"version": JSON_VERSION, "summary": summary(comparison)}
    values["regressions"] = len(comparison.regressions)
    values |= asdict(comparison)
    values["cells"] = [_cell(change) for change in comparison.cells]
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def _cell(change: CellChange) -> dict[str, Any]:
    values = {"verdict": change.verdict, **asdict(change)}
    latency = values["latency"]
    if latency and not isfinite(latency["high"]):  # of one round there is no interval
        latency["low"] = latency["high"] = None
    return values


def to_junit(comparison: Comparison) -> str:
    """Return JUnit's XML: a test case for each cell, and a failure for each that got worse.

    What failed in both runs, is new or is gone is skipped.
    """
    suite = ET.Element("testsuite", name="mobilebench compare", errors="0")
    suite.set("timestamp", comparison.head.started_at.removesuffix("+00:00"))
    for change in comparison.cells:
        case = _case(suite, change)
        words = [verdict_of(change), _numbers(change), what_else(change)]
        message = _clean("; ".join(filter(None, words)))
        details = _clean("\n".join(change.doubts))
        if change.verdict in REGRESSIONS:
            ET.SubElement(case, "failure", message=message, type=change.verdict).text = details
        elif change.verdict == "failed":
            ET.SubElement(case, "skipped", message=message)
        else:
            ET.SubElement(case, "system-out").text = "\n".join(filter(None, (message, details)))
    for what, lones in (("new", comparison.new), ("gone", comparison.gone)):
        for lone in lones:
            message = _clean(", ".join(filter(None, (what, lone.status, lone.why))))
            ET.SubElement(_case(suite, lone), "skipped", message=message)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(comparison.regressions)))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, one: CellChange | Lone) -> ET.Element:
    name = _clean(cell_name(one.cell, one.emulated))
    latency = one.latency if isinstance(one, CellChange) else None
    seconds = f"{latency.head_ms / 1000:.6f}" if latency else "0"
    place = _clean(f"{one.cell.target}.{one.cell.device}")
    return ET.SubElement(suite, "testcase", classname=place, name=name, time=seconds)


def _numbers(change: CellChange) -> str:
    latency = change.latency
    if not latency:
        return ""
    return (
        f"{latency.base_ms:.4g} -> {latency.head_ms:.4g} ms, ratio {latency.ratio:.3f} "
        f"[{latency.low:.3f}, {latency.high:.3f}], p {latency.p_adjusted:.2g}"
    )


def _clean(text: str) -> str:
    """Remove characters that XML does not allow: control characters that a library printed."""
    return _NOT_IN_XML.sub("", text)
