"""Files of a network in the file cache of this machine, so that loading is not a disk's speed."""

from collections.abc import Iterator
from pathlib import Path

from mobilebench.bench.runtimes.runtime import Workload

_AT_ONCE = 1 << 20


def read_files_of(workload: Workload) -> None:
    """Read every file from which a runtime may load a network; what is missing is passed over."""
    for file in _files_of(workload):
        with file.open("rb") as stream:
            while stream.read(_AT_ONCE):
                pass


def _files_of(workload: Workload) -> Iterator[Path]:
    named = (workload.onnx_path, workload.params_path, Path(workload.weights.source))
    converted = workload.converted.rglob("*") if workload.converted else ()
    for path in (*named, *converted):
        if path is not None and path.is_file():
            yield path
