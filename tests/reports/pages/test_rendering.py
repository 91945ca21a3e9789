from pathlib import Path

from matplotlib.figure import Figure

from mobilebench.reports.pages.rendering import with_pictures
from mobilebench.reports.plots.plot import Plot


def test_a_picture_tells_how_wide_it_is_at_full_size(tmp_path: Path) -> None:
    plots = [Plot(name, "Title", "Caption.", "Words.") for name in ("a.png", "b.svg")]
    for plot in plots:
        Figure(figsize=(8, 1)).savefig(tmp_path / plot.file_name, dpi=130)
    raster, vector = with_pictures(plots, tmp_path)
    assert (raster.width, vector.width) == (8 * 130, 8 * 96)
    assert raster.uri.startswith("data:image/png;base64,")
    assert vector.uri.startswith("data:image/svg+xml;base64,")
    assert [one.plot for one in (raster, vector)] == plots
