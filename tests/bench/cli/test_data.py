"""`mobilebench data`."""

from pathlib import Path
from typing import Any


def test_sample_data_is_written_once_and_explained(mobilebench: Any, tmp_path: Path) -> None:
    done = mobilebench("data", "sample", "some")
    assert done.returncode == 0, done.stderr
    assert "annotations.json" in done.stdout
    assert "--data some/classes" in done.stdout
    for part in ("classes/430", "wordnet", "list/labels.csv", "coco/annotations.json", "voc"):
        assert (tmp_path / "some" / part).exists()
    again = mobilebench("data", "sample", "some")
    assert again.returncode == 2
    assert again.stderr == "mobilebench: directory some: already exists; choose another\n"
