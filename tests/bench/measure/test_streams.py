"""A group of processes, tried with real ones; they are made to run on one CPU each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mobilebench.bench.measure.streams import StreamGroup, cpus_of_streams
from mobilebench.bench.runtimes.usage import Usage
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.cpu_allowance import usable_cpus
from mobilebench.targets.processes.worker import Worker, WorkerError
from tests.waiting import HANG_S

STREAM = """
from mobilebench.bench.runtimes.usage import Usage
from mobilebench.targets.processes.cpu_allowance import own_cpus


class Stream:
    def time(self, samples):
        return [float(min(own_cpus()))] * samples

    def warm_up(self, seconds):
        return seconds + min(own_cpus())

    def usage(self):
        return Usage(10, 20, None)

    def notes(self):
        return ",".join(map(str, sorted(own_cpus())))

    def fail_on(self, cpu):
        if cpu in own_cpus():
            raise ValueError("this one fails")
"""


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the class of what runs in each process, where processes find it."""
    (tmp_path / "stream_of_the_tests.py").write_text(STREAM)
    monkeypatch.syspath_prepend(tmp_path)
    return "stream_of_the_tests:Stream"


@pytest.fixture
def cpus() -> list[frozenset[int]]:
    if usable_cpus() < 2:
        pytest.skip("needs two CPUs")
    return cpus_of_streams(2, 1)


@pytest.fixture
def group(factory: str, cpus: list[frozenset[int]]) -> Iterator[StreamGroup]:
    group = StreamGroup(lambda own: Worker(factory, cpus=own), cpus)
    yield group
    group.close()


def test_streams_run_on_cpus_of_their_own_and_answer_as_one(
    group: StreamGroup, cpus: list[frozenset[int]]
) -> None:
    first, second = (float(min(own)) for own in cpus)
    assert group.call("time", 2, timeout_s=HANG_S) == [first, first, second, second]
    assert group.call("warm_up", 0.5, timeout_s=HANG_S) == 0.5 + max(first, second)
    assert group.call("usage", timeout_s=HANG_S) == Usage(20, 40, None)
    assert group.call("notes", timeout_s=HANG_S) == f"{int(first)}"


def test_the_error_of_one_stream_is_the_group_s(
    group: StreamGroup, cpus: list[frozenset[int]]
) -> None:
    with pytest.raises(WorkerError, match="this one fails"):
        group.call("fail_on", min(cpus[1]), timeout_s=HANG_S)
    assert group.alive
    group.close()
    assert not group.alive


def test_no_process_is_left_if_one_does_not_start(factory: str, cpus: list[frozenset[int]]) -> None:
    started: list[Worker] = []

    def start(own: frozenset[int]) -> Worker:
        if started:
            raise BenchError("no further one")
        started.append(Worker(factory, cpus=own))
        return started[0]

    with pytest.raises(BenchError, match="no further one"):
        StreamGroup(start, cpus)
    assert not started[0].alive


def test_more_streams_than_cpus_are_refused() -> None:
    many = usable_cpus() + 1
    with pytest.raises(BenchError, match=rf"{many} streams of 1 thread need {many} CPUs"):
        cpus_of_streams(many, 1)
