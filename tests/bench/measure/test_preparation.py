"""What is prepared for a cell: what fails there is said in its rows."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mobilebench.bench.accuracy.labels import LabelDataset
from mobilebench.bench.measure.preparation import Preparation
from mobilebench.bench.models.own_network import read_network
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.targets.processes.worker import WorkerTimedOutError
from tests.bench.models.own_files import classifier


class Said:
    """Keeps what is shown."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def stage(self, *_what: str) -> None:
        pass

    def warn(self, what: str) -> None:
        self.warnings.append(what)


def test_why_accuracy_is_not_measured_is_said_in_the_rows() -> None:
    def evaluate(*_all: Any) -> None:
        raise WorkerTimedOutError("took longer than 9 s")

    context: Any = SimpleNamespace(dataset=LabelDataset("some", (Path("a.png"),), (0,), ""))
    service: Any = SimpleNamespace(evaluate=evaluate)
    cell: Any = SimpleNamespace(title="net", variant=None, weights=None)
    said: Any = Said()
    evaluation, remarks = Preparation(context, service, said)._evaluation(cell)
    assert evaluation is None
    assert remarks == ("accuracy is not measured: took longer than 9 s",)
    assert said.warnings == ["net: accuracy is not measured: took longer than 9 s"]


@pytest.mark.parametrize(
    ("precision", "files", "quantized", "said"),
    [
        ("int8", ("a.png",), False, True),
        ("int8", (), False, False),  # noise is shown as it is
        ("int8", ("a.png",), True, False),
        ("float32", ("a.png",), False, False),
    ],
)
def test_how_calibration_images_are_assumed_to_become_the_input_is_said(
    precision: str, files: tuple[str, ...], quantized: bool, said: bool, tmp_path: Path
) -> None:
    network = read_network(classifier(tmp_path / "net.onnx"), None, tmp_path)
    variant = replace(network, quantized=quantized)
    context: Any = SimpleNamespace(calibration=Calibration("some", tuple(map(Path, files))))
    cell: Any = SimpleNamespace(precision=precision, variant=variant)
    none: Any = None
    remarks = Preparation(context, none, none)._assumed(cell)
    assert len(remarks) == said
    assert all("images are shown with ImageNet's mean" in one for one in remarks)
