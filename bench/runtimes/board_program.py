"""The program that runs a runtime on a board, where this project is not installed.

It is started as `python PROGRAM.zip MODULE:CLASS PACKAGE`, and its standard input is a socket. A
request is a line of JSON, [METHOD, ARGUMENT...], and so is the answer, [OUTCOME, VALUE]:
`done` with the result, `missing` with the name of a Python module that is not there, `failed` with
an error. Arrays and models lie in files beside the program.
"""

import importlib
import json
import os
import socket
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.bench.runtimes.in_process import FileRuntime, elapsed_ms
from mobilebench.bench.runtimes.model_files import ModelFiles

ONNX, CONVERTED = "model.onnx", "converted"  # in a model's archive


class _Served:
    """The methods of a runtime, with values that JSON has."""

    def __init__(self, factory: str, package: str) -> None:
        module, _, name = factory.partition(":")
        self._runtime: FileRuntime = getattr(importlib.import_module(module), name)()
        self._package = package

    def version(self) -> str:
        return version(self._package)

    def load(self, archive: str, shapes: Mapping[str, Any], threads: int) -> float:
        """Load what an archive has; `shapes` are those of the input and of each output by name.

        Returns the milliseconds from the unpacked files on.
        """
        directory = Path(archive).with_suffix("")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(directory)
        converted = directory / CONVERTED
        outputs = {name: tuple(shape) for name, shape in shapes["outputs"].items()}
        has_own = converted if converted.exists() else None
        files = ModelFiles(directory / ONNX, has_own, tuple(shapes["input"]), outputs)
        return elapsed_ms(self._runtime.take, files, threads)

    def infer(self, inputs: str, outputs: str) -> None:
        """Read inputs from one file (.npy), and write the outputs to another (.npz)."""
        np.savez(outputs, *self._runtime.infer(np.load(inputs)))

    def sustain(self, inferences: int, frames_per_s: float) -> Mapping[str, Any]:
        return asdict(self._runtime.sustain(inferences, frames_per_s))

    def usage(self) -> Mapping[str, int | None]:
        return asdict(self._runtime.usage())

    def __getattr__(self, method: str) -> Any:
        return getattr(self._runtime, method)


def _answer(served: list[_Served], request: Sequence[Any]) -> tuple[str, Any]:
    """Return what a method returns; the first request makes the runtime."""
    method, *arguments = request
    try:
        if not served:
            served.append(_Served(*sys.argv[1:]))
        return "done", getattr(served[0], method)(*arguments)
    except ModuleNotFoundError as error:
        return "missing", error.name
    except Exception as error:
        lines = (str(error).strip() or type(error).__name__).splitlines()
        return "failed", f"{type(error).__name__}: {lines[-1].strip()}"


def main() -> None:
    """Answer requests until nobody is there to ask."""
    os.chdir(Path(sys.argv[0]).parent)
    served: list[_Served] = []
    with socket.socket(fileno=os.dup(0)) as channel, channel.makefile("rw") as stream:
        for line in stream:
            stream.write(json.dumps(_answer(served, json.loads(line))) + "\n")
            stream.flush()
