"""What is prepared for a cell: what fails there is said in its rows."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mobilebench.bench.accuracy.labels import LabelDataset
from mobilebench.bench.measure.preparation import Preparation
from mobilebench.targets.processes.worker import WorkerTimedOutError


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
