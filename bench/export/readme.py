"""The README and the licence note of one bundle."""

from pathlib import Path

from mobilebench.bench.bundle.manifest import BundleManifest

_TEMPLATES = Path(__file__).parent / "programs"
_NAMES = ("README.md", "LICENSE.md")


def write_readme(directory: Path, manifest: BundleManifest, named: bool) -> None:
    """Write the README and the licence note into the bundle.

    `named` is whether the names of the classes are those that come with this package.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    for name in _NAMES:
        text = environment.get_template(f"{name}.jinja").render(vars(manifest), named=named)
        (directory / name).write_text(text, encoding="utf-8")
