"""A run that is interrupted."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Self

import pytest

from mobilebench.bench.measure import runner


class Shown:
    """Keeps what is shown, in order."""

    def __init__(self) -> None:
        self.order: list[str] = []

    def begin(self, _rows: int) -> None:
        pass

    def watch(self, _fleets: Any) -> None:
        pass

    def leave(self) -> None:
        self.order.append("left")


def test_nothing_more_is_shown_before_the_workers_are_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = Shown()

    class Service:
        max_workers = 1

        def __init__(self, *_what: Any) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_exception: object) -> None:
            shown.order.append("killed")

    class Interrupted:
        def __init__(self, **_what: Any) -> None:
            self.fleets = dict

        def run(self, _jobs: Any) -> Iterator[Any]:
            raise KeyboardInterrupt

    monkeypatch.setattr(runner, "open_cells", lambda *_what: [])
    monkeypatch.setattr(runner, "check_request", lambda *_what: [])
    monkeypatch.setattr(runner, "BuildService", Service)
    monkeypatch.setattr(runner, "Dispatcher", Interrupted)
    context: Any = SimpleNamespace(
        suite=SimpleNamespace(time_limit_s=1.0), cache_dir=None, run=None
    )
    store: Any = SimpleNamespace(begin_run=lambda _run: None)
    progress: Any = shown
    with pytest.raises(KeyboardInterrupt):
        runner.run_suite(context, store, progress, None)
    assert shown.order == ["left", "killed"]
