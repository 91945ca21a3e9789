"""What ONNX Runtime is given at int8, made on this machine."""

from pathlib import Path

from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.bench.runtimes.saturation import write_narrow


def quantize(workload: Workload, directory: Path, cache_dir: Path) -> None:
    """Write the network with weights of 7 bits where those of 8 would saturate."""
    if workload.saturates:
        write_narrow(workload, directory, cache_dir)
