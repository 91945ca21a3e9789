"""A 64-bit Arm board that is emulated on this machine: Debian's Python and TVM's Arm wheel in qemu.

Made once, without touching the machine: debootstrap fetches Debian's packages (and checks their
signatures), pip fetches wheels by their hashes, and both are unpacked into the cache. A stock TVM
RPC tracker and stock servers run in it, on loopback.
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from mobilebench.targets.catalog.target import Target
from mobilebench.targets.emulated.running import Running, note_running, running_boards, running_file
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import START_LIMIT_S
from mobilebench.targets.rpc.tracker import Tracker, boards_of

Say = Callable[[str], None]

LOOPBACK = "127.0.0.1"
_SUITE = "bookworm"  # Debian 12
_PYTHON = "3.11"  # its Python
_PACKAGES = ("libpython3-stdlib", "libstdc++6", "python3-minimal")
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_CPU = "cortex-a72"  # qemu's, and what the target's code is made for
_QEMU = ("qemu-aarch64-static", "qemu-aarch64")
_FAREWELL_S = 60.0
_POLL_S = 0.2
_READY = "ready"

# The server starts its sessions through sys.executable, which must be something that this machine
# can execute: this script, and not the Python that it emulates.
_LAUNCHER = """#!/bin/sh
export QEMU_CPU={cpu} PYTHONHOME='{root}/usr' PYTHONPATH='{site}' PYTHONNOUSERSITE=1
exec '{qemu}' -L '{root}' -0 "$0" '{root}/usr/bin/python{python}' "$@"
"""
# What a board's Linux says of one of its cores. Old qemu shows the machine's own below, on which
# libraries that look for an Arm processor stumble; new qemu makes one up like this.
_CPUINFO = """processor\t: 0
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""
# tvm-ffi imports torch where it finds it: seconds, and hundreds of megabytes, for nothing.
_TRACKER = (
    "import runpy, sys; sys.modules['torch'] = None; "
    "runpy.run_module('tvm.exec.rpc_tracker', run_name='__main__')"
)


def start_boards(
    target: Target,
    cache_dir: Path,
    say: Say,
    *,
    count: int = 1,
    host: str = LOOPBACK,
    insecure_bind: bool = False,
) -> Running:
    """Start a tracker and so many boards of a target; make what is missing first.

    Raises BenchError if they run already, if a needed program is not installed, or if the address
    is not loopback and `insecure_bind` is not set: TVM's RPC executes code for whoever connects.
    """
    if not target.emulated:
        raise BenchError(f"target {target.name}: it is not an emulated board; emulated-arm is one")
    _require_loopback(host, insecure_bind)
    if running_boards(cache_dir, target.name):
        raise BenchError(
            f"target {target.name}: its boards run already; `mobilebench board stop {target.name}`"
        )
    python = make_board(cache_dir, say)
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
            say(f"starting board {number} of {count}; the emulator takes a while to import TVM")
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


def make_board(cache_dir: Path, say: Say) -> Path:
    """Return the launcher of the board's Python, fetched and unpacked into the cache if need be.

    What is made depends on the recipe alone, whose hash is in the path. Raises BenchError if a tool
    is missing, with how to get it.
    """
    recipe = (_SUITE, _PYTHON, _PACKAGES, _CPU, _CPUINFO, _LAUNCHER, _REQUIREMENTS.read_text())
    digest = hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]
    board = cache_dir / "boards" / f"aarch64-{digest}"
    launcher = board / "python"
    if (board / _READY).exists():
        return launcher
    tools = {name: _tool(name) for name in ("debootstrap", "dpkg-deb")}
    qemu = next(filter(None, map(shutil.which, _QEMU)), None)
    if qemu is None:
        raise BenchError("no qemu-aarch64-static; apt-get install qemu-user-static")
    if importlib.util.find_spec("pip") is None:
        raise BenchError(f"{sys.executable} has no pip; install it: python -m ensurepip")
    if os.geteuid() != 0:
        raise BenchError(
            "debootstrap fetches packages as root only; run `mobilebench board start` once as "
            f"root, with the same cache ({cache_dir})"
        )
    shutil.rmtree(board, ignore_errors=True)  # left over from an interrupted start
    root, site = board / "root", board / "site"
    root.mkdir(parents=True)
    with TemporaryDirectory(dir=board) as scratch:
        say(f"fetching Debian's arm64 packages ({_SUITE}) with debootstrap")
        fetched = Path(scratch) / "fetched"
        include = f"--include={','.join(_PACKAGES)}"
        how = ["--arch=arm64", "--variant=minbase", "--download-only", include]
        _run([tools["debootstrap"], *how, _SUITE, str(fetched)])
        packages = sorted((fetched / "var/cache/apt/archives").glob("*.deb"))
        say(f"unpacking {len(packages)} packages")
        for package in packages:
            _run([tools["dpkg-deb"], "-x", str(package), str(root)])
        sums = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in packages]
        (board / "packages.sha256").write_text("".join(sums))
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "cpuinfo").write_text(_CPUINFO)  # qemu looks here first
    say("fetching TVM's arm64 wheels with pip")
    what = [f"--target={site}", "-r", str(_REQUIREMENTS)]
    tags = ["--platform=manylinux_2_28_aarch64", "--implementation=cp"]
    how = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", *tags]
    python = f"--python-version={_PYTHON}"
    _run([sys.executable, "-P", "-m", "pip", "install", *how, python, *what])
    text = _LAUNCHER.format(root=root, site=site, qemu=qemu, python=_PYTHON, cpu=_CPU)
    launcher.write_text(text)
    launcher.chmod(0o755)
    say("testing the emulated Python")
    _run([str(launcher), "-c", "import tvm.rpc"])
    (board / _READY).touch()
    return launcher


def _require_loopback(host: str, insecure_bind: bool) -> None:
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        raise BenchError(f"host {host!r}: give the address of a network interface") from None
    if not loopback and not insecure_bind:
        raise BenchError(
            f"host {host}: whoever reaches it may execute code here, because TVM's RPC asks nobody "
            "who they are; use a tunnel to 127.0.0.1 (docs/guide/12-connect-boards-safely.md), or "
            "say --insecure-bind"
        )


def _tool(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise BenchError(f"no {name}; apt-get install {name.replace('dpkg-deb', 'dpkg')}")
    return path


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise BenchError(f"{Path(command[0]).name} failed: {lines[-1]}")


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
