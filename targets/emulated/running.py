"""Which emulated boards run on this machine."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Running:
    """A tracker and its emulated boards."""

    tracker: str  # HOST:PORT
    processes: tuple[tuple[int, float], ...]  # leaders of process groups: PID, when it was made

    def alive(self) -> Iterator[psutil.Process]:
        """Yield the processes that are still those that were started; numbers are used again."""
        for pid, made in self.processes:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.create_time() == made and process.status() != psutil.STATUS_ZOMBIE:
                    yield process


def running_file(cache_dir: Path, name: str) -> Path:
    """Return the file that tells where the emulated boards of a target run, if they do."""
    return cache_dir / "boards" / name / "running.json"


def running_boards(cache_dir: Path, name: str) -> Running | None:
    """Return the emulated boards of a target; None if they do not run, or not any more."""
    try:
        found = json.loads(running_file(cache_dir, name).read_text())
        running = Running(found["tracker"], tuple((pid, made) for pid, made in found["processes"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return running if any(running.alive()) else None


def note_running(cache_dir: Path, name: str, running: Running) -> None:
    """Write down what runs, at once and whole."""
    path = running_file(cache_dir, name)
    scratch = path.with_suffix(".writing")
    scratch.write_text(json.dumps(asdict(running)))
    scratch.replace(path)
