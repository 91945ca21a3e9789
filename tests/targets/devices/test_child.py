"""Processes on a board beside the session's own: they answer, crash, hang, and end with it."""

import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.child import (
    Child,
    ChildEndedError,
    Children,
    ChildTimedOutError,
    build_children,
)
from mobilebench.targets.devices.connection import Connector
from mobilebench.targets.devices.device import Device
from mobilebench.targets.devices.farm import Farm
from mobilebench.targets.devices.probe import build_probe
from mobilebench.targets.toolchains.toolchain import find_toolchain
from tests.farm import KEY, RealFarm
from tests.waiting import HANG_S, wait_until, wait_until_ended

TARGET = dataclasses.replace(find_target("native"), tracker_key=KEY)
# Answers with the request and its process ID; `end` is what it does on the request "end".
PROGRAM = """
import json, os, signal, socket, sys, time
stream = socket.socket(fileno=os.dup(0)).makefile("rw")
for line in stream:
    if json.loads(line) == "end":
        print("farewell", flush=True)
        {end}
    stream.write(json.dumps([json.loads(line), os.getpid(), sorted(os.sched_getaffinity(0))]))
    stream.write("\\n")
    stream.flush()
"""
Start = Callable[..., Child]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFarm]:
    """Return a tracker with a board."""
    with RealFarm(tmp_path_factory.mktemp("farm")) as farm:
        farm.add_board()
        yield farm


@pytest.fixture(scope="module")
def device(farm: RealFarm, cache_dir: Path) -> Iterator[Device]:
    """Return a session on the board; the last test ends it."""
    line = Connector(TARGET, 1, Farm(farm.tracker, wait_s=HANG_S), Path())
    line.wait()
    connection = line.connect()
    yield Device(connection, build_probe(find_toolchain("host"), cache_dir))
    connection.close()


@pytest.fixture(scope="module")
def children(device: Device, cache_dir: Path) -> Children:
    """Return what starts processes in the session."""
    return Children(device, build_children(find_toolchain("host"), cache_dir))


@pytest.fixture
def start(children: Children, tmp_path: Path) -> Start:
    """Start a program that ends in some way when it is told to."""

    def start(end: str = "", cpus: tuple[int, ...] = (), python: str = sys.executable) -> Child:
        command = [python, "-c", PROGRAM.format(end=end or "pass")]
        return Child(children, command, cpus, str(tmp_path / "log.txt"))

    return start


def test_it_answers_where_it_was_put_and_several_do_at_once(device: Device, start: Start) -> None:
    cpus = device.fastest_cpus(1)
    first, second = start(cpus=tuple(cpus[:1])), start()
    long = "x" * 60_000
    assert first.ask(long, HANG_S)[0] == long
    assert second.ask({"a": [1.5, None]}, HANG_S)[0] == {"a": [1.5, None]}
    assert first.ask("b", HANG_S)[2] == cpus[:1]
    assert first.ask("c", HANG_S)[1] != second.ask("c", HANG_S)[1]


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV: farewell"),
        ("sys.exit(3)", "ended with 3: farewell"),
        ("raise ValueError('no such thing')", "ended with 1: ValueError: no such thing"),
    ],
)
def test_how_it_ended_is_told_with_its_last_words(start: Start, end: str, how: str) -> None:
    child, other = start(end), start()
    with pytest.raises(ChildEndedError, match=f"the process on the board {how}"):
        child.ask("end", HANG_S)
    assert other.ask("still there", HANG_S)[0] == "still there"


def test_one_that_hangs_is_killed(start: Start) -> None:
    child = start("time.sleep(1e6)")
    process = psutil.Process(child.ask("who", HANG_S)[1])
    with pytest.raises(ChildTimedOutError, match=r"no answer from the board within 0.5 s"):
        child.ask("end", 0.5)
    wait_until_ended(process)


def test_a_program_that_is_not_there_is_named(start: Start) -> None:
    child = start(python="/nowhere/python")
    with pytest.raises(ChildEndedError, match=r"127: /nowhere/python: No such file or directory"):
        child.ask("who", HANG_S)


def test_a_paused_one_goes_on_and_ends_with_the_session(device: Device, start: Start) -> None:
    child = start()
    process = psutil.Process(child.ask("who", HANG_S)[1])
    child.pause()
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "it to be stopped")
    child.resume()
    assert child.ask("on", HANG_S)[0] == "on"
    child.pause()
    session = psutil.Process(process.ppid())
    session.kill()
    wait_until_ended(process)
