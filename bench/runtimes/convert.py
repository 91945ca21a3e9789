"""Models in a runtime's own form, made once and kept."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from mobilebench.bench.cache import cached, content_key, file_sha256
from mobilebench.bench.runtimes.runtime import RuntimeEntry, Workload
from mobilebench.targets.processes.worker import Worker


def convert_for(
    entry: RuntimeEntry, workload: Workload, cache_dir: Path, timeout_s: float
) -> Workload:
    """Return the workload with the model as the runtime wants it.

    Converters take much memory, so each runs in a process that ends before the model is loaded.
    Raises what the converter raises: BenchError or WorkerError.
    """
    if entry.converters is None:
        return workload
    versions = [version(package) for package in (entry.package, *entry.converters)]
    key = content_key(file_sha256(workload.onnx_path), versions)

    def fill(directory: Path) -> None:
        with Worker(entry.factory.partition(":")[0]) as converter:
            converter.call("convert", workload, directory, cache_dir, timeout_s=timeout_s)
            converter.finish()

    name = f"{workload.variant.name}-{entry.name}-{key}"
    return replace(workload, converted=cached(cache_dir / "converted" / name, fill))
