"""From templates and pictures to pages that need no other file."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from mobilebench.reports.plots.plot import Plot

_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


_PNG = b"\x89PNG"
_POINTS = re.compile(rb'<svg[^>]* width="([0-9.]+)pt"')


@dataclass(frozen=True)
class Picture:
    """A plot with its picture."""

    plot: Plot
    uri: str  # that holds all of it
    width: int  # at full size, pixels of CSS


@dataclass(frozen=True)
class Link:
    """Another page of the report, and what links to it say."""

    file_name: str
    text: str


def render(template: str, **values: Any) -> str:
    """Return the page that a template in `templates/` makes of the values, which are text in it."""
    environment = Environment(loader=PackageLoader("mobilebench.reports.pages"), autoescape=True)
    return environment.get_template(f"{template}.html.jinja").render(**values)


def with_pictures(plots: Sequence[Plot], directory: Path) -> list[Picture]:
    """Return each plot with its picture, so that its page needs no other file."""
    return [_picture(plot, directory / plot.file_name) for plot in plots]


def file_names(prefix: str, names: Sequence[str]) -> list[str]:
    """Return a page's file name for each name, no two alike even where case does not count."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-.")[:80]
        base = f"{prefix}-{plain}" if plain else prefix
        number, free = 1, f"{base}.html"
        while free in found:
            number += 1
            free = f"{base}-{number}.html"
        found.append(free)
    return found


def _picture(plot: Plot, path: Path) -> Picture:
    content = path.read_bytes()
    encoded = base64.b64encode(content).decode()
    return Picture(plot, f"data:{_TYPES[path.suffix]};base64,{encoded}", _width(content))


def _width(content: bytes) -> int:
    """Return the width of a PNG or SVG picture in pixels of CSS."""
    if content.startswith(_PNG):
        return int.from_bytes(content[16:20], "big")  # of its first chunk, IHDR
    found = _POINTS.search(content)
    assert found
    return round(float(found[1]) * 4 / 3)
