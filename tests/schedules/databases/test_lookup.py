from collections.abc import Callable
from typing import Any

import pytest

from mobilebench.schedules.databases.database import Entry, TileDatabase
from mobilebench.schedules.machine import Machine


@pytest.fixture(scope="module")
def task(pointwise_kernel: Callable[..., Any]) -> Any:
    from mobilebench.schedules.templates.task import task_of

    return task_of(pointwise_kernel(8, 8, 16, 32), Machine(16, 32))


def database(
    task: Any, tile: dict[str, Any] | None, threads: int = 1, target: str = "a"
) -> TileDatabase:
    return TileDatabase(target, 16, 32, "", entries=(Entry(task.key, threads, tile, 1.0, 2.0, 9),))


GOOD = {"rows": 2, "panels": 1, "pixels_outermost": True}


def test_a_tuned_kernel_is_a_hit(task: Any) -> None:
    from mobilebench.schedules.databases.lookup import Lookup

    lookup = Lookup([database(task, GOOD)])
    assert lookup.tile(task) == task.template.Tile(**GOOD)
    assert (lookup.hits, lookup.misses, lookup.trials) == (1, 0, 9)


def test_a_default_tile_that_nothing_beat_is_a_hit(task: Any) -> None:
    from mobilebench.schedules.databases.lookup import Lookup

    lookup = Lookup([database(task, None)])
    assert lookup.tile(task) is None
    assert (lookup.hits, lookup.misses, lookup.trials) == (1, 0, 9)


@pytest.mark.parametrize(
    ("tile", "threads"), [(GOOD, 2), ({"rows": 2}, 1), (GOOD | {"more": 1}, 1)]
)
def test_entries_for_other_threads_or_old_tiles_are_misses(
    task: Any, tile: dict[str, Any], threads: int
) -> None:
    from mobilebench.schedules.databases.lookup import Lookup

    lookup = Lookup([database(task, tile, threads)])
    assert lookup.tile(task) is None
    assert (lookup.hits, lookup.misses) == (0, 1)


def test_the_first_database_wins_and_without_any_nothing_is_a_miss(task: Any) -> None:
    from mobilebench.schedules.databases.lookup import Lookup

    other = GOOD | {"rows": 3}
    first: Any = Lookup([database(task, GOOD), database(task, other)]).tile(task)
    assert first.rows == 2
    lookup = Lookup()
    assert lookup.tile(task) is None
    assert (lookup.hits, lookup.misses) == (0, 0)
