"""ncnn's own form of an ONNX file, made by pnnx on this machine."""

import subprocess
from pathlib import Path

from mobilebench.bench.runtimes.ncnn_cpu import BIN, PARAM
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.targets.errors import BenchError


def convert(workload: Workload, directory: Path, _cache_dir: Path) -> None:
    """Write ncnn's model into `directory`; raises BenchError if pnnx refuses the file."""
    import pnnx

    source = directory / "model.onnx"
    source.write_bytes(workload.onnx_path.read_bytes())
    shape = ",".join(map(str, workload.variant.input_shape))
    command = [pnnx.EXEC_PATH, source.name, f"inputshape=[{shape}]f32", "fp16=0"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not (directory / BIN).exists():
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise BenchError(f"pnnx cannot convert {workload.variant.name}: {lines[-1]}")
    for file in directory.iterdir():
        if file.name not in (PARAM, BIN):
            file.unlink()
