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


@dataclass(frozen=True)
class Link:
    """Another page of the report, and what links to it say."""

    file_name: str
    text: str


def render(template: str, **values: Any) -> str:
    """Return the page that a template in `templates/` makes of the values, which are text in it."""
    environment = Environment(loader=PackageLoader("mobilebench.reports.pages"), autoescape=True)
    return environment.get_template(f"{template}.html.jinja").render(**values)


def with_pictures(plots: Sequence[Plot], directory: Path) -> list[tuple[Plot, str]]:
    """Return each plot with its picture as a URI that holds all of it."""
    return [(plot, _data_uri(directory / plot.file_name)) for plot in plots]


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


def _data_uri(picture: Path) -> str:
    encoded = base64.b64encode(picture.read_bytes()).decode()
    return f"data:{_TYPES[picture.suffix]};base64,{encoded}"
