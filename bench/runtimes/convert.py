"""Models in a runtime's own form, made once and kept."""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mobilebench.bench.cache import cached, content_key, file_sha256
from mobilebench.bench.runtimes.runtime import RuntimeEntry, Workload
from mobilebench.schedules.precision import FLOAT32, INT8
from mobilebench.targets.processes.worker import Worker

_USED_IF_INSTALLED = "nncf"


def convert_for(
    entry: RuntimeEntry, workload: Workload, cache_dir: Path, timeout_s: float
) -> Workload:
    """Return the workload with the model as the runtime wants it.

    At int8 a runtime's own quantiser is given what its converter makes of the float32 network.
    Both take much memory, so each runs in a process that ends before the model is loaded.
    Raises what they raise: BenchError or WorkerError.
    """
    if workload.precision == INT8 and entry.quantizes and workload.float_onnx_path:
        assert workload.calibration
        before = replace(workload, precision=FLOAT32, onnx_path=workload.float_onnx_path)
        in_floats = convert_for(entry, before, cache_dir, timeout_s)
        key = content_key(
            *map(file_sha256, (workload.onnx_path, workload.float_onnx_path)),
            (workload.calibration.sha256, workload.preprocessing),
            (_versions(entry), _version_if_installed(_USED_IF_INSTALLED)),
            workload.saturates,
        )
        given = replace(workload, converted=in_floats.converted)
        step, name = "quantize", f"{workload.variant.name}-{entry.name}-{INT8}-{key}"
    elif entry.converters is not None:
        key = content_key(file_sha256(workload.onnx_path), _versions(entry))
        given, step, name = workload, "convert", f"{workload.variant.name}-{entry.name}-{key}"
    else:
        return workload

    def fill(directory: Path) -> None:
        with Worker(entry.tools or entry.factory.partition(":")[0]) as converter:
            converter.call(step, given, directory, cache_dir, timeout_s=timeout_s)
            converter.finish()

    return replace(workload, converted=cached(cache_dir / "converted" / name, fill))


def _versions(entry: RuntimeEntry) -> list[str]:
    return [version(package) for package in (entry.package, *(entry.converters or ()))]


def _version_if_installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
