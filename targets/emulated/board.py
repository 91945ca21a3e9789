"""Emulated 64-bit Arm boards on this machine: stock TVM RPC servers in qemu, and their tracker.

Each target's boards have a tracker of their own, on loopback.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from mobilebench.targets.catalog.target import Target
from mobilebench.targets.emulated.counter import counter_options
from mobilebench.targets.emulated.image import make_image
from mobilebench.targets.emulated.machine import Machine, make_machine
from mobilebench.targets.emulated.packages import Say, fetch_runtime
from mobilebench.targets.emulated.qemu import cpu_of, find_qemu
from mobilebench.targets.emulated.running import Running, note_running, running_boards, running_file
from mobilebench.targets.errors import BenchError
from mobilebench.targets.loopback import require_loopback
from mobilebench.targets.processes.worker import START_LIMIT_S
from mobilebench.targets.rpc.tracker import Tracker, boards_of

LOOPBACK = "127.0.0.1"
_DANGER = "whoever reaches it may execute code here, because TVM's RPC asks nobody who they are"
_FAREWELL_S = 60.0
_POLL_S = 0.2

# tvm-ffi imports torch where it finds it: seconds, and hundreds of megabytes, for nothing.
_TRACKER = (
    "import runpy, sys; sys.modules['torch'] = None; "
    "runpy.run_module('tvm.exec.rpc_tracker', run_name='__main__')"
)


@dataclass(frozen=True)
class Equipment:
    """What each board has."""

    cpu: str = ""  # emulated; empty: the one that the target's code is made for
    runtimes: tuple[str, ...] = ()  # beside TVM


_BARE = Equipment()


def start_boards(
    target: Target,
    cache_dir: Path,
    say: Say,
    *,
    equipment: Equipment = _BARE,
    count: int = 1,
    host: str = LOOPBACK,
    insecure_bind: bool = False,
) -> Running:
    """Start a tracker and so many boards of a target; make what is missing first.

    Raises BenchError if they run already, if a needed program is not installed, if there is no such
    CPU or runtime, or if the address is not loopback and `insecure_bind` is not set: TVM's RPC
    executes code for whoever connects.
    """
    if not target.emulated:
        raise BenchError(f"target {target.name}: it is not an emulated board; emulated-arm is one")
    require_loopback(host, insecure_bind, _DANGER)
    if running_boards(cache_dir, target.name):
        raise BenchError(
            f"target {target.name}: its boards run already; `mobilebench board stop {target.name}`"
        )
    qemu = find_qemu()
    cpu = cpu_of(target, qemu, equipment.cpu)
    image = make_image(cache_dir, say)
    packages = tuple(fetch_runtime(name, cache_dir, say) for name in equipment.runtimes)
    options = counter_options(qemu, image, cache_dir)
    if not options:
        say(f"{qemu.name} takes no plug-ins, so instructions are not counted; qemu-user has one")
    log = running_file(cache_dir, target.name).with_name("log.txt")
    log.parent.mkdir(parents=True, exist_ok=True)
    port = _free_port(host)
    tracker = Tracker(host, port)
    say(f"starting a tracker at {tracker}")
    ports = ["--host", host, "--port", str(port), "--port-end", str(port + 1)]
    started = [_spawn([sys.executable, "-P", "-c", _TRACKER, *ports], log)]
    try:
        _until(lambda: _listens(tracker), started, log, "the tracker did not start")
        for number in range(1, count + 1):
            say(f"starting board {number} of {count} ({cpu}); importing TVM takes a while there")
            machine = Machine(qemu, cpu, f"{target.name}-{number}", options, packages)
            python = make_machine(machine, image, log.with_name(f"board-{number}"))
            port = _free_port(host)
            ports = ["--host", host, "--port", str(port), "--port-end", str(port + 1)]
            server = [str(python), "-P", "-m", "tvm.exec.rpc_server", *ports]
            started.append(
                _spawn([*server, "--tracker", str(tracker), "--key", target.tracker_key], log)
            )
        _until(
            lambda: len(boards_of(tracker, target.tracker_key)) >= count,
            started,
            log,
            f"{count} boards did not register",
        )
    except BaseException:
        _end(started)
        raise
    running = Running(str(tracker), tuple((one.pid, one.create_time()) for one in started))
    note_running(cache_dir, target.name, running)
    return running


def stop_boards(target: Target, cache_dir: Path) -> bool:
    """End exactly the processes that were started; return whether any were still running."""
    running = running_boards(cache_dir, target.name)
    if running is not None:
        _end(list(running.alive()))
    running_file(cache_dir, target.name).unlink(missing_ok=True)
    return running is not None


def _spawn(command: Sequence[str], log: Path) -> psutil.Process:
    """Start a process that outlives this one, and leads a group of its own."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    return psutil.Process(process.pid)


def _until(
    ready: Callable[[], bool], processes: Sequence[psutil.Process], log: Path, complaint: str
) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        if ready():
            return
        if any(one.status() == psutil.STATUS_ZOMBIE for one in processes):
            break
        time.sleep(_POLL_S)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise BenchError(f"{complaint}: {lines[-1] if lines else 'no message'}; see {log}")


def _listens(tracker: Tracker) -> bool:
    with suppress(BenchError):
        boards_of(tracker, "")
        return True
    return False


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _end(processes: Sequence[psutil.Process]) -> None:
    """Kill process groups, and wait until their leaders are gone."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=_FAREWELL_S)
