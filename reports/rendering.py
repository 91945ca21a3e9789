"""From templates and pictures to pages that need no other file."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from reports.plots import Plot


def render(template: str, **values: Any) -> str:
    """Return the page that a template in `templates/` makes of the values, which are text in it."""
    environment = Environment(loader=PackageLoader("reports", "templates"), autoescape=True)
    return environment.get_template(f"{template}.html.jinja").render(**values)


def with_pictures(plots: Sequence[Plot], directory: Path) -> list[tuple[Plot, str]]:
    """Return each plot with its picture as a URI that holds all of it."""
    return [(plot, _data_uri(directory / plot.file_name)) for plot in plots]


def _data_uri(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
