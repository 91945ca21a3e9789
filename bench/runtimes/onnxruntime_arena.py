"""What ONNX Runtime's own allocator takes for activations, in a process of its own."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from mobilebench.bench.models.outputs import INPUT_NAME
from mobilebench.bench.runtimes.onnx_runtime import open_session, session_options
from mobilebench.targets.errors import BenchError

_INFO, _ERRORS = 1, 3  # severities of its log
_SAME_AS_REQUESTED = 1  # an arena that grows by what is asked for, and not by powers of two
_REQUEST = re.compile(r"Extending BFCArena for Cpu\b.*\(requested\) num_bytes: (\d+)")
_GROWTH = re.compile(r"Extended allocation by (\d+) bytes")
_STANDARD_ERROR = 2


@dataclass(frozen=True)
class ArenaUse:
    """What activations take, in bytes; weights are not in it."""

    pattern_bytes: int  # the block in which all lie, without input and outputs
    arena_bytes: int  # of the arena as it grows by default: that block, the first run's, outputs


def measure(onnx_path: Path, shape: tuple[int, ...], threads: int) -> ArenaUse:
    """Run a network of that input shape, and read in the log what the arena is asked for.

    The first run of a session traces when every buffer is needed. From the second on all lie in one
    block, the memory pattern, which is asked for at once. That shows in an arena that gives back
    after a run what is free, and grows by what it is asked for. Call it once in a process, whose
    arena that becomes. Raises BenchError if the log does not tell.
    """
    feed = {INPUT_NAME: np.zeros(shape, np.float32)}
    try:
        onnxruntime.set_default_logger_severity(_INFO)
        with _log():
            session = open_session(onnx_path, _options(threads))
        with _log() as log:
            for _ in range(2):
                session.run(None, feed)
        arena_bytes = sum(_numbers(_GROWTH, log))
        del session
        with _log():
            session = open_session(onnx_path, _in_own_arena(_options(threads)))
            session.run(None, feed, _giving_back())
        with _log() as log:
            session.run(None, feed, _giving_back())
    finally:
        onnxruntime.set_default_logger_severity(_ERRORS)
    requests = _numbers(_REQUEST, log)
    if not requests or not arena_bytes:
        raise BenchError(
            f"onnxruntime {onnxruntime.__version__}: its log does not tell what its arena takes"
        )
    return ArenaUse(requests[0], arena_bytes)


def _options(threads: int) -> Any:
    options = session_options(threads)
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return options


def _in_own_arena(options: Any) -> Any:
    """Return the options, for an arena that has nothing but what it was asked for."""
    kind, memory = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    onnxruntime.create_and_register_allocator(
        onnxruntime.OrtMemoryInfo("Cpu", kind, 0, memory),
        onnxruntime.OrtArenaCfg({"arena_extend_strategy": _SAME_AS_REQUESTED}),
    )
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options


def _giving_back() -> Any:
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _numbers(pattern: re.Pattern[str], lines: list[str]) -> list[int]:
    return [int(found[1]) for found in map(pattern.search, lines) if found]


@contextmanager
def _log() -> Iterator[list[str]]:
    """Yield a list that has the lines of standard error when the block has ended."""
    lines: list[str] = []
    saved = os.dup(_STANDARD_ERROR)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), _STANDARD_ERROR)
        try:
            yield lines
        finally:
            os.dup2(saved, _STANDARD_ERROR)
            os.close(saved)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()
