"""A power meter of the user's: a command that prints watts, a line each."""

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import Self

from mobilebench.targets.errors import BenchError
from mobilebench.targets.sensors.power import PowerSource, Rail, Reading

_WATTS = "watts"
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")
_FIRST_LINE_S = 15.0
_END_S = 5.0
_HOW = "give a command that prints watts, one number a line, again and again"


class Meter:
    """The command while it runs; what it prints is read with the time at which it came."""

    def __init__(self, command: str) -> None:
        """Start the command; raises BenchError if there is no such program."""
        self.source = PowerSource(f"meter: {command}", rails=(Rail((_WATTS,), 1.0),))
        self._command = command
        self._readings: list[Reading] = []
        self._changed = threading.Condition()
        self._ended = False
        try:
            words = shlex.split(command)
            # In a session of its own: Ctrl-C ends the run, which ends the meter.
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
                bufsize=1,
                start_new_session=True,
            )
        except (OSError, ValueError, IndexError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BenchError(f"--power-meter {command}: {reason}; {_HOW}") from error
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def require_number(self) -> None:
        """Wait for the first number; raises BenchError if there is none in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._readings or self._ended, _FIRST_LINE_S)
            if self._readings:
                return
        how = "ended" if self._ended else f"has run for {_FIRST_LINE_S:g} s"
        raise BenchError(f"--power-meter {self._command}: {how} without a number; {_HOW}")

    def take(self) -> list[Reading]:
        """Return what was printed since it was asked the last time."""
        with self._changed:
            taken, self._readings = self._readings, []
        return taken

    def close(self) -> None:
        """End the command and all that it has started."""
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._signal(signal.SIGKILL)  # what of its group is left
        self._process.wait()
        self._thread.join(_END_S)
        if self._process.stdout and not self._thread.is_alive():
            self._process.stdout.close()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if found := _NUMBER.search(line):
                with self._changed:
                    self._readings.append(Reading(time.monotonic(), {_WATTS: float(found[0])}))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def check_meter(command: str) -> None:
    """Raise BenchError if a command does not print numbers."""
    with Meter(command) as meter:
        meter.require_number()
