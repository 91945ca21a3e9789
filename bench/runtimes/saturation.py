"""What runtimes are given in 8 bits on a CPU that cannot add products of bytes exactly.

An x86 without VNNI multiplies bytes by `vpmaddubsw`, which adds two products in 16 bits and cuts
off what does not fit. Runtimes that use it are right with weights of 7 bits, which is what they
ask for: ONNX Runtime by `reduce_range`, NNCF by its overflow fix.
"""

import platform
import shutil
from collections.abc import Set
from pathlib import Path

from mobilebench.bench.cache import cached, content_key, file_sha256
from mobilebench.bench.runtimes.model_files import NARROW
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.targets.catalog.instruction_sets import cpu_flags, local_cpuinfo

_EXACT = {"avx512_vnni", "avx_vnni"}


def saturates(architecture: str, flags: Set[str]) -> bool:
    """Whether a machine with these instruction sets is an x86 without VNNI."""
    return architecture.lower() in ("x86_64", "amd64") and not _EXACT & flags


def saturates_here() -> bool:
    """Whether this machine is one."""
    return saturates(platform.machine(), cpu_flags(local_cpuinfo()))


def write_narrow(workload: Workload, directory: Path, cache_dir: Path) -> Path:
    """Write the workload's network with weights of 7 bits, and return the file.

    It is made once for all runtimes. Raises BenchError.
    """
    from mobilebench.bench.quantization.quantize import write_quantized
    from mobilebench.bench.quantization.ranges import is_averaged

    assert workload.float_onnx_path and workload.calibration
    float_path, calibration = workload.float_onnx_path, workload.calibration
    name, preprocessing = workload.variant.name, workload.preprocessing
    digests = map(file_sha256, (workload.onnx_path, float_path))
    key = content_key(*digests, (calibration.sha256, preprocessing))

    def fill(made: Path) -> None:
        inputs = calibration.named_inputs(workload.variant, preprocessing)
        averaged, path = is_averaged(workload.variant.task), made / NARROW
        write_quantized(float_path, name, inputs, path, narrow_weights=True, averaged=averaged)

    made = cached(cache_dir / "converted" / f"{name}-narrow-{key}", fill)
    return Path(shutil.copy(made / NARROW, directory))
