"""ONNX Runtime's CPU execution provider on the same ONNX file, but for CPUs that saturate."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from mobilebench.bench.models.outputs import INPUT_NAME, Floats, Outputs
from mobilebench.bench.runtimes.in_process import FileRuntime
from mobilebench.bench.runtimes.model_files import NARROW_NOTE, ModelFiles


class OnnxRuntime(FileRuntime):
    """All graph optimisations on, one pool of threads that may spin: its best latency."""

    def open(self, files: ModelFiles, threads: int) -> None:
        """Open a session."""
        self._is_narrow = files.narrow_path is not None
        self._session = open_session(files.narrow_path or files.onnx_path, session_options(threads))
        self._feed = {INPUT_NAME: np.zeros(files.input_shape, np.float32)}

    def set_input(self, image: Floats) -> None:
        """Put one input of shape (1, 3, H, W) in place."""
        self._feed = {INPUT_NAME: image}

    def run(self) -> Outputs:
        """Run one inference."""
        return tuple(self._session.run(None, self._feed))

    def notes(self) -> str:
        """Tell whether its weights have fewer bits."""
        return NARROW_NOTE if self._is_narrow else ""


def session_options(threads: int) -> Any:
    """Return what sessions are opened with."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors
    # As all runtimes here are run, in the session's own threads too.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options


def open_session(onnx_path: Path, options: Any) -> Any:
    """Return a session of an ONNX file on the CPU."""
    return onnxruntime.InferenceSession(str(onnx_path), options, providers=["CPUExecutionProvider"])
