"""Where temporary files lie from which code is run."""

import os
import tempfile
from pathlib import Path

from mobilebench.targets.errors import BenchError

_OTHERS = ("/var/tmp", "/dev/shm")  # where /tmp is mounted `noexec`, these often are not


def scratch_root() -> str:
    """Return the directory for temporary files, or another one if no code may run from that.

    Raises BenchError if there is none.
    """
    try:
        usual = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise BenchError(
            "no directory for temporary files can be written; point TMPDIR at one that can"
        ) from error
    for directory in (usual, *_OTHERS):
        if _runs_code(directory):
            return directory
    raise BenchError(
        f"temporary directory {usual}: no code may run from it (it is mounted noexec); point "
        "TMPDIR at another one"
    )


def _runs_code(directory: str) -> bool:
    """Whether files may be made there, and libraries loaded from there."""
    try:
        flags = os.statvfs(directory).f_flag
    except OSError:
        return False
    return not flags & os.ST_NOEXEC and os.access(Path(directory), os.W_OK | os.X_OK)
